"""The phone system as it really is: devices, who uses each, and their calls. It reports each change once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.world import Kind, World

TALKING = frozenset({"connected", "held", "conferenced"})
CALLING = frozenset({"originated", "ringing"})
TEN_YEARS = 10 * 365 * 24 * 3600 * 1000

WORDS = {
    "originated": ("originated", "dialing", "Initiated"),
    "ringing": ("ringing", "alerting", "Delivered"),
    "connected": ("connected", "active", "talking"),
    "held": ("held", "onHold", "hold"),
    "conferenced": ("conferenced", "conference"),
    "ended": ("ended", "cleared", "null", "released_by_peer", "hungUp"),
}
"""Names that CloudLink may have for a state; of an end also names that no table holds."""

CSTA = {
    "originated": "originatedEvent",
    "ringing": "deliveredEvent",
    "connected": "establishedEvent",
    "held": "heldEvent",
    "conferenced": "conferencedEvent",
    "ended": "connectionClearedEvent",
}

Report = Callable[[dict[str, Any]], object]
"""Takes an event without its subscription."""


@dataclass
class Call:
    id: str
    state: str
    conference: bool = False
    at: int = 0


@dataclass
class Device:
    """``user_id`` says who uses it now: at a hot desk not always the same person. ``owner`` has it otherwise."""

    extension: str
    user_id: str
    owner: str
    do_not_disturb: bool = False
    calls: dict[str, Call] = field(default_factory=dict)
    at: int = 0

    def is_quiet(self) -> bool:
        return not self.calls and not self.do_not_disturb


@dataclass
class Colleague:
    """A person of the company: ``extension`` is the one in CloudLink's directory."""

    user_id: str
    name: str
    address: str
    extension: str | None
    site: str = ""


@dataclass
class PhoneSystem:
    """One CloudLink account. ``clock_error`` is how far its clock is ahead, in seconds.

    ``addresses`` are all that anyone has had today, with the user id: the product learns later that one changed.
    ``reported`` says when each person's phones last did something.
    """

    world: World
    account_id: str
    colleagues: dict[str, Colleague] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)
    clock_error: float = 0.0
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, colleague: Colleague) -> None:
        self.colleagues[colleague.user_id] = colleague
        self.addresses[colleague.address] = colleague.user_id
        if colleague.extension:
            self.add_device(colleague.extension, colleague.user_id)

    def add_device(self, extension: str, user_id: str) -> None:
        self.devices[extension] = Device(extension, user_id, user_id)

    def clock(self) -> int:
        """Its own clock, in milliseconds since the epoch."""
        return int((self.world.time.now().timestamp() + self.clock_error) * 1000)

    def devices_of(self, user_id: str) -> list[Device]:
        return [device for device in self.devices.values() if device.user_id == user_id]

    def start(self, device: Device, state: str, call_id: str = "") -> Call:
        """A call appears at a device; ``call_id`` names one that was parked or transferred."""
        call = Call(call_id or f"{33000000 + next(self._numbers)}", state)
        device.calls[call.id] = call
        self._report_call(device, call)
        return call

    def change(self, device: Device, call: Call, state: str, *, conference: bool = False) -> None:
        call.state, call.conference = state, conference
        self._report_call(device, call)

    def end(self, device: Device, call: Call, word: str = "ended") -> None:
        device.calls.pop(call.id, None)
        call.state, call.conference = "ended", False
        self._report_call(device, call, word)

    def set_do_not_disturb(self, device: Device, flag: bool) -> None:
        device.do_not_disturb, device.at = flag, max(self.clock(), device.at + 1)
        content = {
            "eventType": "EndpointStateNotification",
            "state": "busy" if device.calls else "idle",
            "doNotDisturb": flag,
        }
        self._report(device, f"/2017-09-01/endpoints/{device.extension}", device.at, content)

    def _report_call(self, device: Device, call: Call, word: str = "") -> None:
        call.at = max(self.clock(), call.at + 1)
        path = f"endpoints/{device.extension}/calls/{call.id}"
        extra: dict[str, Any] = {"conference": call.conference}
        state, dice = word or call.state, self.world.dice("words")
        if self.world.has(Kind.OTHER_WORDS):
            extra["eventType"] = CSTA[call.state]
            state = dice.choice((*WORDS[call.state], "unheard-of"))
        content = {"eventType": "CallStateNotification", "state": state, "callId": path, "extraPbxData": extra}
        self._report(device, f"/2017-09-01/{path}", call.at, content)

    def _report(self, device: Device, subject: str, at: int, content: dict[str, Any]) -> None:
        if self.devices.get(device.extension) is not device:
            return
        self.reported[device.user_id] = self.world.time.seconds
        number = next(self._numbers)
        wrong = TEN_YEARS if self.world.strikes(Kind.WRONG_DATES, 0.15) else 0
        common = {
            "endpointId": device.extension,
            "userId": device.user_id,
            "accountId": self.account_id,
            "timestamp": at + wrong,
            "eventId": f"event-{number}",
        }
        self.world.note("phone", common, content)
        event = {
            "publicationId": f"publication-{number}",
            "topic": "platform-api-media",
            "method": "PUT",
            "subject": subject,
            "content": {**common, **content},
            "publisher": {"accountId": self.account_id},
            "notification": {"correlationId": f"correlation-{number}"},
        }
        for report in self.reports:
            report(event)

    def read(self, extension: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """A device and its calls, as CloudLink answers; None for an unknown one."""
        device = self.devices.get(extension)
        if device is None:
            return None
        has_times = not self.world.has(Kind.POLLS_WITHOUT_TIMES)
        has_users = not self.world.has(Kind.POLLS_WITHOUT_USERS)
        endpoint: dict[str, Any] = {
            "endpointId": extension,
            "state": "busy" if device.calls else "idle",
            "doNotDisturb": device.do_not_disturb,
            **({"userId": device.user_id} if has_users else {}),
            **({"timestamp": self.clock()} if has_times else {}),
        }
        calls: list[dict[str, Any]] = [
            {
                "callId": call.id,
                "state": call.state,
                "conference": call.conference,
                **({"timestamp": call.at} if has_times else {}),
            }
            for call in device.calls.values()
        ]
        return endpoint, calls
