"""People's lines within one transaction: read from the store, changed in memory by pure functions, written back."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from core.grouping import grouped
from storage.queries import endpoints as endpoint_store
from storage.tables import people as tables
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.phone_events import CallEvent, CallState, Event, LineSnapshot
from sync.phones.line_state import (
    SETTLING,
    Endpoint,
    Line,
    LineCall,
    Reading,
    Verdict,
    apply_event,
    apply_snapshot,
    heard_at,
    is_in_doubt,
    state_of,
)
from sync.phones.ownership import Nobody, Resident, is_disagreement, owner_of, shares
from sync.presence.mapping import presence_of

NOTED_EVERY = timedelta(minutes=5)
"""That an unchanged endpoint was heard of is written so rarely: whether a state is stale is a matter of an hour."""

Report = Event | LineSnapshot


@dataclass(frozen=True, slots=True)
class Rows:
    """What the store has of a person: endpoints by extension, calls by extension and id."""

    person: Person
    endpoints: dict[str, tables.Endpoint]
    calls: dict[tuple[str, str], tables.Call]


class LineSession:
    """The lines of an integration's people: loaded once, changed in memory, written back by ``flush``.

    ``needs_match``: a report contradicts the directory as it was last read. ``reported`` holds the ids of people of
    whom an event arrived.
    """

    def __init__(self, rows: Sequence[Rows]) -> None:
        self._rows = {each.person.id: each for each in rows}
        self._lines = {name: _line_of(each) for name, each in self._rows.items()}
        self._residents = {name: _resident(each.person, self._lines[name]) for name, each in self._rows.items()}
        self._causes: dict[str, str] = {}
        self._polls: dict[tuple[str, str], datetime] = {}
        self.needs_match = False
        self.reported: set[str] = set()

    @classmethod
    async def load(cls, session: AsyncSession, reports: Mapping[str, Sequence[Report]]) -> dict[str, "LineSession"]:
        """For each integration, the lines of the people whom its events or snapshots may concern."""
        extensions = {key: {each.extension for each in some} for key, some in reports.items()}
        user_ids = {key: {each.user_id for each in some if each.user_id} for key, some in reports.items()}
        people = await endpoint_store.concerned(session, extensions, user_ids)
        person_ids = [person.id for person in people]
        seen = await endpoint_store.endpoints_by_person(session, person_ids)
        named = {call_id for some in reports.values() for each in some for call_id in _call_ids(each)}
        calls = await endpoint_store.calls_by_person(session, person_ids, CallState.ENDED, named)
        of_integration = grouped(people, lambda person: person.integration_id)
        return {
            key: cls(
                [
                    Rows(
                        person,
                        {row.extension: row for row in seen[person.id]},
                        {(row.extension, row.call_id): row for row in calls[person.id]},
                    )
                    for person in of_integration[key]
                ]
            )
            for key in reports
        }

    def apply_event(self, event: Event, now: datetime) -> str:
        """Returns a ``Verdict``, or why the event concerns ``Nobody``."""
        known = self._residents.values()
        self.needs_match |= is_disagreement(event, known)
        owner = owner_of(event, known)
        if isinstance(owner, Nobody):
            return owner
        self.reported.add(owner.id)
        line, verdict = apply_event(self._lines[owner.id], event, now)
        is_doubtful = isinstance(event, CallEvent) and event.doubtful
        if verdict is Verdict.UNKNOWN_STATE or (verdict is Verdict.APPLIED and is_doubtful):
            self._polls[owner.id, event.extension] = now
        if verdict is Verdict.APPLIED:
            self._change(owner.id, line, event.cause)
            if isinstance(event, CallEvent):
                self._take_from_others(owner.id, event, now)
        return verdict

    def apply_snapshot(self, snapshot: LineSnapshot, asked_at: datetime, cause: str, now: datetime) -> None:
        known, extension = self._residents.values(), snapshot.extension
        self.needs_match |= is_disagreement(snapshot, known)
        held = {name: line.at(extension).live_calls for name, line in self._lines.items()}
        for person, part in shares(snapshot, known, held):
            line = apply_snapshot(self._lines[person.id], Reading(part, asked_at, now))
            if is_in_doubt(line, part):
                self._polls[person.id, extension] = now + SETTLING
            elif not part.exists and person.extension != extension:
                line = line.without(extension)
            self._change(person.id, line, cause)

    def _take_from_others(self, owner: str, event: CallEvent, now: datetime) -> None:
        """A call belongs to one person: to whom CloudLink last gave it."""
        for name, line in self._lines.items():
            endpoint = line.at(event.extension)
            if name != owner and event.call_id in endpoint.live_calls:
                ended = replace(endpoint.calls[event.call_id], state=CallState.ENDED, heard_at=now)
                calls = {**endpoint.calls, event.call_id: ended}
                self._change(name, line.having(event.extension, replace(endpoint, calls=calls)), event.cause)

    def _change(self, name: str, line: Line, cause: str) -> None:
        self._lines[name], self._causes[name] = line, cause
        self._residents[name] = replace(self._residents[name], seen_at=frozenset(line.endpoints))

    def states(self) -> dict[str, str]:
        """People's line states, by id, as of loading or the last ``flush``."""
        return {name: rows.person.line for name, rows in self._rows.items()}

    @property
    def polls(self) -> Collection[datetime]:
        """When endpoints are to be read out of turn, for what was reported of them is in doubt."""
        return self._polls.values()

    async def flush(self, session: AsyncSession, integration: Integration, now: datetime) -> int:
        """Write every changed line back; returns for how many people the desired presence changed."""
        changed = 0
        for name, cause in self._causes.items():
            rows, line = self._rows[name], self._lines[name]
            await _store_line(session, rows, line)
            if set_desired(rows.person, integration, line, now):
                rows.person.desired_because = cause
                changed += 1
        self._store_polls(session)
        if changed:
            integration.last_change_at = now
        return changed

    def _store_polls(self, session: AsyncSession) -> None:
        for (name, extension), at in self._polls.items():
            _endpoint_row(session, self._rows[name], extension).poll_at = at


