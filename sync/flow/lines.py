"""People's lines within one tick: read from rows, changed in memory, written back to rows. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from storage.flow.rows import CallRow, EndpointRow, IntegrationRow, PersonRow
from sync.domain.phone_events import CallEvent, CallState, Event, LineSnapshot
from sync.domain.presence import LineState
from sync.flow.line_state import (
    SETTLING,
    Endpoint,
    Line,
    LineCall,
    Reading,
    Verdict,
    apply_event,
    apply_snapshot,
    contradicts,
    heard_at,
    is_in_doubt,
    state_of,
    state_without_dnd,
)
from sync.flow.line_times import spent
from sync.flow.ownership import Nobody, Place, Resident, is_disagreement, owner_of, shares
from sync.presence.mapping import overrides_for, presence_of
from sync.presence.plan import may_show
from sync.presence.status_message_plan import needs_check

NOTED_EVERY = timedelta(minutes=5)
"""That an unchanged endpoint was heard of is written so rarely: whether a state is stale is a matter of an hour."""

Report = Event | LineSnapshot


@dataclass(frozen=True, slots=True)
class Poll:
    """What CloudLink returned to a request at ``asked_at``."""

    snapshots: Sequence[LineSnapshot]
    asked_at: datetime
    cause: str


@dataclass(slots=True)
class Rows:
    """What the store has of a person: endpoints by extension, calls by extension and id."""

    person: PersonRow
    endpoints: dict[str, EndpointRow] = field(default_factory=dict)
    calls: dict[tuple[str, str], CallRow] = field(default_factory=dict)


@dataclass(slots=True)
class Written:
    """Rows of endpoints and calls to be stored; of ``forgotten`` ones, by person and extension, none stays.

    ``times`` are to be added: integration, day, person, state of the line and seconds.
    """

    endpoints: dict[tuple[str, str], EndpointRow] = field(default_factory=dict)
    calls: dict[tuple[str, str, str], CallRow] = field(default_factory=dict)
    forgotten: set[tuple[str, str]] = field(default_factory=set)
    times: list[tuple[str, str, str, str, int]] = field(default_factory=list)


class Lines:
    """The lines of an integration's people: changed in memory, written back to the rows by ``settle``.

    ``needs_match``: a report contradicts the directory as it was last read. ``is_due``: something may have to be
    sent for one of them. ``reported`` holds the ids of people of whom an event arrived; ``polls`` is when
    endpoints, by person and extension, are to be read out of turn: what was reported of them is in doubt.
    """

    def __init__(self, rows: Iterable[Rows], written: Written) -> None:
        self._rows = {each.person.id: each for each in rows}
        self._written = written
        self._lines = {name: _line_of(each) for name, each in self._rows.items()}
        self._residents = {name: _resident(each.person, self._lines[name]) for name, each in self._rows.items()}
        self._near: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._rows:
            self._index(name)
        self._causes: dict[str, str] = {}
        self.polls: dict[tuple[str, str], datetime] = {}
        self.needs_match = self.is_due = False
        self.reported: set[str] = set()

    def apply_event(self, event: Event, now: datetime) -> str:
        """Returns a ``Verdict``, or why the event concerns ``Nobody``."""
        known = self._known(event)
        self.needs_match |= is_disagreement(event, known)
        owner = owner_of(event, known)
        if isinstance(owner, Nobody):
            if isinstance(event, CallEvent) and event.state is CallState.ENDED:
                self._take_from_others("", event, now)
            return owner
        self.reported.add(owner.id)
        line, verdict = apply_event(self._lines[owner.id], event, now)
        is_doubtful = isinstance(event, CallEvent) and event.doubtful
        is_late = verdict is Verdict.LATE and contradicts(line, event, now)
        if verdict is Verdict.UNKNOWN_STATE or is_late or (verdict is Verdict.APPLIED and is_doubtful):
            self._poll(owner.id, event.extension, now)
        if verdict is Verdict.APPLIED:
            self._change(owner.id, line, event.cause)
            if isinstance(event, CallEvent):
                self._take_from_others(owner.id, event, now)
        return verdict

    def apply_poll(self, poll: Poll, now: datetime) -> dict[str, str]:
        """Apply what was read; returns the line states before, by person, without those that were in doubt."""
        extensions = {each.extension for each in poll.snapshots}
        in_doubt = {name for name, rows in self._rows.items() if self._mark_polled(rows, extensions, poll.asked_at)}
        before = {name: state for name, state in self.states().items() if name not in in_doubt}
        for snapshot in poll.snapshots:
            self._apply_snapshot(snapshot, poll, now)
        return before

    def _mark_polled(self, rows: Rows, extensions: Collection[str], asked_at: datetime) -> bool:
        """What was to be read by then, out of turn, no longer is; returns whether something was."""
        due = [
            row
            for name, row in rows.endpoints.items()
            if name in extensions and row.poll_at and row.poll_at <= asked_at
        ]
        for row in due:
            row.poll_at = None
            self._written.endpoints[row.person_id, row.extension] = row
        return bool(due)

    def _apply_snapshot(self, snapshot: LineSnapshot, poll: Poll, now: datetime) -> None:
        known, extension = self._known(snapshot), snapshot.extension
        self.needs_match |= is_disagreement(snapshot, known)
        held = {one.id: self._lines[one.id].at(extension).live_calls for one in known}
        for person, part in shares(snapshot, known, held):
            line = apply_snapshot(self._lines[person.id], Reading(part, poll.asked_at, now))
            if is_in_doubt(line, part):
                self._poll(person.id, extension, now + SETTLING)
            elif not part.exists and person.extension != extension:
                line = line.without(extension)
            self._change(person.id, line, poll.cause)

    def _take_from_others(self, owner: str, event: CallEvent, now: datetime) -> None:
        """A call belongs to one person: to whom CloudLink last gave it. An ended one is nobody's."""
        for name in self._near[event.extension] - {owner}:
            line = self._lines[name]
            endpoint = line.at(event.extension)
            if event.call_id in endpoint.live_calls:
                ended = replace(endpoint.calls[event.call_id], state=CallState.ENDED, heard_at=now)
                calls = {**endpoint.calls, event.call_id: ended}
                self._change(name, line.having(event.extension, replace(endpoint, calls=calls)), event.cause)

    def _change(self, name: str, line: Line, cause: str) -> None:
        self._lines[name], self._causes[name] = line, cause
        self._residents[name] = replace(self._residents[name], seen_at=frozenset(line.endpoints))
        self._index(name)

    def _index(self, name: str) -> None:
        """People by their extensions and CloudLink user id: a report looks at few of them."""
        one = self._residents[name]
        for place in (one.user_id, one.extension, *one.seen_at):
            if place:
                self._near[place].add(name)

    def _known(self, place: Place) -> list[Resident]:
        """The people whom a report may concern."""
        return [self._residents[name] for name in sorted(self._near[place.user_id] | self._near[place.extension])]

    def _poll(self, name: str, extension: str, at: datetime) -> None:
        self.polls[name, extension] = at

    def states(self) -> dict[str, str]:
        """People's line states, by id, as of the last ``settle``."""
        return {name: rows.person.line for name, rows in self._rows.items()}

    def settle(self, integration: IntegrationRow, now: datetime) -> int:
        """Write what changed back to the rows; returns for how many people the desired presence changed."""
        changed = 0
        for name, cause in self._causes.items():
            rows, line = self._rows[name], self._lines[name]
            self._store_line(rows, line)
            self._set_state(rows.person, integration, line, now)
            if set_desired(rows.person, integration, line, now):
                rows.person.desired_because = cause
                rows.person.waiting_since = now if may_show(rows.person, integration) else None
                changed += 1
            self.is_due |= make_due(rows.person, integration, now)
        for (name, extension), at in self.polls.items():
            row = self._endpoint(self._rows[name], extension)
            row.poll_at = at
            self._written.endpoints[name, extension] = row
        self._causes.clear()
        return changed

    def _set_state(self, person: PersonRow, integration: IntegrationRow, line: Line, now: datetime) -> None:
        """Store the state of the person's line, and for how long it was in the one before."""
        state = state_of(line)
        if state != person.line:
            key, name, before = integration.id, person.id, person.line
            self._written.times += [
                (key, day, name, before, seconds) for day, seconds in spent(person, integration, now)
            ]
            person.line, person.line_since = state.value, int(now.timestamp())
        is_quiet = state is LineState.DO_NOT_DISTURB
        person.line_without_dnd = (state_without_dnd(line) if is_quiet else state).value

    def _store_line(self, rows: Rows, line: Line) -> None:
        for extension in rows.endpoints.keys() - line.endpoints.keys():
            self._forget(rows, extension)
        for extension, endpoint in line.endpoints.items():
            is_new = extension not in rows.endpoints
            row = self._endpoint(rows, extension)
            flags = (endpoint.do_not_disturb, endpoint.offline, endpoint.at, endpoint.by_poll)
            is_changed = flags != (row.do_not_disturb, row.offline, row.at, row.by_poll)
            if is_changed or _is_worth_noting(row.heard_at, endpoint.heard_at):
                row.do_not_disturb, row.offline, row.at, row.by_poll = flags
                row.heard_at = endpoint.heard_at
                is_new = True
            if is_new:
                self._written.endpoints[row.person_id, extension] = row
            for call_id, call in endpoint.calls.items():
                self._store_call(rows, (extension, call_id), call)

    def _forget(self, rows: Rows, extension: str) -> None:
        del rows.endpoints[extension]
        rows.calls = {key: call for key, call in rows.calls.items() if key[0] != extension}
        name = rows.person.id
        self._written.forgotten.add((name, extension))
        self._written.endpoints.pop((name, extension), None)
        for key in [key for key in self._written.calls if key[:2] == (name, extension)]:
            del self._written.calls[key]

    def _endpoint(self, rows: Rows, extension: str) -> EndpointRow:
        """The row of an endpoint, a new one if there is none."""
        person = rows.person
        return rows.endpoints.setdefault(extension, EndpointRow(person.id, extension, person.integration_id))

    def _store_call(self, rows: Rows, key: tuple[str, str], call: LineCall) -> None:
        name = rows.person.id
        row = CallRow(name, *key, call.state.value, call.conference, call.at, call.heard_at)
        if row != rows.calls.get(key):
            rows.calls[key] = self._written.calls[name, *key] = row


