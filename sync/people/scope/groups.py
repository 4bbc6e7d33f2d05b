"""Groups of Entra ID: found by name or object id, and their members read and stored."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import chain

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import groups
from storage.tables.directory import DirectoryGroup
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import OUTAGES, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Rule, RuleKind, Rules
from sync.domain.services import Directory, ListLimits, reading_list
from sync.people.scope.rules import RuleFault, RuleRefused, scope_of
from sync.presence.further_mappings import further_of
from sync.problems.incidents import GROUPS, GROUPS_UNREAD

LIMITS = ListLimits(pages=500, size=100_000_000, seconds=120)
SLICE = 1000
UNUSED_AFTER = timedelta(hours=1)
"""How long the members of a group are kept with which a dry run was made and that is not used."""

DELETED = "deleted"
"""The fault of a group that Graph does not know any more."""

NAMED = 3
EMPTIED = "emptied"
"""The fault of a group that was suddenly read empty: believed only when the next reading agrees."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

log = structlog.get_logger()


class Groups:
    """Reads the groups that rules name. The members last read stay until they are read again."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._clients = context.clients
        self._credentials = credentials
        self._clock = context.clock

    async def find(self, integration: Integration, typed: str) -> Rule:
        """A rule for the group with this name or object id, whose members are read.

        Raises ``RuleRefused`` and ``SyncError``; GRAPH_FORBIDDEN where the application may not read groups.
        """
        async with self._clients.directory(self._credentials.app(integration)) as directory:
            found = await directory.groups(id_in(typed) or typed)
            if len(found) != 1:
                fault = RuleFault.GROUP_AMBIGUOUS if found else RuleFault.GROUP_UNKNOWN
                raise RuleRefused(fault, RuleKind.GROUP, typed)
            group = found[0]
            if group.hidden:
                raise RuleRefused(RuleFault.GROUP_HIDDEN, RuleKind.GROUP, group.name or typed)
            rule = Rule(RuleKind.GROUP, group.id, group.name)
            await self._store(integration.id, rule, await _members(directory, group.id))
        return rule

    async def known(self, integration_id: str, typed: str) -> Rule:
        """A rule for a group whose members were read lately, by its object id. Raises ``RuleRefused``."""
        async with self._database.session() as session:
            group = (await groups.known(session, integration_id)).get(id_in(typed))
        if group is None:
            raise RuleRefused(RuleFault.GROUP_UNKNOWN, RuleKind.GROUP, typed)
        return Rule(RuleKind.GROUP, group.group_id, group.name)

    async def refresh(self, integration: Integration) -> None:
        """Read the members of the groups that rules name; a group that cannot be read keeps those it had."""
        rules = groups_of(integration)
        async with self._database.session() as session:
            if not await groups.known(session, integration.id):
                return
        for rule in rules:
            try:
                async with self._clients.directory(self._credentials.app(integration)) as directory:
                    found = await _members(directory, rule.value)
            except SyncError as error:
                is_deleted = error.context.get("status") == HTTPStatus.NOT_FOUND
                await self._note(integration.id, rule, DELETED if is_deleted else error.fault)
            else:
                await self._believe(integration.id, rule, found)
        async with self._database.writing() as session:
            used = {rule.value for rule in rules}
            await groups.delete_unused(session, integration.id, used, self._clock() - UNUSED_AFTER)
            await _check_unread(session, integration.id, used, self._clock())

    async def _believe(self, integration_id: str, rule: Rule, found: Collection[str]) -> None:
        async with self._database.session() as session:
            before = await groups.members(session, integration_id, rule.value)
            group = (await groups.known(session, integration_id)).get(rule.value)
        is_sudden = before and not found and not (group and group.fault == EMPTIED)
        await (self._note(integration_id, rule, EMPTIED) if is_sudden else self._store(integration_id, rule, found))

    async def _note(self, integration_id: str, rule: Rule, fault: str) -> None:
        log.warning("group_unread", integration=integration_id, group=rule.value, fault=fault)
        async with self._database.writing() as session:
            group = (await groups.known(session, integration_id)).get(rule.value)
            if group:
                group.fault = fault

    async def _store(self, integration_id: str, rule: Rule, found: Collection[str]) -> None:
        """Store who came and who went, in slices."""
        wanted = set(found)
        async with self._database.session() as session:
            before = await groups.members(session, integration_id, rule.value)
        for change, names in ((groups.add, wanted - before), (groups.remove, before - wanted)):
            for part in _slices(names):
                async with self._database.writing() as session:
                    if await integrations.get_for_update(session, integration_id) is None:
                        return
                    await change(session, integration_id, rule.value, part)
        async with self._database.writing() as session:
            if await integrations.get_for_update(session, integration_id) is None:
                return
            group = (await groups.known(session, integration_id)).get(rule.value) or DirectoryGroup(
                integration_id=integration_id, group_id=rule.value
            )
            group.name, group.read_at, group.fault = rule.name, self._clock(), ""
            session.add(group)


async def _check_unread(session: AsyncSession, integration_id: str, used: Collection[str], now: datetime) -> None:
    """Open or close the problem that groups which rules name cannot be read, unless that passes by itself."""
    known = (await groups.known(session, integration_id)).values()
    unread = [group for group in known if group.group_id in used and group.fault not in ("", *OUTAGES)]
    if not unread:
        await problems.close_open(session, integration_id, [GROUPS], now)
        return
    names = sorted(group.name or group.group_id for group in unread)
    facts = {"groups": len(names), "names": ", ".join(name[:40] for name in names[:NAMED])}
    await problems.upsert_open(session, integration_id, GROUPS, GROUPS_UNREAD, facts, False, now)


def groups_of(integration: Integration) -> Rules:
    """The groups that an integration's rules name, of its scope and its mappings, each once."""
    of_mappings = chain.from_iterable(each.rules for each in further_of(integration.further))
    rules = chain(scope_of(integration.scope).rules, of_mappings)
    return tuple({rule.value: rule for rule in rules if rule.kind is RuleKind.GROUP}.values())


def id_in(typed: str) -> str:
    """The object id in what was typed, such as ``Sales (1b2c...)``; empty without one."""
    found = _ID.search(typed)
    return found[0].lower() if found else ""


async def _members(directory: Directory, group_id: str) -> set[str]:
    """Everyone in a group. Raises ``ServiceUnavailable`` (GRAPH_LIST_TOO_LONG, GRAPH_UNREADABLE)."""
    found: set[str] = set()
    link, seen = "", {""}
    async with reading_list(LIMITS, Fault.GRAPH_LIST_TOO_LONG) as count:
        while True:
            page = await directory.members(group_id, link)
            count(page.size)
            found.update(page.user_ids)
            link = page.link
            if not link:
                return found
            if link in seen:
                raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field="@odata.nextLink")
            seen.add(link)


def _slices(names: Collection[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[start : start + SLICE] for start in range(0, len(ordered), SLICE)]
