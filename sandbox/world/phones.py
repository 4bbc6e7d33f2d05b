"""Phones of every kind: what a person does with one, and the events CloudLink publishes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


class PhoneError(Exception):
    """A phone cannot do this now (no such call, nothing to hang up, not registered)."""


@dataclass
class PhoneCall:
    call_id: str
    state: str
    direction: str
    from_: str
    to: str
    since: datetime
    conference: bool = False
    changed_ms: int = 0
    pbx_event: str = ""
    """What happened to it last, in CSTA's words (ECMA-269), as ``extraPbxData`` names it."""


@dataclass
class Phone:
    registered: bool = True
    do_not_disturb: bool = False
    calls: list[PhoneCall] = field(default_factory=list)
    changed_ms: int = 0

    @property
    def state(self) -> str:
        """``offline``, ``idle``, or the state of the most active call."""
        if not self.registered:
            return "offline"
        states = {call.state for call in self.calls}
        return next((state for state in _LIVELY if state in states), "busy" if states else "idle")

    def call(self, call_id: str | None, *states: str) -> PhoneCall:
        """The call by id, or the newest one in one of ``states``. Raises ``PhoneError``."""
        for call in reversed(self.calls):
            if call.call_id == call_id or (call_id is None and (not states or call.state in states)):
                return call
        raise PhoneError("There is no such call." if call_id else "There is no call to do this with.")


_LIVELY = ("conferenced", "connected", "held", "ringing", "originated")
_MOST_CALLS = 8
_PBX_EVENTS = {
    "originated": "originatedEvent",
    "ringing": "deliveredEvent",
    "connected": "establishedEvent",
    "held": "heldEvent",
    "conferenced": "conferencedEvent",
    "ended": "connectionClearedEvent",
}

Announce = Callable[[PhoneCall | None], None]
"""Receives the call that changed; None when the phone itself did."""


class UsedPhone:
    """A phone in use, at its number. Each method changes the phone and announces the change, in order."""

    def __init__(
        self, number: str, phone: Phone, announce: Announce, tick: Callable[[], tuple[datetime, int]]
    ) -> None:
        self.number, self.phone, self._announce, self._tick = number, phone, announce, tick

    def ring(self, call_id: str, caller: str) -> PhoneCall:
        return self._begin(PhoneCall(call_id, "ringing", "incoming", caller, self.number, self._tick()[0]))

    def dial(self, call_id: str, callee: str) -> PhoneCall:
        """Call out; the other side answers immediately. A call in progress is held."""
        call = self._begin(PhoneCall(call_id, "originated", "outgoing", self.number, callee, self._tick()[0]))
        self.answer(call.call_id)
        return call

    def answer(self, call_id: str | None = None) -> PhoneCall:
        call = self.phone.call(call_id, "ringing", "originated")
        if call.state not in ("ringing", "originated"):
            raise PhoneError("This call is answered already.")
        for other in self.phone.calls:
            if other is not call and other.state in ("connected", "conferenced"):
                self._change_state(other, "held")
        return self._change_state(call, "connected")

    def hold(self, call_id: str | None = None) -> PhoneCall:
        """Hold a call, or resume it when it is held."""
        call = self.phone.call(call_id, "connected", "conferenced", "held")
        if call.state == "held":
            return self._change_state(call, "conferenced" if call.conference else "connected")
        if call.state not in ("connected", "conferenced"):
            raise PhoneError("Only an answered call can be held.")
        return self._change_state(call, "held")

    def conference(self, call_id: str | None = None) -> PhoneCall:
        call = self.phone.call(call_id, "connected", "held")
        if call.state not in ("connected", "held"):
            raise PhoneError("Only an answered call can become a conference.")
        call.conference = True
        return self._change_state(call, "conferenced")

    def hang_up(self, call_id: str | None = None) -> PhoneCall:
        call = self.phone.call(call_id)
        self.phone.calls.remove(call)
        return self._change_state(call, "ended")

    def hang_up_all(self) -> None:
        while self.phone.calls:
            self.hang_up()

    def set_do_not_disturb(self, on: bool) -> None:
        if self.phone.do_not_disturb != on:
            self.phone.do_not_disturb = on
            self._announce_phone()

    def set_registered(self, on: bool) -> None:
        if self.phone.registered != on:
            self.hang_up_all()
            self.phone.registered = on
            self._announce_phone()

    def publish_state(self, state: str, call_id: str, pbx_event: str = "") -> str:
        """Announce any state, known or not, of the newest call or else of an invented one; returns its id.

        ``pbx_event`` is what CSTA calls it; by default what belongs to the state, if that is known.
        """
        passing = PhoneCall(call_id, state, "incoming", "", self.number, self._tick()[0])
        call = self.phone.calls[-1] if self.phone.calls else passing
        return self._change_state(call, state, pbx_event).call_id

    def _begin(self, call: PhoneCall) -> PhoneCall:
        if not self.phone.registered:
            raise PhoneError("This phone is not registered.")
        if len(self.phone.calls) >= _MOST_CALLS:
            raise PhoneError("This phone takes no more calls.")
        self.phone.calls.append(call)
        return self._change_state(call, call.state)

    def _change_state(self, call: PhoneCall, state: str, pbx_event: str = "") -> PhoneCall:
        call.state, call.pbx_event = state, pbx_event or _PBX_EVENTS.get(state, "")
        call.since, call.changed_ms = self._tick()
        self.phone.changed_ms = call.changed_ms
        self._announce(call)
        return call

    def _announce_phone(self) -> None:
        self.phone.changed_ms = self._tick()[1]
        self._announce(None)
