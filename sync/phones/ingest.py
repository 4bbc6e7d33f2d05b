"""Takes in what CloudLink tells and shows, and stores what Teams should show for it.

Desired is written whatever the state of the credentials, so that a mended secret converges at once.
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
from sync.domain.phone_events import CallEvent, CallState, EndpointEvent, LineSnapshot
from sync.phones.line_state import Line, LineCall, Verdict, look, state_of, tell
from sync.presence.mapping import UNCHANGED, presence_of

log = structlog.get_logger()

Event = CallEvent | EndpointEvent

DOUBLE = "double"
NOBODY = "nobody"


class EventIngestor:
    """Stores events and snapshots of an integration, each call in one transaction, then defers the push."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._metrics = context.metrics

    async def record(self, integration_id: str, events: Sequence[Event]) -> None:
        """Take in events as they arrived: doubles, late ones and strangers' change nothing. Stored on return."""
        await self.record_all({integration_id: events}, waiting=True)

    async def record_all(self, arrived: Mapping[str, Sequence[Event]], *, waiting: bool) -> Collection[str]:
        """The same for many integrations, in one transaction.

        Unless ``waiting``, integrations at which somebody else is at work are left alone: they are returned, for
        nobody is to wait for another's.
        """
        now = self._clock()
        async with self._database.writing() as session:
            rows = await integrations.list_for_update(session, arrived, waiting=waiting)
            news = await _unseen(session, {row.id: arrived[row.id] for row in rows}, now)
            books = await _open_books(session, news)
            doubles = sum(len(arrived[row.id]) - len(news[row.id]) for row in rows)
            verdicts = Counter({DOUBLE: doubles})
            changed = []
            for row in rows:
                row.last_webhook_at = now
                verdicts += await self._take(session, row.id, books[row.id], news[row.id], now)
                if books[row.id].close(session, row, now) and row.enabled:
                    changed.append((PUSH, row.id))
        for verdict, count in verdicts.items():
            self._metrics.events.labels(verdict=verdict).inc(count)
        if changed:
            await self._jobs.defer_all(changed)
        return arrived.keys() - {row.id for row in rows}

    async def _take(
        self, session: AsyncSession, integration_id: str, book: "_LineSession", news: Sequence[Event], now: datetime
    ) -> Counter[str]:
        verdicts: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        for event in sorted(news, key=lambda event: event.at):
            verdict = book.tell(event, now)
            verdicts[verdict] += 1
            if verdict == Verdict.UNKNOWN_STATE:
                unknown[cleaned(event.state_name, 60)] += 1
        if unknown:
            await event_store.add_unknown_states(session, integration_id, unknown, now)
        return verdicts

    async def look(self, integration_id: str, snapshots: Sequence[LineSnapshot], asked_at: datetime) -> None:
        """Take in what phones answered when they were asked at ``asked_at``; heals what webhooks lost."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            book = (await _open_books(session, {integration_id: snapshots}))[integration_id]
            for snapshot in snapshots:
                book.look(snapshot, asked_at, current_cause(), now)
            unknown = _unknown_in(snapshots)
            if unknown:
                await event_store.add_unknown_states(session, integration_id, unknown, now)
            changed = book.close(session, integration, now)
        if changed:
            self._tell(integration, changed)
        if changed and integration.enabled:
            await self._jobs.defer(PUSH, integration_id)

    def _tell(self, integration: Integration, changed: int) -> None:
        if integration.enabled and integration.subscription_id:
            self._metrics.missed.inc(changed)
        log.info("phones_differed", integration=integration.id, people=changed)


class _LineSession:
    """The lines of the people concerned, read once, changed in memory, written once."""

    def __init__(
        self, at: dict[str, Person], of_user: dict[str, Person], calls: Mapping[str, Sequence[Call]]
    ) -> None:
        self._at = at
        self._of_user = of_user
        self._people = {person.id: person for person in [*at.values(), *of_user.values()]}
        self._rows = {name: {call.call_id: call for call in calls[name]} for name in self._people}
        self._lines = {name: _line_of(person, self._rows[name]) for name, person in self._people.items()}
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
    session: AsyncSession, arrived: Mapping[str, Sequence[Event]], now: datetime
) -> dict[str, list[Event]]:
    """The events not taken in before, each once; from now on they are."""
    by_name = {(key, event.event_id): event for key, events in arrived.items() for event in events}
    new = await event_store.mark_seen(session, by_name.keys(), now)
    return {
        key: [event for (owner, _), event in by_name.items() if owner == key and (owner, event.event_id) in new]
        for key in arrived
    }


Told = CallEvent | EndpointEvent | LineSnapshot


async def _open_books(session: AsyncSession, told: Mapping[str, Sequence[Told]]) -> dict[str, _LineSession]:
    """A book for each integration, with those of its people who are told of."""
    at = await people.by_extension(session, {(key, each.extension) for key, some in told.items() for each in some})
    found: dict[str, tuple[dict[str, Person], dict[str, Person]]] = {}
    for key, some in told.items():
        here = {each.extension: at[key, each.extension] for each in some if (key, each.extension) in at}
        strangers = {each.user_id for each in some if each.extension not in here and each.user_id}
        found[key] = here, await people.by_cloudlink_user(session, key, strangers)
    everybody = {person.id for pages in found.values() for page in pages for person in page.values()}
    named = {call_id for some in told.values() for each in some for call_id in _calls_in(each)}
    calls = await people.calls_by_person(session, everybody, CallState.ENDED, named)
    return {key: _LineSession(here, of_user, calls) for key, (here, of_user) in found.items()}


def _calls_in(told: Told) -> list[str]:
    match told:
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
