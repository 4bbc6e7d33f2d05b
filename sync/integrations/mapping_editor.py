"""What an administrator chooses to be shown for each state of a phone, and whom a choice concerns now.

An integration has a mapping of its own, which an empty id names, and further ones for some people.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries import integrations
from storage.queries.people import line_times, scope
from storage.queries.people import mapping as queries
from storage.queries.people.mapping import Mappings, Selection
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.audit import Act, AuditLog, Subject
from sync.domain.context import Context
from sync.domain.jobs import APPLY_SCOPE, PUSH
from sync.domain.model import Actor, Concerned, EditedMeanwhile, IntegrationView, Replay, Replayed, Rules
from sync.domain.presence import BUSY_LINES, STALE_AFTER, LineState, Presence
from sync.integrations.edited_mappings import EditedMappings
from sync.integrations.views import integration_view
from sync.people.scope.editor import first_changed
from sync.people.scope.rules import Changes, Side, Someone, someones
from sync.presence.further_mappings import stored_mappings, stored_of
from sync.presence.mapping import Chosen, overrides_of
from sync.tenancy import owned

SHOWN = 8
"""People whom a preview names."""

PAGE = 10

Edit = Callable[[EditedMappings], EditedMappings]


@dataclass(frozen=True, slots=True)
class WantedRules:
    """Whom a further mapping is to select, besides those it is chosen for; the first ``place`` is 1."""

    mapping_id: str
    rules: Rules
    place: int

    def edit(self, now: EditedMappings) -> EditedMappings:
        return now.selecting(self.mapping_id, self.rules, self.place)


@dataclass(frozen=True, slots=True)
class RulesTrial:
    """What other rules of a mapping would change: whom it applies to, and how many Teams shows differently now."""

    changes: Changes
    now: int
    first_now: tuple[Concerned, ...] = ()


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
            _, wanted = _edited(integration, lambda now: now.having(mapping_id, overrides_of(chosen)))
            return await _concerned(session, integration, wanted)

    async def try_rules(self, owner_tenant: str, integration_id: str, wanted: WantedRules) -> RulesTrial:
        """To how many people other rules would apply the mapping, and the first of them. Nothing is stored."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            _, mappings = _edited(integration, wanted.edit)
            trial = Selection(integration_id, mappings.in_sql(integration_id), wanted.mapping_id)
            come, go, inside = await scope.figures(session, trial)
            changes = await first_changed(session, trial, Changes(come, go, inside))
            now, first_now = await _concerned(session, integration, mappings)
        return RulesTrial(changes, now, tuple(first_now))

    async def trial_page(
        self, owner_tenant: str, integration_id: str, wanted: WantedRules, side: Side, after: str
    ) -> tuple[tuple[Someone, ...], bool]:
        """To whom else the mapping would apply, or no longer, after a person, and whether there are more."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            _, mappings = _edited(integration, wanted.edit)
            trial = Selection(integration_id, mappings.in_sql(integration_id), wanted.mapping_id)
            found = someones(await scope.changed(session, trial, side, after, PAGE + 1))
        return found[:PAGE], len(found) > PAGE

    async def replay(self, owner_tenant: str, integration_id: str, chosen: Chosen, mapping_id: str = "") -> Replay:
        """What ``chosen`` would have shown yesterday; today while nothing of yesterday is known.

        By the states of the phones then, and of the people whom the mappings concern now.
        """
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            edited = _edited(integration, lambda now: now.having(mapping_id, overrides_of(chosen)))
            now, wanted = (each.in_sql(integration_id) for each in edited)
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

    async def counts(self, owner_tenant: str, integration_id: str) -> dict[str, int]:
        """How many people each further mapping applies to."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            return await queries.counts(session, integration_id, stored_mappings(integration))

    async def save(
        self, owner_tenant: str, integration_id: str, revision: int, chosen: Chosen, by: Actor, mapping_id: str = ""
    ) -> tuple[IntegrationView, int]:
        """Store what is shown for each state, also of who is in it now; returns for how many that changes Teams."""
        subject, facts = Subject(owner_tenant, integration_id), _facts(chosen)
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

    async def save_rules(
        self, owner_tenant: str, integration_id: str, revision: int, wanted: WantedRules, by: Actor
    ) -> tuple[IntegrationView, int]:
        """Store whom a further mapping selects; returns for how many Teams changes now. A job does the rest."""
        subject = Subject(owner_tenant, integration_id)
        facts = {"rules": ", ".join(rule.said for rule in wanted.rules)[:200], "place": str(wanted.place)}
        return await self._store(subject, revision, by, facts, wanted.mapping_id, wanted.edit)

    async def _store(
        self,
        subject: Subject,
        revision: int,
        by: Actor,
        facts: Mapping[str, str],
        mapping_id: str,
        edit: Edit,
    ) -> tuple[IntegrationView, int]:
        """People on the phone change with it; of all others a job stores in slices what another mapping shows.

        A crash after this leaves both due.
        """
        async with self._audit.attempt(Act.MAPPING, by, subject, facts), self._database.writing() as session:
            before = await owned(session, subject.owner_tenant, subject.id, revision, lock=True)
            now, wanted = _edited(before, edit)
            if wanted == now:
                return integration_view(before), 0
            values: dict[str, Any] = {"mapping": dict(wanted.own), "further": stored_of(wanted.further)}
            if is_rearranged := (now.choosing, now.at_rest) != (wanted.choosing, wanted.at_rest):
                values["scope_pending"] = True
            edited = await integrations.update_if_unchanged(session, before, revision, values)
            if edited is None:
                raise EditedMeanwhile(subject.id)
            changed = await self._apply(session, edited, wanted.in_sql(subject.id))
            named = {"mapping": now.named(mapping_id).name} if mapping_id else {}
            await self._audit.record(session, Act.MAPPING, by, edited, {**named, **facts})
            view = integration_view(edited)
        await self._jobs.defer(PUSH, subject.id)
        if is_rearranged:
            await self._jobs.defer(APPLY_SCOPE, subject.id)
        return view, changed

    async def _apply(self, session: AsyncSession, integration: Integration, mappings: Mappings) -> int:
        """Show by ``mappings`` who is on the phone; returns for how many that changes Teams."""
        at, is_busy = self._clock(), col(Person.line).in_(BUSY_LINES)
        changed, _ = await queries.concerned(session, integration, mappings, 0)
        await queries.apply(session, integration, mappings, current_cause(), at, is_busy)
        return changed


def _edited(integration: Integration, edit: Edit) -> tuple[EditedMappings, EditedMappings]:
    """The mappings as they are, and edited. Raises ``EditedMeanwhile`` when the one that was edited is gone."""
    now = EditedMappings.of(integration)
    try:
        return now, edit(now)
    except LookupError:
        raise EditedMeanwhile(integration.id) from None


async def _concerned(
    session: AsyncSession, integration: Integration, wanted: EditedMappings
) -> tuple[int, list[Concerned]]:
    """Whom ``wanted`` would show differently now: how many, and the first."""
    count, first = await queries.concerned(session, integration, wanted.in_sql(integration.id), SHOWN)
    return count, [
        Concerned(name, LineState(line), _presence(before), _presence(after)) for name, line, before, after in first
    ]


def _facts(chosen: Chosen) -> dict[str, str]:
    """For the history: what differs from Mitel's defaults."""
    stored = overrides_of(chosen)
    return {state: value.rpartition("/")[2] if value else "clear" for state, value in stored.items()}


def _presence(value: str | None) -> Presence | None:
    return Presence(value) if value else None
