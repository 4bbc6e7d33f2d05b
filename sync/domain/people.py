"""People as an administrator sees them, and why Teams shows what it shows for one of them. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.errors import CloudLinkPresenceError
from sync.domain.model import FurtherMapping, Service, Unmatched
from sync.domain.presence import LineState, Shown


class UnknownPerson(CloudLinkPresenceError, LookupError):
    """The integration has no such person (any more)."""


class NoImport(CloudLinkPresenceError, LookupError):
    """The administrator has no such import: it was replaced by a newer one, cancelled, or kept for its time."""


class ChangedMeanwhile(CloudLinkPresenceError):
    """Another administrator, named ``by``, changed this person since it was shown: nothing was stored."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class OptOutForbidden(CloudLinkPresenceError):
    """An administrator does not let the people of this integration decide for themselves."""


class MatchRefused(CloudLinkPresenceError):
    """The account cannot be this person's; ``reason`` is a key, ``other`` the name of who has it."""

    def __init__(self, reason: "MatchRefusal", other: str = "") -> None:
        super().__init__(reason)
        self.reason, self.other = reason, other


class MatchRefusal(StrEnum):
    NOT_FOUND = "not_found"
    GUEST = "guest"
    DISABLED = "disabled"
    TAKEN = "taken"


class PeopleFilter(StrEnum):
    """Which people are listed. ``NOT_SHOWN``: their phone says something that Teams does not show."""

    EVERYONE = "everyone"
    ON_THE_PHONE = "on_the_phone"
    LEFT_OUT = "left_out"
    NOT_SHOWN = "not_shown"
    EXCLUDED = "excluded"
    OUTSIDE = "outside"
    OPTED_OUT = "opted_out"
    MY_CHANGES = "my_changes"


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person in a list. ``shown`` is what Teams shows from us as last applied, as is ``desired``: values of
    ``Presence``, None for nothing, ``UNSURE`` while it is not known. ``left_out`` is why they cannot be shown.
    They are not to be shown if an administrator ``excluded`` them, the scope leaves them ``outside``, or they
    ``opted_out`` themselves.

    ``mapping`` is the id of the further mapping that applies, empty for the integration's own; ``chosen_mapping``
    the one that an administrator chose by name. ``choices`` counts what administrators changed about this person;
    ``changed_by`` is the name of the last. ``integration`` is its name if the tenant has more than one, else empty.
    ``read`` is what Teams was read to show of what is wished and applied; None if not known.
    """

    id: str
    integration_id: str
    name: str
    address: str
    extension: str | None
    line: LineState
    desired: str | None
    shown: str | None
    left_out: Unmatched | None
    is_matched: bool
    excluded: bool = False
    outside: bool = False
    opted_out: bool = False
    by_hand: bool = False
    mapping: str = ""
    chosen_mapping: str = ""
    choices: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None
    integration: str = ""
    read: Shown | None = None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """A page of people, and whether there are others before and after it."""

    people: tuple[PersonLine, ...]
    has_before: bool = False
    has_after: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Whom words mean: ``people``, or if nobody, the ``nearest`` few. ``is_short``: too few letters to search."""

    people: tuple[PersonLine, ...] = ()
    nearest: tuple[PersonLine, ...] = ()
    is_short: bool = False
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A phone at which a person was seen; the ``own`` one is in the directory. ``calls`` are states of calls.

    It was last heard of ``by_poll``, or by an event.
    """

    extension: str
    own: bool
    calls: tuple[str, ...] = ()
    do_not_disturb: bool = False
    offline: bool = False
    heard_at: datetime | None = None
    by_poll: bool = False


@dataclass(frozen=True, slots=True)
class SentChange:
    """What was sent to Graph for a person and its answer.

    ``presence`` is a value of ``Presence``, empty for clearing; ``result`` is ``done``, ``refused``, ``throttled``
    or ``failed``, ``detail`` the status and code of a refusal or the key of a fault. Support finds the request by
    ``cause`` (our ``client-request-id``) and Graph's ``request_id``.
    """

    at: datetime
    presence: str
    result: str
    detail: str = ""
    cause: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class PersonCard:
    """Everything known of a person; ``sent`` newest first. ``read`` is what Teams shows now, None if not known.

    ``because`` is the correlation id of what made the presence desired. ``further`` are the mappings for some
    people that the integration has. ``closed_until`` is when the hours begin, None within them. ``is_enabled``:
    the integration is enabled. ``is_cleared``: an administrator had what was known of the phone forgotten, and
    nothing was reported since.
    """

    line: PersonLine
    devices: tuple[Device, ...]
    sent: tuple[SentChange, ...]
    heard_at: datetime | None = None
    applied_at: datetime | None = None
    applied_until: datetime | None = None
    read: Shown | None = None
    cloudlink_user_id: str = ""
    teams_user_id: str | None = None
    because: str = ""
    further: tuple[FurtherMapping, ...] = ()
    closed_until: datetime | None = None
    is_enabled: bool = True
    is_cleared: bool = False


@dataclass(frozen=True, slots=True)
class ExportedPerson:
    """A person as a line of a file. ``principal_name`` is their Teams user's, as last read from Entra ID.

    ``read_at`` is since when Teams shows ``line.read``. The next slice begins after ``key``.
    """

    line: PersonLine
    key: tuple[str, str]
    teams_user_id: str = ""
    principal_name: str = ""
    read_at: datetime | None = None


class Step(StrEnum):
    """The rungs of an explanation, from the phone to Teams."""

    PHONE = "phone"
    RULE = "rule"
    SENT = "sent"
    TEAMS = "teams"


class Light(StrEnum):
    GOOD = "good"
    WAITING = "waiting"
    WRONG = "wrong"
    OFF = "off"


class Reason(StrEnum):
    """Why Teams shows what it shows; of several true ones the first that has to be dealt with."""

    SHOWN = "shown"
    NOTHING = "nothing"
    NOT_OURS = "not_ours"
    PAUSED = "paused"
    NOT_READ = "not_read"
    LEFT_OUT = "left_out"
    EXCLUDED = "excluded"
    OUTSIDE = "outside"
    OPTED_OUT = "opted_out"
    CLOSED = "closed"
    CREDENTIALS = "credentials"
    REFUSED = "refused"
    NOT_HEARD = "not_heard"
    STALE = "stale"
    PHONES_DOWN = "phones_down"
    SERVICE_DOWN = "service_down"
    BUSY = "busy"
    QUOTA = "quota"
    PENDING = "pending"
    SHARED = "shared"
    CHOSEN = "chosen"
    OVERRULED = "overruled"
    STRONGER = "stronger"
    LOST = "lost"
    UNREAD = "unread"
    CLEARED = "cleared"
    SHARED_EXTENSION = "shared_extension"
    SETTLING = "settling"
    MAPPED = "mapped"
    OLD_NEWS = "old_news"


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of an explanation: ``key`` names its sentence, ``facts`` fill it; ``at`` is when that was."""

    step: Step
    light: Light
    key: str
    at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why Teams shows what it shows for a person. ``faulty`` is the service that the reason is about, if any."""

    person: PersonLine
    rungs: tuple[Rung, ...]
    reason: Reason
    facts: Mapping[str, str] = field(default_factory=dict)
    faulty: Service | None = None
    sent: tuple[SentChange, ...] = ()
    at: datetime | None = None
