"""The requests of Graph's presence API, and the outcome of each.

A request's ``cause`` is sent as ``client-request-id``; by ``request_id`` Microsoft's support finds a refusal.
Neither takes part in comparing two of them.
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
    """End our session; to have none is success."""

    user_id: str
    cause: str = field(default="", compare=False)


Change = SetPresence | ClearPresence


@dataclass(frozen=True, slots=True)
class SetMessage:
    """Show ``text`` beside the presence until ``until`` (UTC), in place of ``replaces``, which was read before."""

    user_id: str
    text: str
    until: datetime
    cause: str = field(default="", compare=False)
    replaces: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClearMessage:
    """Remove the status message, by an empty one: Graph (reference, setStatusMessage) offers no other way.

    It ``replaces`` what was read before.
    """

    user_id: str
    cause: str = field(default="", compare=False)
    replaces: str = field(default="", compare=False)


MessageChange = SetMessage | ClearMessage
Request = Change | MessageChange


@dataclass(frozen=True, slots=True)
class Done:
    """Graph accepted it (or had nothing to clear)."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """It was refused for the quota: wait ``retry_after`` seconds, then send only this one again."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It failed: ``error`` is ``ServiceUnavailable`` (retry) or ``CredentialsWrong``."""

    error: SyncError
    request_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Graph will never accept it unchanged (the user is gone, say): ``status`` and Graph's error code."""

    status: int
    code: str
    request_id: str = field(default="", compare=False)


Outcome = Done | Throttled | Failed | Refused
