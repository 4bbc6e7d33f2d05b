"""A copy of each tenant's directory: read whole once, then only what changed ("user: delta").

Each page is stored in a transaction of its own, the link to what changes next with the last one: what is read
twice, after a crash or because Graph repeats it, is stored twice with the same result. A list that does not come to
its end leaves the link as it was, so nobody is taken for removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries.people import directory
from storage.tables.directory import DirectoryState
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import Fault, ServiceUnavailable, reading_users
from sync.domain.services import Directory, DirectoryPage, UserChange
from sync.people.delta_pages import read_pages

GONE = 410
LINK_UNKNOWN = frozenset({400, 404, GONE})
WHOLE_AFTER = timedelta(days=7)
"""Graph keeps a link for so long; after it the directory is read whole again, whatever went wrong before."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KnownUser:
    """An ``Account`` as it is stored."""

    id: str
    principal_name: str
    mail: str
    proxy_addresses: tuple[str, ...]
    enabled: bool
    guest: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """How the copy is now: ``stamp`` numbers its changes, ``is_matched`` says whether people are matched by it.

    Of them ``matched`` were matched then, by the rules of the feature ``version``; ``chosen`` is a digest of the
    matches that administrators made.
    """

    stamp: int
    version: int
    chosen: str
    is_matched: bool
    matched: int


class DirectoryMirror:
    """Keeps the copies."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._clock = context.clock

    async def refresh(self, integration: Integration, chosen: Mapping[str, str]) -> Reading:
        """Read what changed. Raises ``SyncError``; what was read before is kept then.

        ``chosen`` are the matches that administrators made.
        """
        async with self._database.session() as session:
            state = await directory.get_state(session, integration.id)
        is_known = state is not None and state.tenant_id == integration.tenant_id
        link = state.link if state and is_known and not self._is_old(state) else ""
        app = self._credentials.app(integration)
        async with self._clients.directory(app) as service, reading_users(service.organisation):
            try:
                state = await self._read(service, integration, link)
            except ServiceUnavailable as error:
                if error.context.get("status") not in (LINK_UNKNOWN if link else {GONE}):
                    raise
                log.info("directory_read_whole", integration=integration.id, status=error.context["status"])
                state = await self._read(service, integration, "")
        basis = (state.stamp, integration.feature_version, _digest(chosen))
        is_matched = basis == (state.matched_stamp, state.matched_version, state.matched_chosen)
        return Reading(*basis, is_matched, state.matched)

    async def accounts(self, integration_id: str) -> list[KnownUser]:
        """Every Teams user of the copy."""
        found: list[KnownUser] = []
        async for rows in directory.users(self._database, integration_id):
            found += [
                KnownUser(
                    user_id, principal_name, mail, tuple(proxies.split("\n") if proxies else ()), enabled, guest
                )
                for user_id, principal_name, mail, proxies, enabled, guest in rows
            ]
        return found

    async def mark_matched(self, session: AsyncSession, integration: Integration, reading: Reading) -> None:
        """People are stored as ``reading`` says."""
        if state := await directory.get_state(session, integration.id):
            state.matched_stamp, state.matched_version = reading.stamp, reading.version
            state.matched_chosen, state.matched = reading.chosen, reading.matched

    async def distrust(self, session: AsyncSession, integration_id: str) -> None:
        """A second reading is to show whether the copy is right: it is read whole."""
        if state := await directory.get_state(session, integration_id):
            state.link, state.matched_stamp = "", -1

    def _is_old(self, state: DirectoryState) -> bool:
        return state.whole_at is None or abs(self._clock() - state.whole_at) >= WHOLE_AFTER

    async def _read(self, service: Directory, integration: Integration, link: str) -> DirectoryState:
        """Store every page from ``link`` on; with an empty one, of all users."""
        round_ = None if link else await self._begin(integration)
        await read_pages(service, link, lambda page: self._store(integration, page, round_))
        async with self._database.session() as session:
            state = await directory.get_state(session, integration.id)
        if state is None:
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        return state

    async def _begin(self, integration: Integration) -> int:
        """A round of its own: users of an earlier one that is not found again are deleted at the end."""
        async with self._database.writing() as session:
            state = await self._locked_state(session, integration)
            state.tenant_id, state.link, state.round = integration.tenant_id, "", state.round + 1
            return state.round

    async def _store(self, integration: Integration, page: DirectoryPage, round_: int | None) -> None:
        """A page of changes, or of the whole reading ``round_``.

        Once another whole reading has begun, this one is not the end: what the other has not read yet is no loss.
        """
        is_whole = round_ is not None
        async with self._database.writing() as session:
            state = await self._locked_state(session, integration)
            changes = {change.id: change for change in _merged(page)}
            before = await directory.users_by_id(session, integration.id, changes)
            rows = [
                _row(integration.id, change, before.get(change.id), state.round, is_whole=is_whole)
                for change in changes.values()
                if not change.is_removed
            ]
            differing = [row for row in rows if not _is_equal(row, before.get(row["user_id"]))]
            await directory.store_users(session, rows if is_whole else differing)
            removed = [change.id for change in changes.values() if change.is_removed]
            gone = await directory.delete_users(session, integration.id, removed)
            is_end = page.is_last and round_ in (None, state.round)
            if is_end and is_whole:
                gone += await directory.delete_users_of_other_rounds(session, integration.id, state.round)
                state.whole_at = self._clock()
            if is_end:
                state.link = page.link
            if differing or gone:
                state.stamp += 1

    async def _locked_state(self, session: AsyncSession, integration: Integration) -> DirectoryState:
        """Raises ``ServiceUnavailable`` when the integration is gone, or another tenant's meanwhile."""
        row = await integrations.get_for_update(session, integration.id)
        if row is None or row.tenant_id != integration.tenant_id:
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        state = await directory.get_state(session, integration.id)
        if state is None:
            state = DirectoryState(integration_id=integration.id, tenant_id=integration.tenant_id)
            session.add(state)
        return state


def _digest(chosen: Mapping[str, str]) -> str:
    return sha256(repr(sorted(chosen.items())).encode()).hexdigest()


def _merged(page: DirectoryPage) -> list[UserChange]:
    """One change of each user: what a page repeats is added to what it said before, a removal replaces it."""
    found: dict[str, UserChange] = {}
    for change in page.changes:
        earlier = found.get(change.id)
        if earlier and not earlier.is_removed and not change.is_removed:
            change = UserChange(change.id, {**earlier.fields, **change.fields})
        found[change.id] = change
    return list(found.values())


def _row(
    integration_id: str, change: UserChange, before: Mapping[str, Any] | None, round_: int, *, is_whole: bool
) -> dict[str, Any]:
    """The row of ``DirectoryUser``. A whole reading says everything of a user, a change only what differs."""
    nothing = {"principal_name": "", "mail": "", "proxy_addresses": "", "enabled": True, "guest": False}
    kept = (
        {name: before[name] for name in nothing} if before and not (is_whole and before["round"] != round_) else {}
    )
    fields = dict(change.fields)
    if "proxy_addresses" in fields:
        fields["proxy_addresses"] = "\n".join(fields["proxy_addresses"])
    return {**nothing, **kept, **fields, "integration_id": integration_id, "user_id": change.id, "round": round_}


def _is_equal(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    return before is not None and all(row[name] == before[name] for name in directory.FIELDS)
