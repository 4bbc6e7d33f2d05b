"""Who is shown, as an administrator chooses it: tried on everyone before it is stored, and put into effect."""

from dataclasses import replace

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries.people import groups, scope
from storage.queries.people.scope import Rules, Trial
from sync.audit import Act, AuditLog, Subject
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.jobs import APPLY_SCOPE, PUSH, PUSH_STATUS_MESSAGE
from sync.domain.model import Actor, EditedMeanwhile, Rule
from sync.people.scope.groups import Groups
from sync.people.scope.judge import judge_everyone
from sync.people.scope.rules import Changes, Scope, ScopeView, Side, Site, Someone, UnreadGroup, scope_of, someones
from sync.presence.further_mappings import plain
from sync.tenancy import owned

SITES = 10
NAMED = 5
PAGE = 10


class ScopeEditor:
    """Every method for an administrator raises ``UnknownIntegration``."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._groups = Groups(context, credentials)
        self._audit = AuditLog(context.database, context.clock)

    async def view(self, owner_tenant: str, integration_id: str) -> ScopeView:
        """The scope as it is, with what there is to choose from."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            known = await groups.known(session, integration_id)
            found = await scope.sites(session, integration_id, SITES)
            _, _, shown = await scope.figures(session, scope.rules_of(integration))
        now = scope_of(integration.scope)
        unread = [UnreadGroup(each.name, each.read_at) for each in known.values() if each.fault]
        return ScopeView(now, integration.revision, shown, tuple(Site(*site) for site in found), tuple(unread))

    async def group(self, owner_tenant: str, integration_id: str, typed: str) -> Rule:
        """A rule for the group with this name or object id. Raises ``RuleRefused`` and ``SyncError``."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
        return await self._groups.find(integration, typed)

    async def known_group(self, owner_tenant: str, integration_id: str, typed: str) -> Rule:
        """A rule for a group that was read lately. Raises ``RuleRefused``."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
        return await self._groups.known(integration_id, typed)

    async def preview(self, owner_tenant: str, integration_id: str, wanted: Scope) -> Changes:
        """How many would come and go with ``wanted``, and the first of them by name. Nothing is stored."""
        rules = _rules(integration_id, wanted)
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            come, go, shown = await scope.figures(session, rules)
            return await first_changed(session, rules, Changes(come, go, shown))

    async def page(
        self, owner_tenant: str, integration_id: str, wanted: Scope, side: Side, after: str
    ) -> tuple[tuple[Someone, ...], bool]:
        """Who would come or go, after a person, and whether there are more."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            found = await scope.changed(session, _rules(integration_id, wanted), side, after, PAGE + 1)
        return someones(found[:PAGE]), len(found) > PAGE

    async def save(self, owner_tenant: str, integration_id: str, revision: int, wanted: Scope, by: Actor) -> None:
        """Store the scope; a job judges everyone by it, also after a crash. Raises ``EditedMeanwhile``."""
        subject, facts = Subject(owner_tenant, integration_id), _facts(wanted)
        async with self._audit.attempt(Act.SCOPE, by, subject, facts), self._database.writing() as session:
            before = await owned(session, owner_tenant, integration_id, revision, lock=True)
            if before.scope == wanted.as_json():
                return
            values = {"scope": wanted.as_json(), "scope_pending": True}
            edited = await integrations.update_if_unchanged(session, before, revision, values)
            if edited is None:
                raise EditedMeanwhile(integration_id)
            await self._audit.record(session, Act.SCOPE, by, edited, facts)
        await self._jobs.defer(APPLY_SCOPE, integration_id)

    async def apply(self, integration_id: str) -> None:
        """The job: judge everyone, then send what follows."""
        if await judge_everyone(self._database, integration_id, self._clock):
            await self._jobs.defer(PUSH, integration_id)
            await self._jobs.defer(PUSH_STATUS_MESSAGE, integration_id)


async def first_changed(session: AsyncSession, trial: Trial, changes: Changes) -> Changes:
    """The counted changes with the first people of each side by name."""
    come, go = [
        someones(await scope.changed(session, trial, side, "", NAMED)) if count else ()
        for side, count in ((Side.COME, changes.come), (Side.GO, changes.go))
    ]
    return replace(changes, first_come=come, first_go=go)


def _rules(integration_id: str, wanted: Scope) -> Rules:
    return Rules(integration_id, wanted.mode.value, plain(wanted.rules), wanted.may_opt_out)


def _facts(wanted: Scope) -> dict[str, str]:
    rules = ", ".join(rule.said for rule in wanted.rules)
    return {"mode": wanted.mode.value, "rules": rules[:200], "may_opt_out": str(wanted.may_opt_out)}
