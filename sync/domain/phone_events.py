"""What CloudLink reports of a line, in our own terms: events as they arrive and snapshots as they are read.

Times named ``at`` are CloudLink's own clock in milliseconds since the epoch.
"""

from dataclasses import dataclass
from enum import StrEnum

OFFLINE = "offline"
"""The ``state_name`` of a phone that is not registered, whatever word CloudLink uses for it."""


class CallState(StrEnum):
    ORIGINATED = "originated"
    RINGING = "ringing"
    CONNECTED = "connected"
    HELD = "held"
    CONFERENCED = "conferenced"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A call changed. ``state`` is None for an unknown ``state_name``; ``cause`` is the correlation id."""

    event_id: str
    extension: str
    user_id: str
    call_id: str
    state: CallState | None
    state_name: str
    conference: bool
    at: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class EndpointEvent:
    """A phone changed: its do-not-disturb flag, None when the event does not contain it."""

    event_id: str
    extension: str
    user_id: str
    do_not_disturb: bool | None
    state_name: str
    at: int
    cause: str = ""


Event = CallEvent | EndpointEvent


@dataclass(frozen=True, slots=True)
class Notification:
    """A webhook's body, validated: its account, the subscription that sent it, and the event."""

    account_id: str
    subscription_id: str
    correlation_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class CallSnapshot:
    call_id: str
    state: CallState | None
    state_name: str
    conference: bool
    at: int


@dataclass(frozen=True, slots=True)
class LineSnapshot:
    """A phone as read from CloudLink: the endpoint and its calls."""

    extension: str
    user_id: str
    state_name: str
    do_not_disturb: bool
    calls: tuple[CallSnapshot, ...]
    at: int


@dataclass(frozen=True, slots=True)
class CloudLinkUser:
    """A person of the account. The SIP password that CloudLink sends with it is dropped while parsing."""

    user_id: str
    name: str
    address: str
    extension: str | None