def set_desired(person: PersonRow, integration: IntegrationRow, line: Line, now: datetime) -> bool:
    """Store what Teams should show for ``line``, whose state is stored; returns whether it changed.

    Who has no phone has no calls.
    """
    was_heard_at = heard_at(line)
    overrides = overrides_for(integration, person.mapping)
    presence = presence_of(LineState(person.line), overrides, LineState(person.line_without_dnd))
    is_changed = presence != person.desired
    if is_changed or _is_worth_noting(person.heard_at, was_heard_at):
        person.heard_at = was_heard_at
    if not is_changed:
        return False
    person.desired = presence
    person.desired_at = now
    return True


def make_due(person: PersonRow, integration: IntegrationRow, now: datetime) -> bool:
    """Have the person looked at now, if their presence has just changed or their status message may have to."""
    is_changed = person.desired_at == now and bool(person.teams_user_id or person.applied)
    if not integration.enabled or not (is_changed or needs_check(person, integration, now)):
        return False
    person.due_at = now
    return True


def call_ids(report: Report) -> list[str]:
    match report:
        case LineSnapshot(calls=calls):
            return [call.call_id for call in calls]
        case CallEvent(call_id=call_id):
            return [call_id]
    return []


def rows_of(
    people: Iterable[PersonRow], endpoints: Iterable[EndpointRow], calls: Iterable[CallRow]
) -> Mapping[str, list[Rows]]:
    """These rows by the person they are of, and by integration."""
    found = {person.id: Rows(person) for person in people}
    for endpoint in endpoints:
        found[endpoint.person_id].endpoints[endpoint.extension] = endpoint
    for call in calls:
        found[call.person_id].calls[call.extension, call.call_id] = call
    by_integration: defaultdict[str, list[Rows]] = defaultdict(list)
    for rows in found.values():
        by_integration[rows.person.integration_id].append(rows)
    return by_integration


def _resident(person: PersonRow, line: Line) -> Resident:
    return Resident(
        person.id, person.cloudlink_user_id, person.site_id, person.extension, frozenset(line.endpoints)
    )


def _line_of(rows: Rows) -> Line:
    calls: defaultdict[str, dict[str, LineCall]] = defaultdict(dict)
    for (extension, call_id), row in rows.calls.items():
        calls[extension][call_id] = LineCall(CallState(row.state), row.conference, row.at, row.heard_at)
    return Line(
        {
            name: Endpoint(row.do_not_disturb, row.offline, row.at, row.heard_at, row.by_poll, calls[name])
            for name, row in rows.endpoints.items()
        }
    )


def _is_worth_noting(noted: datetime | None, heard: datetime | None) -> bool:
    return noted is None or heard is None or abs(heard - noted) >= NOTED_EVERY
