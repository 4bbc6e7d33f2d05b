"""A person's line: the endpoints, the calls of each, and the one state they add up to. Pure.

A person has any number of endpoints (desk phone, softphone, hot desk), and each call belongs to one of them.
CloudLink's events may arrive late, twice or never. Each call keeps the newest time that CloudLink gave for it:
older events are dropped, newer ones apply, also to a call that had ended. A snapshot, read from CloudLink, supplies
what lost events reported of its own endpoint.

Two clocks are never compared: ``at`` is CloudLink's, in milliseconds, ``heard_at`` and ``asked_at`` are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sync.domain.phone_events import (
    BUSY,
    OFFLINE,
    CallEvent,
    CallSnapshot,
    CallState,
    EndpointEvent,
    Event,
    LineSnapshot,
)
from sync.domain.presence import LineState

SETTLING = timedelta(seconds=5)
"""For so long an event counts for more than a snapshot without it, unless CloudLink's time says it is newer."""

FUTURE = timedelta(minutes=5)
"""A time that is further ahead of our clock is wrong: what CloudLink dates so counts as now."""

OVERTAKING = timedelta(minutes=1)
"""Two events of less than so long may overtake each other, however far ahead CloudLink's clock is."""

MAX_ENDPOINTS = 16
"""More endpoints of a person are not remembered: CloudLink's guides name three devices and a hot desk."""

TALKING = frozenset({CallState.CONNECTED, CallState.HELD, CallState.CONFERENCED})
MAX_CALLS = 50
"""Calls of one phone at the same time: events come from outside, and every call is read with each event."""

PHONE_STATES = frozenset({"idle", BUSY, OFFLINE})
CALLING = frozenset({CallState.ORIGINATED, CallState.RINGING})


