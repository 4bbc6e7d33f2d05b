"""What an administrator chooses to be shown for each state of a phone, and whom a choice concerns now.

An integration has a mapping of its own, which an empty id names, and further ones for some people.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from core.correlation import current_cause
from storage.queries import integrations
from storage.queries.people import line_times
from storage.queries.people import mapping as queries
from storage.queries.people.mapping import Mappings
from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import PUSH
from sync.domain.model import (
    Actor,
    Concerned,
    EditedMeanwhile,
    FurtherMapping,
    IntegrationView,
    Replay,
    Replayed,
)
from sync.domain.presence import STALE_AFTER, LineState, Presence
from sync.integrations.views import integration_view
from sync.presence.further_mappings import MAX_FURTHER, further_of, mappings_of, stored_of
from sync.presence.mapping import Chosen, Overrides, overrides_of
from sync.tenancy import owned

SHOWN = 8
"""People whom a preview names."""


@dataclass(frozen=True, slots=True)
class _Mappings:
    own: Overrides
    further: tuple[FurtherMapping, ...]

    def having(self, mapping_id: str, overrides: Overrides) -> "_Mappings":
        """With another choice in one of them. Raises ``LookupError`` when it is gone."""
        if not mapping_id:
            return replace(self, own=overrides)
        changed = replace(self.named(mapping_id), overrides=overrides)
        return replace(self, further=tuple(changed if each.id == mapping_id else each for each in self.further))

    def named(self, mapping_id: str) -> FurtherMapping:
        return {each.id: each for each in self.further}[mapping_id]

    def added(self, name: str) -> "_Mappings":
        """With one more, which begins as the integration's own."""
        if len(self.further) >= MAX_FURTHER:
            raise LookupError
        return replace(self, further=(*self.further, FurtherMapping(uuid4().hex, name, self.own)))

    def without(self, mapping_id: str) -> "_Mappings":
        self.named(mapping_id)
        return replace(self, further=tuple(each for each in self.further if each.id != mapping_id))


class MappingEditor:
    """Every method raises ``UnknownIntegration``; those that take a ``revision`` raise ``EditedMeanwhile``."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def preview(
        self, owner_tenant: str, integration_id: str, chosen: Chosen, mapping_id: str = ""
    ) -> tuple[int, list[Concerned]]:
        """For how many people ``chosen`` would change what is shown now, and the first of them by name."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            _, mappings = self._wanted(integration, chosen, mapping_id)
            count, first = await queries.concerned(session, integration, mappings, SHOWN)
        return count, [
            Concerned(name, LineState(line), _presence(before), _presence(after))
            for name, line, before, after in first
        ]

    async def replay(self, owner_tenant: str, integration_id: str, chosen: Chosen, mapping_id: str = "") -> Replay:
        """What ``chosen`` would have shown yesterday; today while nothing of yesterday is known.

        By the states of the phones then, and of the people whom the mappings concern now.
        """
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            now, wanted = self._wanted(integration, chosen, mapping_id)
            at = self._clock()
            day = await line_times.newest_day(session, integration_id, at.date())
            totals, first = await line_times.replay(
                session, integration_id, (now, wanted), day, at, at - STALE_AFTER, SHOWN
            )
        return Replay(
            day,
            tuple(Replayed(_presence(each[0]), _presence(each[1]), each[2], people=each[3]) for each in totals),
            tuple(Replayed(_presence(each[1]), _presence(each[2]), each[3], name=each[0]) for each in first),
            is_today=day == at.date(),
        )

    def _wanted(self, integration: Integration, chosen: Chosen, mapping_id: str) -> tuple[Mappings, Mappings]:
        """The mappings as they are, and with another choice in one of them. Raises ``EditedMeanwhile``."""
        now = _Mappings(integration.mapping, further_of(integration.further))
        try:
            wanted = now.having(mapping_id, overrides_of(chosen))
        except LookupError:
            raise EditedMeanwhile(integration.id) from None
        return mappings_of(now.own, now.further), mappings_of(wanted.own, wanted.further)

    async def counts(self, owner_tenant: str, integration_id: str) -> dict[str, int]:
        """How many people each further mapping applies to."""
        async with self._database.session() as session:
            await owned(session, owner_tenant, integration_id)
            return await queries.counts(session, integration_id)

    async def save(
        self, owner_tenant: str, integration_id: str, revision: int, chosen: Chosen, by: Actor, mapping_id: str = ""
    ) -> tuple[IntegrationView, int]:
        """Store what is shown for each state, also of who is in it now; returns for how many that changes Teams."""
        facts = {state.value: presence.activity if presence else "" for state, presence in chosen.items()}
        subject = Subject(owner_tenant, integration_id)
        return await self._store(
            subject, revision, by, facts, mapping_id, lambda now: now.having(mapping_id, overrides_of(chosen))
        )

    async def add(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        """A further mapping, which applies to nobody yet and begins as the integration's own."""
        subject, facts = Subject(owner_tenant, integration_id), {"added": name}
        view, _ = await self._store(subject, revision, by, facts, "", lambda now: now.added(name))
        return view

    async def remove(
        self, owner_tenant: str, integration_id: str, revision: int, mapping_id: str, by: Actor
    ) -> tuple[IntegrationView, int]:
        """Remove a further mapping: what applies to its people then is stored; returns for how many it changes."""
        subject = Subject(owner_tenant, integration_id)
        return await self._store(
            subject, revision, by, {"removed": "yes"}, mapping_id, lambda now: now.without(mapping_id)
        )

    async def _store(
        self,
        subject: Subject,
        revision: int,
        by: Actor,
        facts: Mapping[str, str],
        mapping_id: str,
        edit: Callable[[_Mappings], _Mappings],
    ) -> tuple[IntegrationView, int]:
        """A crash after this leaves those who change due, so that they are sent."""
        async with self._audit.attempt(Act.MAPPING, by, subject, facts), self._database.writing() as session:
            before = await owned(session, subject.owner_tenant, subject.id, revision, lock=True)
            now = _Mappings(before.mapping, further_of(before.further))
            try:
                wanted = edit(now)
                named = {"mapping": now.named(mapping_id).name} if mapping_id else {}
            except LookupError:
                raise EditedMeanwhile(subject.id) from None
            values = {"mapping": dict(wanted.own), "further": stored_of(wanted.further)}
            edited = await integrations.update_if_unchanged(session, before, revision, values)
            if edited is None:
                raise EditedMeanwhile(subject.id)
            at, mappings = self._clock(), mappings_of(wanted.own, wanted.further)
            changed, _ = await queries.concerned(session, edited, mappings, 0)
            await queries.apply(session, edited, mappings, current_cause(), at, at - STALE_AFTER)
            await self._audit.record(session, Act.MAPPING, by, edited, {**named, **facts})
            view = integration_view(edited)
        await self._jobs.defer(PUSH, subject.id)
        return view, changed


def _presence(value: str | None) -> Presence | None:
    return Presence(value) if value else None