def set_desired(person: Person, integration: Integration, line: Line, now: datetime) -> bool:
    """Store what Teams should show for ``line``; returns whether it changed. Who has no phone has no calls."""
    state, was_heard_at = state_of(line), heard_at(line)
    person.line = state.value
    presence = presence_of(state)
    is_changed = presence != person.desired
    if is_changed or _is_worth_noting(person.heard_at, was_heard_at):
        person.heard_at = was_heard_at
    if not is_changed:
        return False
    person.desired = presence
    person.desired_at = now
    if integration.enabled and (person.teams_user_id or person.applied):
        person.due_at = now
    return True


def _call_ids(report: Report) -> list[str]:
    match report:
        case LineSnapshot(calls=calls):
            return [call.call_id for call in calls]
        case CallEvent(call_id=call_id):
            return [call_id]
    return []


def _resident(person: Person, line: Line) -> Resident:
    return Resident(
        person.id, person.cloudlink_user_id, person.site_id, person.extension, frozenset(line.endpoints)
    )


def _line_of(rows: Rows) -> Line:
    calls: defaultdict[str, dict[str, LineCall]] = defaultdict(dict)
    for (extension, call_id), row in rows.calls.items():
        calls[extension][call_id] = LineCall(CallState(row.state), row.conference, row.at, row.heard_at)
    return Line(
        {
            name: Endpoint(row.do_not_disturb, row.offline, row.at, row.heard_at, calls[name])
            for name, row in rows.endpoints.items()
        }
    )


async def _store_line(session: AsyncSession, rows: Rows, line: Line) -> None:
    for extension in rows.endpoints.keys() - line.endpoints.keys():
        await endpoint_store.forget(session, rows.endpoints[extension])
    for extension, endpoint in line.endpoints.items():
        row = _endpoint_row(session, rows, extension)
        flags = (endpoint.do_not_disturb, endpoint.offline, endpoint.at)
        if flags != (row.do_not_disturb, row.offline, row.at) or _is_worth_noting(row.heard_at, endpoint.heard_at):
            row.do_not_disturb, row.offline, row.at = flags
            row.heard_at = endpoint.heard_at
        for call_id, call in endpoint.calls.items():
            _store_call(session, rows, extension, call_id, call)


def _endpoint_row(session: AsyncSession, rows: Rows, extension: str) -> tables.Endpoint:
    """The row of an endpoint, added if it is new."""
    row = rows.endpoints.get(extension)
    if row is None:
        person = rows.person
        row = tables.Endpoint(person_id=person.id, extension=extension, integration_id=person.integration_id)
        rows.endpoints[extension] = row
        session.add(row)
    return row


def _store_call(session: AsyncSession, rows: Rows, extension: str, call_id: str, call: LineCall) -> None:
    row = rows.calls.get((extension, call_id))
    if row is None:
        row = tables.Call(
            person_id=rows.person.id, extension=extension, call_id=call_id, state="", at=0, heard_at=call.heard_at
        )
        session.add(row)
    row.state, row.conference, row.at, row.heard_at = call.state.value, call.conference, call.at, call.heard_at


def _is_worth_noting(noted: datetime | None, heard: datetime | None) -> bool:
    return noted is None or heard is None or abs(heard - noted) >= NOTED_EVERY