@dataclass(frozen=True, slots=True)
class LineCall:
    """A call as last reported: ``at`` is the newest time CloudLink gave for it, 0 when it gave none."""

    state: CallState
    conference: bool
    at: int
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A device. ``at`` applies to its flags, not to its calls; ``heard_at`` is when it was last heard of at all.

    ``by_poll`` says that this was CloudLink's answer to a question of ours, not an event.
    """

    do_not_disturb: bool = False
    offline: bool = False
    at: int = 0
    heard_at: datetime | None = None
    by_poll: bool = False
    calls: Mapping[str, LineCall] = field(default_factory=dict)

    @property
    def live_calls(self) -> set[str]:
        """The ids of the calls that have not ended."""
        return {name for name, call in self.calls.items() if call.state is not CallState.ENDED}


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a person's endpoints, by extension."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)

    def at(self, extension: str) -> Endpoint:
        return self.endpoints.get(extension) or Endpoint()

    def having(self, extension: str, endpoint: Endpoint) -> "Line":
        """The line with this endpoint; of too many, the one heard of longest ago that has no call is forgotten."""
        endpoints = {**self.endpoints, extension: endpoint}
        others = [name for name in endpoints if name != extension and not endpoints[name].live_calls]
        if len(endpoints) > MAX_ENDPOINTS and others:
            del endpoints[min(others, key=lambda name: _order(endpoints[name].heard_at))]
        return Line(endpoints)

    def without(self, extension: str) -> "Line":
        return Line({name: endpoint for name, endpoint in self.endpoints.items() if name != extension})


class Verdict(StrEnum):
    """What was done with an event."""

    APPLIED = "applied"
    LATE = "late"
    TOO_MANY_CALLS = "too_many_calls"
    UNCHANGED = "unchanged"
    UNKNOWN_STATE = "unknown_state"


def apply_event(line: Line, event: Event, now: datetime) -> tuple[Line, Verdict]:
    """The line after ``event``, which arrived at ``now``."""
    endpoint = line.at(event.extension)
    if isinstance(event, EndpointEvent):
        changed, verdict = _apply_endpoint_event(endpoint, event, now)
    else:
        changed, verdict = _apply_call_event(endpoint, event, now)
    return (line.having(event.extension, changed), verdict) if verdict is Verdict.APPLIED else (line, verdict)


def _apply_call_event(endpoint: Endpoint, event: CallEvent, now: datetime) -> tuple[Endpoint, Verdict]:
    if event.state is None:
        return endpoint, Verdict.UNKNOWN_STATE
    if event.state is CallState.UNCHANGED:
        return endpoint, Verdict.UNCHANGED
    known = endpoint.calls.get(event.call_id)
    at, known_at = _compared(event.at, known.at if known else 0, known.heard_at if known else None, now)
    if known and (0 < at < known_at or (known.state is CallState.ENDED and 0 < at == known_at)):
        return endpoint, Verdict.LATE
    if known is None and sum(each.state is not CallState.ENDED for each in endpoint.calls.values()) >= MAX_CALLS:
        return endpoint, Verdict.TOO_MANY_CALLS
    call = LineCall(event.state, event.conference, max(at, known_at) or event.at, now)
    calls = {**endpoint.calls, event.call_id: call}
    return replace(endpoint, calls=calls, heard_at=now, by_poll=False), Verdict.APPLIED


def _apply_endpoint_event(endpoint: Endpoint, event: EndpointEvent, now: datetime) -> tuple[Endpoint, Verdict]:
    flag = event.do_not_disturb
    if flag is None and event.state_name.casefold() not in PHONE_STATES:
        return endpoint, Verdict.UNKNOWN_STATE
    at, known_at = _compared(event.at, endpoint.at, endpoint.heard_at, now)
    if 0 < at < known_at:
        return endpoint, Verdict.LATE
    changed = replace(
        endpoint,
        do_not_disturb=endpoint.do_not_disturb if flag is None else flag,
        offline=_is_offline(event.state_name),
        at=max(at, known_at) or event.at,
        heard_at=now,
        by_poll=False,
    )
    return changed, Verdict.APPLIED


def _compared(at: int, known_at: int, heard_at: datetime | None, now: datetime) -> tuple[int, int]:
    """The times of an event and of what is known, heard of at ``heard_at``, as far as they are believed.

    Two that are close together are compared as they are: they come from one clock, which may be ahead.
    """
    is_close = abs(at - known_at) < OVERTAKING.total_seconds() * 1000
    if is_close and heard_at and abs(now - heard_at) < OVERTAKING:
        return at, known_at
    return _believed(at, now), _believed(known_at, now)


def _believed(at: int, now: datetime) -> int:
    """A time of CloudLink's; 0, none, when it is too far ahead of ours to be right."""
    return at if at <= (now + FUTURE).timestamp() * 1000 else 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What CloudLink returned of an endpoint: asked by us at ``asked_at``, read at ``now``."""

    snapshot: LineSnapshot
    asked_at: datetime
    now: datetime

    def outdates(self, at: int, heard_at: datetime | None) -> bool:
        """Whether it counts for more than a report that CloudLink dates ``at``, heard by us at ``heard_at``."""
        age = self._age(heard_at)
        is_newer_by_cloudlink = _believed(at, self.now) <= _believed(self.snapshot.at, self.now)
        return age >= SETTLING or (age >= timedelta(0) and is_newer_by_cloudlink)

    def after_absence(self, call: LineCall) -> LineCall:
        """A call that the snapshot does not contain has ended, unless it is newer than the snapshot."""
        if call.state is CallState.ENDED or not self.outdates(call.at, call.heard_at):
            return call
        at = max(_believed(call.at, self.now), _believed(self.snapshot.at, self.now))
        return replace(call, state=CallState.ENDED, at=at, heard_at=self.asked_at)

    def after_presence(self, known: LineCall | None, seen: CallSnapshot) -> LineCall | None:
        """A call in the snapshot is live, even if it had ended, unless what is known of it is newer."""
        at, known_at = _believed(seen.at, self.now), _believed(known.at, self.now) if known else 0
        if seen.state in (None, CallState.UNCHANGED) or (known and self._is_known_newer(known, known_at, at)):
            return known
        call = LineCall(seen.state, seen.conference, max(at, known_at), self.asked_at)
        return known if known and call == replace(known, heard_at=self.asked_at) else call

    def _is_known_newer(self, known: LineCall, known_at: int, at: int) -> bool:
        age = self._age(known.heard_at)
        return age < timedelta(0) or (0 < at < known_at and age < SETTLING)

    def _age(self, heard_at: datetime | None) -> timedelta:
        """How long before we asked something was heard; as long as can be when our clock was set back since."""
        if heard_at is None or heard_at > self.now + SETTLING:
            return timedelta.max
        return self.asked_at - heard_at


def apply_snapshot(line: Line, reading: Reading) -> Line:
    """The line after CloudLink's answer: it says what is, and is not, on its own endpoint.

    What was heard since we asked stays; so does, for a while, what CloudLink's own time does not prove older.
    """
    snapshot, endpoint = reading.snapshot, line.at(reading.snapshot.extension)
    seen = {call.call_id for call in snapshot.calls}
    calls = {name: call if name in seen else reading.after_absence(call) for name, call in endpoint.calls.items()}
    for call in snapshot.calls:
        if after := reading.after_presence(endpoint.calls.get(call.call_id), call):
            calls[call.call_id] = after
    flags = _read_flags(endpoint, reading) if reading.outdates(endpoint.at, endpoint.heard_at) else endpoint
    heard_at = max(reading.asked_at, flags.heard_at or reading.asked_at)
    by_poll = flags.by_poll or heard_at == reading.asked_at
    heard = replace(flags, calls=calls, heard_at=min(heard_at, reading.now), by_poll=by_poll)
    return line.having(snapshot.extension, heard)


def _read_flags(endpoint: Endpoint, reading: Reading) -> Endpoint:
    snapshot, flag = reading.snapshot, reading.snapshot.do_not_disturb
    return replace(
        endpoint,
        do_not_disturb=endpoint.do_not_disturb if flag is None else flag,
        offline=_is_offline(snapshot.state_name),
        at=max(_believed(endpoint.at, reading.now), _believed(snapshot.at, reading.now)),
    )


def contradicts(line: Line, event: Event, now: datetime) -> bool:
    """Whether a late event differs from what is known: CloudLink's clock may have been set back since.

    Events overtake each other within seconds; only the end of a live call is doubted that early.
    """
    endpoint = line.at(event.extension)
    if isinstance(event, EndpointEvent):
        flags = event.do_not_disturb in (None, endpoint.do_not_disturb), _is_offline(event.state_name)
        return flags != (True, endpoint.offline) and _is_settled(endpoint.heard_at, now)
    known = endpoint.calls.get(event.call_id)
    if known is None or known.state is CallState.ENDED:
        return False
    is_other = (event.state, event.conference) != (known.state, known.conference)
    return event.state is CallState.ENDED or (is_other and _is_settled(known.heard_at, now))


def _is_settled(heard_at: datetime | None, now: datetime) -> bool:
    return heard_at is None or abs(now - heard_at) >= SETTLING


def unknown_phone(extension: str) -> LineSnapshot:
    """The snapshot of a phone that CloudLink does not know: it is offline and has no calls."""
    return LineSnapshot(extension, "", OFFLINE, do_not_disturb=False, calls=(), at=0, exists=False)


def is_in_doubt(line: Line, snapshot: LineSnapshot) -> bool:
    """Whether ``line``, after the snapshot, still contradicts it, for what was just heard: then ask again later."""
    endpoint = line.at(snapshot.extension)
    known = {name: (call.state, call.conference) for name, call in endpoint.calls.items()}
    seen = {call.call_id: (call.state, call.conference) for call in snapshot.calls}
    is_flag_contradicted = snapshot.do_not_disturb not in (None, endpoint.do_not_disturb)
    is_call_contradicted = any(
        call[0] not in (None, CallState.UNCHANGED) and call != known.get(name) for name, call in seen.items()
    )
    return is_flag_contradicted or is_call_contradicted or bool(endpoint.live_calls - seen.keys())


def _is_offline(state_name: str) -> bool:
    return state_name.casefold() == OFFLINE


def _order(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def state_of(line: Line) -> LineState:
    """One state for all endpoints together.

    Do-not-disturb takes precedence over calls, as it does in Teams (DoNotDisturb over Busy).
    """
    is_quiet = any(endpoint.do_not_disturb for endpoint in line.endpoints.values() if endpoint.heard_at)
    return LineState.DO_NOT_DISTURB if is_quiet else state_without_dnd(line)


def state_without_dnd(line: Line) -> LineState:
    """What the state would be if no endpoint were on do-not-disturb.

    A person is on hold when each of their calls is. Dialling counts as ringing: the call is not connected yet. A
    person is offline when every endpoint is.
    """
    known = [endpoint for endpoint in line.endpoints.values() if endpoint.heard_at]
    calls = [call for endpoint in known for call in endpoint.calls.values()]
    talks = [call for call in calls if call.state in TALKING]
    if not known:
        return LineState.UNKNOWN
    if any(call.conference or call.state is CallState.CONFERENCED for call in talks):
        return LineState.IN_CONFERENCE
    if talks:
        is_held = all(call.state is CallState.HELD for call in talks)
        return LineState.ON_HOLD if is_held else LineState.ON_CALL
    if any(call.state in CALLING for call in calls):
        return LineState.RINGING
    return LineState.OFFLINE if all(endpoint.offline for endpoint in known) else LineState.IDLE


def heard_at(line: Line) -> datetime | None:
    """When the endpoints that make the state what it is were last heard of: others do not keep it fresh."""
    telling = [one for one in line.endpoints.values() if one.do_not_disturb or one.live_calls]
    return max((one.heard_at for one in telling or line.endpoints.values() if one.heard_at), default=None)
