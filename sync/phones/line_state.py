"""A person's phone: events and snapshots are applied to a line, and a line is reduced to one state. Pure.

CloudLink's events may arrive late, twice or never. Each call keeps the time of its newest event: older events are
dropped, and an ended call never returns. A snapshot, read from CloudLink, supplies what lost events reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sync.domain.phone_events import OFFLINE, CallSnapshot, CallState, EndpointEvent, Event, LineSnapshot
from sync.domain.presence import LineState

EVENT_PRECEDENCE = timedelta(seconds=60)
"""How long an event takes precedence over snapshots with an older timestamp that contradict it."""

TALKING = frozenset({CallState.CONNECTED, CallState.HELD, CallState.CONFERENCED})
MAX_CALLS = 50
"""Calls of one phone at the same time: events come from outside, and every call is read with each event."""

PHONE_STATES = frozenset({"idle", "busy", OFFLINE})
CALLING = frozenset({CallState.ORIGINATED, CallState.RINGING})


@dataclass(frozen=True, slots=True)
class LineCall:
    """A call as last reported: ``at`` by CloudLink's clock in milliseconds, ``received_at`` by ours."""

    state: CallState
    conference: bool
    at: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a phone. ``phone_at`` and ``phone_received_at`` apply to its flags, not to its calls."""

    known: bool = False
    do_not_disturb: bool = False
    offline: bool = False
    phone_at: int = 0
    phone_received_at: datetime | None = None
    calls: Mapping[str, LineCall] = field(default_factory=dict)


class Verdict(StrEnum):
    """What was done with an event."""

    APPLIED = "applied"
    LATE = "late"
    TOO_MANY_CALLS = "too_many_calls"
    UNKNOWN_STATE = "unknown_state"


def apply_event(line: Line, event: Event, now: datetime) -> tuple[Line, Verdict]:
    """The line after ``event``, which arrived at ``now``."""
    if isinstance(event, EndpointEvent):
        return _apply_endpoint_event(line, event, now)
    if event.state is None:
        return line, Verdict.UNKNOWN_STATE
    known = line.calls.get(event.call_id)
    if known and (known.state is CallState.ENDED or event.at < known.at):
        return line, Verdict.LATE
    if known is None and sum(each.state is not CallState.ENDED for each in line.calls.values()) >= MAX_CALLS:
        return line, Verdict.TOO_MANY_CALLS
    call = LineCall(event.state, event.conference, event.at, now)
    return _with_calls(line, {**line.calls, event.call_id: call}), Verdict.APPLIED


def _apply_endpoint_event(line: Line, event: EndpointEvent, now: datetime) -> tuple[Line, Verdict]:
    flag = event.do_not_disturb
    if flag is None and event.state_name.casefold() not in PHONE_STATES:
        return line, Verdict.UNKNOWN_STATE
    if event.at < line.phone_at:
        return line, Verdict.LATE
    changed = replace(
        line,
        known=True,
        do_not_disturb=line.do_not_disturb if flag is None else flag,
        offline=_is_offline(event.state_name),
        phone_at=event.at,
        phone_received_at=now,
    )
    return changed, Verdict.APPLIED


def apply_snapshot(line: Line, snapshot: LineSnapshot, asked_at: datetime, now: datetime) -> Line:
    """The line after CloudLink was asked at ``asked_at`` and returned ``snapshot``.

    What is newer than the snapshot stays, unless a snapshot still contradicts it ``EVENT_PRECEDENCE`` later.
    """
    seen = {call.call_id: call for call in snapshot.calls}
    calls = {
        name: _apply_absence(call, snapshot, asked_at) for name, call in line.calls.items() if name not in seen
    }
    for name, call in seen.items():
        applied = _apply_call(line.calls.get(name), call, now)
        if applied:
            calls[name] = applied
    line = _with_calls(line, calls)
    if _has_precedence(line.phone_at, line.phone_received_at, snapshot, asked_at):
        line = replace(
            line,
            do_not_disturb=snapshot.do_not_disturb,
            offline=_is_offline(snapshot.state_name),
            phone_at=max(line.phone_at, snapshot.at),
        )
    return line


def unknown_phone(extension: str, user_id: str) -> LineSnapshot:
    """The snapshot of a phone that CloudLink does not know: it is offline and has no calls."""
    return LineSnapshot(extension, user_id, OFFLINE, do_not_disturb=False, calls=(), at=0)


def _apply_call(known: LineCall | None, seen: CallSnapshot, now: datetime) -> LineCall | None:
    if seen.state is None or (known and (known.state is CallState.ENDED or known.at > seen.at)):
        return known
    return LineCall(seen.state, seen.conference, seen.at, now)


def _apply_absence(call: LineCall, snapshot: LineSnapshot, asked_at: datetime) -> LineCall:
    """A call that the snapshot does not contain has ended, unless it is newer than the snapshot."""
    if call.state is CallState.ENDED or not _has_precedence(call.at, call.received_at, snapshot, asked_at):
        return call
    return replace(call, state=CallState.ENDED, at=max(call.at, snapshot.at))


def _has_precedence(at: int, received_at: datetime | None, snapshot: LineSnapshot, asked_at: datetime) -> bool:
    """Whether the snapshot counts for more than what was reported ``at`` and arrived at ``received_at``."""
    return at <= snapshot.at or received_at is None or received_at + EVENT_PRECEDENCE <= asked_at


def _with_calls(line: Line, calls: Mapping[str, LineCall]) -> Line:
    return replace(line, known=True, calls=calls)


def _is_offline(state_name: str) -> bool:
    return state_name.casefold() == OFFLINE


def state_of(line: Line) -> LineState:
    """One state for the whole phone.

    Do-not-disturb takes precedence over calls, as it does in Teams (DoNotDisturb over Busy). A call on hold is a
    call. Dialling counts as ringing: the call is not connected yet.
    """
    if not line.known:
        return LineState.UNKNOWN
    if line.do_not_disturb:
        return LineState.DO_NOT_DISTURB
    talks = [call for call in line.calls.values() if call.state in TALKING]
    if any(call.conference or call.state is CallState.CONFERENCED for call in talks):
        return LineState.IN_CONFERENCE
    if talks:
        return LineState.ON_CALL
    if any(call.state in CALLING for call in line.calls.values()):
        return LineState.RINGING
    return LineState.OFFLINE if line.offline else LineState.IDLE
