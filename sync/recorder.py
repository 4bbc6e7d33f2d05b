"""Takes in what CloudLink tells and shows, and stores what Teams should show for it.

Desired is written whatever the state of the credentials, so that a mended secret converges at once.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events as event_store
from storage import integrations, people
from storage.database import Database
from storage.tables import Call, Integration, Person
from sync.clock import Clock
from sync.correlation import current_cause
from sync.jobs import Jobs
from sync.line_events import CallEvent, CallState, EndpointEvent, LineSnapshot
from sync.lines import Line, LineCall, Verdict, look, state_of, tell
from sync.mapping import UNCHANGED, presence_of
from sync.metrics import Metrics
from sync.names import PUSH
from sync.web import cleaned

log = structlog.get_logger()

Event = CallEvent | EndpointEvent
Fold = Callable[[Line], Line]

DOUBLE = "double"
NOBODY = "nobody"


class Recorder:
    """Stores events and snapshots of an integration, each call in one transaction, then defers the push."""

    def __init__(self, database: Database, jobs: Jobs, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics

    async def record(self, integration_id: str, events: Sequence[Event]) -> None:
        """Take in events as they arrived: doubles, late ones and strangers' change nothing. Stored on return."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.locked(session, integration_id)
            if integration is None:
                return
            integration.last_webhook_at = now
            verdicts, changed = await self._take(session, integration, events, now)
        for verdict, count in verdicts.items():
            self._metrics.events.labels(verdict=verdict).inc(count)
        if changed and integration.enabled:
            await self._jobs.defer(PUSH, integration_id)

    async def _take(
        self, session: AsyncSession, integration: Integration, events: Sequence[Event], now: datetime
    ) -> tuple[Counter[str], int]:
        news = await _unseen(session, integration.id, events, now)
        verdicts: Counter[str] = Counter({DOUBLE: len(events) - len(news)})
        book = await _open_book(session, integration.id, news)
        unknown: Counter[str] = Counter()
        for event in sorted(news, key=lambda event: event.at):
            verdict = book.tell(event, now)
            verdicts[verdict] += 1
            if verdict == Verdict.UNKNOWN_STATE:
                unknown[cleaned(event.state_name, 60)] += 1
        if unknown:
            await event_store.count_unknown(session, integration.id, unknown, now)
        return +verdicts, book.close(session, integration, now)

    async def look(self, integration_id: str, snapshots: Sequence[LineSnapshot], asked_at: datetime) -> None:
        """Take in what phones answered when they were asked at ``asked_at``; heals what webhooks lost."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.locked(session, integration_id)
            if integration is None:
                return
            book = await _open_book(session, integration_id, snapshots)
            for snapshot in snapshots:
                book.look(snapshot, asked_at, current_cause(), now)
            unknown = _unknown_in(snapshots)
            if unknown:
                await event_store.count_unknown(session, integration_id, unknown, now)
            changed = book.close(session, integration, now)
        if changed:
            self._tell(integration, changed)
        if changed and integration.enabled:
            await self._jobs.defer(PUSH, integration_id)

    def _tell(self, integration: Integration, changed: int) -> None:
        if integration.enabled and integration.subscription_id:
            self._metrics.missed.inc(changed)
        log.info("phones_differed", integration=integration.id, people=changed)


class _Book:
    """The lines of the people concerned, read once, changed in memory, written once."""

    def __init__(self, at: dict[str, Person], of_user: dict[str, Person], rows: dict[str, dict[str, Call]]) -> None:
        self._at = at
        self._of_user = of_user
        self._rows = rows
        self._people = {person.id: person for person in [*at.values(), *of_user.values()]}
        self._lines = {name: _line_of(person, rows[name]) for name, person in self._people.items()}
        self._causes: dict[str, str] = {}

    def tell(self, event: Event, now: datetime) -> str:
        person = self._whose(event.extension, event.user_id)
        if person is None:
            return NOBODY
        self._lines[person.id], verdict = tell(self._lines[person.id], event, now)
        if verdict is Verdict.TAKEN:
            self._causes[person.id] = event.cause
        return verdict

    def look(self, snapshot: LineSnapshot, asked_at: datetime, cause: str, now: datetime) -> None:
        person = self._whose(snapshot.extension, snapshot.user_id)
        if person is not None:
            self._lines[person.id] = look(self._lines[person.id], snapshot, asked_at, now)
            self._causes[person.id] = cause

    def _whose(self, extension: str, user_id: str) -> Person | None:
        return self._at.get(extension) or self._of_user.get(user_id)

    def close(self, session: AsyncSession, integration: Integration, now: datetime) -> int:
        """Write every line back; of how many the presence is to change."""
        changed = 0
        for name, person in self._people.items():
            line = self._lines[name]
            _store_line(person, line)
            _store_calls(session, name, line, self._rows[name])
            if wish(person, integration, line, now):
                person.desired_because = self._causes.get(name, "")
                changed += 1
            session.add(person)
        if changed:
            integration.last_change_at = now
        session.add(integration)
        return changed


def wish(person: Person, integration: Integration, line: Line, now: datetime) -> bool:
    """Write down what Teams should show for ``line``; whether that is something else than before."""
    state = state_of(line)
    person.line = state.value
    presence = presence_of(state)
    if presence is UNCHANGED or presence == person.desired:
        return False
    person.desired = presence
    person.desired_at = now
    person.refusal = ""
    if integration.enabled and person.teams_user_id:
        person.due_at = now
    return True


async def _unseen(
    session: AsyncSession, integration_id: str, events: Sequence[Event], now: datetime
) -> list[Event]:
    """The events not taken in before, each once; from now on they are."""
    by_id = {event.event_id: event for event in events}
    seen = await event_store.seen_among(session, integration_id, by_id.keys())
    news = {event_id: event for event_id, event in by_id.items() if event_id not in seen}
    event_store.remember_seen(session, integration_id, news.keys(), now)
    return list(news.values())


async def _open_book(session: AsyncSession, integration_id: str, told: Sequence[Event | LineSnapshot]) -> _Book:
    at = await people.by_extension(session, integration_id, {each.extension for each in told})
    strangers = {each.user_id for each in told if each.extension not in at and each.user_id}
    of_user = await people.by_cloudlink_user(session, integration_id, strangers)
    ids: Collection[str] = {person.id for person in [*at.values(), *of_user.values()]}
    calls = await people.calls_of(session, ids)
    return _Book(at, of_user, {name: {call.call_id: call for call in calls[name]} for name in ids})


def _unknown_in(snapshots: Sequence[LineSnapshot]) -> Counter[str]:
    return Counter(
        cleaned(call.state_name, 60) for snapshot in snapshots for call in snapshot.calls if call.state is None
    )


def _line_of(person: Person, rows: dict[str, Call]) -> Line:
    return Line(
        known=person.line != "unknown",
        do_not_disturb=person.do_not_disturb,
        offline=person.offline,
        phone_at=person.phone_at,
        phone_heard_at=person.phone_heard_at,
        calls={
            name: LineCall(CallState(row.state), row.conference, row.at, row.heard_at) for name, row in rows.items()
        },
    )


def _store_line(person: Person, line: Line) -> None:
    person.do_not_disturb, person.offline = line.do_not_disturb, line.offline
    person.phone_at, person.phone_heard_at = line.phone_at, line.phone_heard_at


def _store_calls(session: AsyncSession, person_id: str, line: Line, rows: dict[str, Call]) -> None:
    for name, call in line.calls.items():
        row = rows.get(name)
        if row is None:
            row = Call(person_id=person_id, call_id=name, state="", at=0, heard_at=call.heard_at)
        row.state, row.conference, row.at, row.heard_at = call.state.value, call.conference, call.at, call.heard_at
        session.add(row)
