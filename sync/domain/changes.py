"""What is asked of Graph's presence calls, and what became of each.

A request's ``cause`` goes with it as ``client-request-id``; by ``request_id`` Microsoft's support finds a refusal.
Neither makes two of them differ.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sync.domain.errors import SyncError
from sync.domain.presence import Presence


@dataclass(frozen=True, slots=True)
class SetPresence:
    """Show ``presence`` from our session for ``seconds`` (300 to 14,400: Graph reference, setPresence)."""

    user_id: str
    presence: Presence
    seconds: int
    cause: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClearPresence:
    """End our session; that there was none is success."""

    user_id: str
    cause: str = field(default="", compare=False)


Change = SetPresence | ClearPresence


@dataclass(frozen=True, slots=True)
class SetMessage:
    """Show ``text`` beside the presence until ``until`` (UTC)."""

    user_id: str
    text: str
    until: datetime
    cause: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClearMessage:
    """Take away the status message, by an empty one: Graph's reference (setStatusMessage) has no other way."""

    user_id: str
    cause: str = field(default="", compare=False)


MessageChange = SetMessage | ClearMessage
Request = Change | MessageChange


@dataclass(frozen=True, slots=True)
class Done:
    """Graph accepted it (or had nothing to clear)."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """This one was refused for the quota: wait ``retry_after`` seconds, then send it alone again."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class Failed:
    """This one failed: ``error`` is ``ServiceUnwell`` (try again) or ``CredentialsWrong``."""

    error: SyncError
    request_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Graph will never take this one as it is (a user that is gone, say): ``status`` and Graph's error code."""

    status: int
    code: str
    request_id: str = field(default="", compare=False)


Outcome = Done | Throttled | Failed | Refused
