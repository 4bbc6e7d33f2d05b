"""What CloudLink reports of a line, in our own terms: events as they arrive and snapshots as they are read.

Times named ``at`` are CloudLink's own clock in milliseconds since the epoch, 0 where it gave none. An ``extension``
is the id of an endpoint, a device; ``user_id`` names the person who uses it and ``site_id`` the site, for two sites
of an account may have the same extension. Both are empty where CloudLink does not say.
"""

from dataclasses import dataclass
from enum import StrEnum

OFFLINE = "offline"
"""The ``state_name`` of a phone that is not registered, whatever word CloudLink uses for it."""

BUSY = "busy"
"""The ``state_name`` of a phone that CloudLink says to be in the state of one of its calls."""


class CallState(StrEnum):
    """``UNCHANGED`` is for words that are known and change nothing, such as ``queued``."""

    ORIGINATED = "originated"
    RINGING = "ringing"
    CONNECTED = "connected"
    HELD = "held"
    CONFERENCED = "conferenced"
    ENDED = "ended"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """A call changed. ``state`` is None for an unknown ``state_name``; ``cause`` is the correlation id.

    ``doubtful``: an end that CloudLink names in an unusual way. It is believed, and the phone is read to be sure.
    """

    event_id: str
    extension: str
    user_id: str
    call_id: str
    state: CallState | None
    state_name: str
    conference: bool
    at: int
    site_id: str = ""
    doubtful: bool = False
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
    site_id: str = ""
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
    """A phone as read from CloudLink: the endpoint and its calls. It says nothing about any other endpoint.

    ``do_not_disturb`` is None when CloudLink does not say; ``exists`` is false when CloudLink does not know it.
    """

    extension: str
    user_id: str
    state_name: str
    do_not_disturb: bool | None
    calls: tuple[CallSnapshot, ...]
    at: int
    site_id: str = ""
    exists: bool = True


@dataclass(frozen=True, slots=True)
class CloudLinkUser:
    """A person of the account. The SIP password that CloudLink sends with it is dropped while parsing."""

    user_id: str
    name: str
    address: str
    extension: str | None
    site_id: str = ""
