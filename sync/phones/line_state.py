"""A person's phone: events and snapshots folded into a line, a line read as one state. Pure.

CloudLink's events may come late, doubled or never. Each call keeps the time of its newest event: older ones
are dropped, and an ended call never comes back. A snapshot (asked for, not told) fills what got lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, EndpointEvent, LineSnapshot
from sync.domain.presence import LineState

GRACE = timedelta(seconds=60)
"""How long an event counts for more than snapshots that say they are older but do not show it."""

OFFLINE = "offline"
TALKING = frozenset({CallState.CONNECTED, CallState.HELD, CallState.CONFERENCED})
PHONE_STATES = frozenset({"idle", "busy", OFFLINE})
CALLING = frozenset({CallState.ORIGINATED, CallState.RINGING})


@dataclass(frozen=True, slots=True)
class LineCall:
    """A call as last heard of: ``at`` by CloudLink's clock in milliseconds, ``heard_at`` by ours."""

    state: CallState
    conference: bool
    at: int
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """All that is known of a phone. ``phone_at`` and ``phone_heard_at`` belong to its flags, not its calls."""

    known: bool = False
    do_not_disturb: bool = False
    offline: bool = False
    phone_at: int = 0
    phone_heard_at: datetime | None = None
    calls: Mapping[str, LineCall] = field(default_factory=dict)


class Verdict(StrEnum):
    """What became of an event."""

    TAKEN = "taken"
    LATE = "late"
    UNKNOWN_STATE = "unknown_state"


def tell(line: Line, event: CallEvent | EndpointEvent, now: datetime) -> tuple[Line, Verdict]:
    """The line after ``event``, which reached us at ``now``."""
    if isinstance(event, EndpointEvent):
        return _tell_phone(line, event, now)
    if event.state is None:
        return line, Verdict.UNKNOWN_STATE
    known = line.calls.get(event.call_id)
    if known and (known.state is CallState.ENDED or event.at < known.at):
        return line, Verdict.LATE
    call = LineCall(event.state, event.conference, event.at, now)
    return _with_calls(line, {**line.calls, event.call_id: call}), Verdict.TAKEN


def _tell_phone(line: Line, event: EndpointEvent, now: datetime) -> tuple[Line, Verdict]:
    told = event.do_not_disturb
    if told is None and event.state_name.casefold() not in PHONE_STATES:
        return line, Verdict.UNKNOWN_STATE
    if event.at < line.phone_at:
        return line, Verdict.LATE
    changed = replace(
        line,
        known=True,
        do_not_disturb=line.do_not_disturb if told is None else told,
        offline=_is_offline(event.state_name),
        phone_at=event.at,
        phone_heard_at=now,
    )
    return changed, Verdict.TAKEN


def look(line: Line, snapshot: LineSnapshot, asked_at: datetime, now: datetime) -> Line:
    """The line after CloudLink was asked at ``asked_at`` and answered ``snapshot``.

    What is newer than the snapshot stays, unless the snapshot still does not show it ``GRACE`` later.
    """
    seen = {call.call_id: call for call in snapshot.calls}
    calls = {
        name: _look_at_missing(call, snapshot, asked_at) for name, call in line.calls.items() if name not in seen
    }
    for name, call in seen.items():
        looked = _look_at_call(line.calls.get(name), call, now)
        if looked:
            calls[name] = looked
    line = _with_calls(line, calls)
    if _outweighs(line.phone_at, line.phone_heard_at, snapshot, asked_at):
        line = replace(
            line,
            do_not_disturb=snapshot.do_not_disturb,
            offline=_is_offline(snapshot.state_name),
            phone_at=max(line.phone_at, snapshot.at),
        )
    return line


def silent(extension: str, user_id: str) -> LineSnapshot:
    """The snapshot of a phone that CloudLink does not know: nothing goes on there."""
    return LineSnapshot(extension, user_id, OFFLINE, do_not_disturb=False, calls=(), at=0)


def _look_at_call(known: LineCall | None, seen: CallSnapshot, now: datetime) -> LineCall | None:
    if seen.state is None or (known and (known.state is CallState.ENDED or known.at > seen.at)):
        return known
    return LineCall(seen.state, seen.conference, seen.at, now)


def _look_at_missing(call: LineCall, snapshot: LineSnapshot, asked_at: datetime) -> LineCall:
    if call.state is CallState.ENDED or not _outweighs(call.at, call.heard_at, snapshot, asked_at):
        return call
    return replace(call, state=CallState.ENDED, at=max(call.at, snapshot.at))


def _outweighs(at: int, heard_at: datetime | None, snapshot: LineSnapshot, asked_at: datetime) -> bool:
    return at <= snapshot.at or heard_at is None or heard_at + GRACE <= asked_at


def _with_calls(line: Line, calls: Mapping[str, LineCall]) -> Line:
    return replace(line, known=True, calls=calls)


def _is_offline(state_name: str) -> bool:
    return state_name.casefold() == OFFLINE


def state_of(line: Line) -> LineState:
    """One state for the whole phone.

    Do-not-disturb wins over calls: it is the stronger wish, and it wins in Teams too (DoNotDisturb over Busy).
    A call on hold is a call. Dialling counts as ringing: nobody is being spoken to yet.
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
