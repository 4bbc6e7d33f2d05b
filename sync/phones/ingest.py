"""Applies CloudLink's events and snapshots to people's lines, and stores what Teams should show for them.

The desired presence is stored whatever the state of the credentials, so that after a fix it is pushed immediately.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from core.http import cleaned
from storage.queries import events as event_store
from storage.queries import integrations, people
from storage.tables.integrations import Integration
from storage.tables.people import Call, Person
from sync.domain.context import Context
from sync.domain.jobs import PUSH
from sync.domain.phone_events import CallEvent, CallState, Event, LineSnapshot
from sync.domain.presence import LineState
from sync.phones.line_state import Line, LineCall, Verdict, apply_event, apply_snapshot, state_of
from sync.presence.mapping import UNCHANGED, presence_of
from sync.scheduling import freshness

log = structlog.get_logger()

DUPLICATE = "duplicate"
UNKNOWN_PERSON = "unknown_person"
"""Values of the metric's label ``verdict``, besides ``Verdict``."""

Report = Event | LineSnapshot


class EventIngestor:
    """Applies events and snapshots, each batch in one transaction, then queues the push."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics

    async def apply_events(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        """Apply events, by integration, in one transaction: they are stored on return.

        Duplicates, late events and those of unknown people change nothing. Unless ``waiting``, integrations that
        another transaction has locked are left out; their ids are returned.
        """
        now = self._clock()
        async with self._database.writing() as session:
            rows = await integrations.list_for_update(session, arrived, waiting=waiting)
            news = await _unseen(session, {row.id: arrived[row.id] for row in rows}, now)
            lines = await LineSession.load(session, news)
            duplicates = sum(len(arrived[row.id]) - len(news[row.id]) for row in rows)
            verdicts = Counter({DUPLICATE: duplicates})
            changed = []
            for row in rows:
                verdicts += await self._apply(session, row.id, lines[row.id], news[row.id], now)
                freshness.event_arrived(row, lines[row.id].reported, now)
                if lines[row.id].flush(session, row, now) and row.enabled:
                    changed.append((PUSH, row.id))
        for verdict, count in verdicts.items():
            self._metrics.events.labels(verdict=verdict).inc(count)
        if changed:
            await self._jobs.defer_all(changed)
        return arrived.keys() - {row.id for row in rows}

    async def _apply(
        self, session: AsyncSession, integration_id: str, lines: "LineSession", news: Sequence[Event], now: datetime
    ) -> Counter[str]:
        verdicts: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        for event in sorted(news, key=lambda event: event.at):
            verdict = lines.apply_event(event, now)
            verdicts[verdict] += 1
            if verdict == Verdict.UNKNOWN_STATE:
                unknown[cleaned(event.state_name, 60)] += 1
        if unknown:
            await event_store.add_unknown_states(session, integration_id, unknown, now)
        return verdicts

    async def apply_snapshots(
        self, integration_id: str, snapshots: Sequence[LineSnapshot], asked_at: datetime
    ) -> None:
        """Apply what CloudLink returned to a request at ``asked_at``: it corrects what lost events left wrong."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            lines = (await LineSession.load(session, {integration_id: snapshots}))[integration_id]
            before = lines.states()
            for snapshot in snapshots:
                lines.apply_snapshot(snapshot, asked_at, current_cause(), now)
            unknown = _unknown_in(snapshots)
            if unknown:
                await event_store.add_unknown_states(session, integration_id, unknown, now)
            changed = lines.flush(session, integration, now)
            freshness.poll_found(integration, before, lines.states(), now)
        if not changed:
            return
        log.info("changes_polled", integration=integration.id, people=changed)
        if integration.enabled:
            if integration.subscription_id:
                self._metrics.missed.inc(changed)
            await self._jobs.defer(PUSH, integration_id)


class LineSession:
    """The lines of an integration's people: loaded once, changed in memory, written back by ``flush``."""

    def __init__(
        self, at: dict[str, Person], of_user: dict[str, Person], calls: Mapping[str, Sequence[Call]]
    ) -> None:
        self._at = at
        self._of_user = of_user
        self._people = {person.id: person for person in [*at.values(), *of_user.values()]}
        self._rows = {name: {call.call_id: call for call in calls[name]} for name in self._people}
        self._lines = {name: _line_of(person, self._rows[name]) for name, person in self._people.items()}
        self._causes: dict[str, str] = {}
        self.reported: set[str] = set()
        """The ids of people of whom an event was applied."""

    @classmethod
    async def load(cls, session: AsyncSession, reports: Mapping[str, Sequence[Report]]) -> dict[str, "LineSession"]:
        """For each integration, the lines of the people whom its events or snapshots concern."""
        at = await people.by_extension(
            session, {(key, each.extension) for key, some in reports.items() for each in some}
        )
        found: dict[str, tuple[dict[str, Person], dict[str, Person]]] = {}
        for key, some in reports.items():
            here = {each.extension: at[key, each.extension] for each in some if (key, each.extension) in at}
            others = {each.user_id for each in some if each.extension not in here and each.user_id}
            found[key] = here, await people.by_cloudlink_user(session, key, others)
        person_ids = {person.id for both in found.values() for rows in both for person in rows.values()}
        named = {call_id for some in reports.values() for each in some for call_id in _call_ids(each)}
        calls = await people.calls_by_person(session, person_ids, CallState.ENDED, named)
        return {key: cls(here, of_user, calls) for key, (here, of_user) in found.items()}

    def apply_event(self, event: Event, now: datetime) -> str:
        """Returns a ``Verdict``, or ``UNKNOWN_PERSON``."""
        person = self._person(event.extension, event.user_id)
        if person is None:
            return UNKNOWN_PERSON
        self.reported.add(person.id)
        self._lines[person.id], verdict = apply_event(self._lines[person.id], event, now)
        if verdict is Verdict.APPLIED:
            self._causes[person.id] = event.cause
        return verdict

    def apply_snapshot(self, snapshot: LineSnapshot, asked_at: datetime, cause: str, now: datetime) -> None:
        person = self._person(snapshot.extension, snapshot.user_id)
        if person is not None:
            self._lines[person.id] = apply_snapshot(self._lines[person.id], snapshot, asked_at, now)
            self._causes[person.id] = cause

    def _person(self, extension: str, user_id: str) -> Person | None:
        return self._at.get(extension) or self._of_user.get(user_id)

    def states(self) -> dict[str, str]:
        """People's line states, by id, as of loading or the last ``flush``."""
        return {name: person.line for name, person in self._people.items()}

    def flush(self, session: AsyncSession, integration: Integration, now: datetime) -> int:
        """Write every line back; returns for how many people the desired presence changed."""
        changed = 0
        for name, person in self._people.items():
            line = self._lines[name]
            _store_line(person, line)
            _store_calls(session, name, line, self._rows[name])
            if set_desired(person, integration, line, now):
                person.desired_because = self._causes.get(name, "")
                changed += 1
        if changed:
            integration.last_change_at = now
        return changed


def set_desired(person: Person, integration: Integration, line: Line, now: datetime) -> bool:
    """Store what Teams should show for ``line``; returns whether it changed."""
    state = state_of(line)
    person.line = state.value
    presence = presence_of(state)
    if presence is UNCHANGED or presence == person.desired:
        return False
    person.desired = presence
    person.desired_at = now
    if (integration.enabled and person.teams_user_id) or person.applied:
        person.due_at = now
    return True


async def _unseen(
    session: AsyncSession, arrived: Mapping[str, Sequence[Event]], now: datetime
) -> dict[str, list[Event]]:
    """The events that were not seen before, each once; they are marked as seen."""
    by_name = {(key, event.event_id): event for key, events in arrived.items() for event in events}
    new = await event_store.mark_seen(session, by_name.keys(), now)
    return {
        key: [event for (owner, _), event in by_name.items() if owner == key and (owner, event.event_id) in new]
        for key in arrived
    }


def _call_ids(report: Report) -> list[str]:
    match report:
        case LineSnapshot(calls=calls):
            return [call.call_id for call in calls]
        case CallEvent(call_id=call_id):
            return [call_id]
    return []


def _unknown_in(snapshots: Sequence[LineSnapshot]) -> Counter[str]:
    return Counter(
        cleaned(call.state_name, 60) for snapshot in snapshots for call in snapshot.calls if call.state is None
    )


def _line_of(person: Person, rows: dict[str, Call]) -> Line:
    return Line(
        known=person.line != LineState.UNKNOWN,
        do_not_disturb=person.do_not_disturb,
        offline=person.offline,
        phone_at=person.phone_at,
        phone_received_at=person.phone_heard_at,
        calls={
            name: LineCall(CallState(row.state), row.conference, row.at, row.heard_at) for name, row in rows.items()
        },
    )


def _store_line(person: Person, line: Line) -> None:
    person.do_not_disturb, person.offline = line.do_not_disturb, line.offline
    person.phone_at, person.phone_heard_at = line.phone_at, line.phone_received_at


def _store_calls(session: AsyncSession, person_id: str, line: Line, rows: dict[str, Call]) -> None:
    for name, call in line.calls.items():
        row = rows.get(name)
        if row is None:
            row = Call(person_id=person_id, call_id=name, state="", at=0, heard_at=call.received_at)
            session.add(row)
        row.state, row.conference, row.at, row.heard_at = (
            call.state.value,
            call.conference,
            call.at,
            call.received_at,
        )
