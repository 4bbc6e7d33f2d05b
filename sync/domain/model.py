"""What the bot passes to sync, and what sync returns: plain values, no secrets in any ``repr``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from core.errors import CloudLinkPresenceError
from sync.domain.errors import SyncError
from sync.domain.presence import Effect, LineState, Presence
from sync.domain.reports import Hour
from sync.domain.schedule import Schedule


@dataclass(frozen=True, slots=True)
class CloudLinkAccount:
    """A CloudLink customer account and the client that may read it. ``region`` is empty for the default one.

    ``owner_tenant`` is the tenant whose share of requests its calls use, and whose session.
    """

    region: str
    account_id: str
    client_id: str
    client_secret: str = field(repr=False)
    owner_tenant: str = ""


class EditedMeanwhile(CloudLinkPresenceError):
    """The integration was changed since it was shown: nothing was stored."""


class NameTaken(CloudLinkPresenceError):
    """The tenant has another integration with this name."""


class AlreadySetUp(CloudLinkPresenceError):
    """The tenant has an integration, ``id``, with the same account, Entra tenant and application."""

    def __init__(self, integration_id: str, name: str) -> None:
        super().__init__(integration_id)
        self.id = integration_id
        self.name = name


class TooManyIntegrations(CloudLinkPresenceError):
    """The tenant has as many integrations as one tenant may have: ``limit``."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit}")
        self.limit = limit


class CredentialKind(StrEnum):
    """How an integration authenticates to Entra ID."""

    SECRET = "secret"  # noqa: S105
    CERTIFICATE = "certificate"
    FEDERATED = "federated"


class ExpirySource(StrEnum):
    """Where the expiry date comes from; the card shows it."""

    UNKNOWN = ""
    ADMIN = "admin"
    GRAPH = "graph"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class TeamsApp:
    """An application registered in Entra ID, with its client secret (the Value, not the ID).

    With another ``kind`` there is no secret: ``certificate`` is the private key and certificate as PEM, empty
    for the one that the host keeps in a file; a federated token always comes from the host. What comes from the
    host is used only if ``host_allowed``, which ``sync.credentials.store`` decides. ``owner_tenant`` is whose
    integration it is: tokens are shared within one tenant only.
    """

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    kind: CredentialKind = CredentialKind.SECRET
    certificate: str = field(default="", repr=False)
    host_allowed: bool = False
    owner_tenant: str = ""

    @property
    def uses_host(self) -> bool:
        """Whether the credentials are the host's, which prove the host and not the tenant's administrator."""
        has_own = self.kind is CredentialKind.SECRET or bool(self.certificate)
        return not has_own or self.kind is CredentialKind.FEDERATED


@dataclass(frozen=True, slots=True)
class CloudLinkCheck:
    """What CloudLink returned: the account's name, the number of its people, and the region it was found in."""

    account_name: str
    people: int
    region: str = ""


@dataclass(frozen=True, slots=True)
class TeamsCheck:
    """What Entra ID and Graph returned: the organisation's name, and the secret's expiry.

    ``secret_id`` and ``expires_on`` are known only where the application may read its own registration.
    """

    organisation: str
    secret_id: str = ""
    expires_on: date | None = None


class Unmatched(StrEnum):
    """Why the calls of a CloudLink person are not shown in Teams: not matched, not wanted, or refused by Teams."""

    NO_ADDRESS = "no_address"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    DISABLED = "disabled"
    GUEST = "guest"
    NO_EXTENSION = "no_extension"
    SHARED_EXTENSION = "shared_extension"
    REFUSED = "refused"
    EXCLUDED = "excluded"
    OUTSIDE = "outside"
    OPTED_OUT = "opted_out"
    TAKEN = "taken"
    CHOSEN_GONE = "chosen_gone"


@dataclass(frozen=True, slots=True)
class UnmatchedPerson:
    name: str
    address: str
    reason: Unmatched


@dataclass(frozen=True, slots=True)
class WouldSend:
    """A presence that would be sent now, for a person who is on the phone now."""

    name: str
    line: LineState
    presence: Presence


@dataclass(frozen=True, slots=True)
class Preview:
    """What enabling would do: who is left out and why, what would be sent now, and the names of who is shown.

    ``matched`` is how many are shown; people are in the order of their names, those left out first by reason.
    """

    matched: int
    unmatched: tuple[UnmatchedPerson, ...]
    would_send: tuple[WouldSend, ...]
    shown: tuple[str, ...] = ()

    @property
    def people(self) -> int:
        return self.matched + len(self.unmatched)


class Service(StrEnum):
    CLOUDLINK = "cloudlink"
    ENTRA = "entra"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """A service's health: healthy when ``error`` is None. ``since`` is when the error began, UTC."""

    service: Service
    error: SyncError | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Concerned:
    """A person for whom another mapping changes what Teams should show now; None for nothing from us."""

    name: str
    line: LineState
    before: Presence | None
    after: Presence | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """For how many ``seconds`` other choices would have shown something else; None for nothing from us.

    Of a person by ``name``, or of so many ``people``.
    """

    before: Presence | None
    after: Presence | None
    seconds: int
    people: int = 1
    name: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """A ``day`` (UTC) as other choices would have shown it, so far if it is today. ``first`` are the longest."""

    day: date
    totals: tuple[Replayed, ...] = ()
    first: tuple[Replayed, ...] = ()
    is_today: bool = False


class RuleKind(StrEnum):
    EXTENSIONS = "extensions"
    ADDRESS = "address"
    SITE = "site"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Rule:
    """Selects people.

    ``value`` is a range of extensions such as ``200-299`` or a single one, a pattern of addresses such as
    ``*@sales.example``, the id of a site, or the object id of a group, whose ``name`` people know.
    """

    kind: RuleKind
    value: str
    name: str = ""

    @property
    def key(self) -> str:
        """How the rule is named where it decided about a person."""
        return f"{self.kind}:{self.value}"

    @property
    def said(self) -> str:
        return self.name or self.value


Rules = tuple[Rule, ...]


def rules_of(stored: Iterable[Mapping[str, Any]]) -> Rules:
    """Rules as ``stored_rules`` wrote them."""
    return tuple(Rule(RuleKind(each["kind"]), each["value"], each["name"]) for each in stored)


def stored_rules(rules: Rules) -> list[dict[str, str]]:
    return [{"kind": rule.kind.value, "value": rule.value, "name": rule.name} for rule in rules]


def of_kind(rules: Rules, kind: RuleKind) -> Rules:
    return tuple(rule for rule in rules if rule.kind is kind)


@dataclass(frozen=True, slots=True)
class FurtherMapping:
    """What Teams shows for some people; ``overrides`` is as in ``IntegrationView.mapping``.

    They are those for whom it is chosen by name, and those whom a rule selects.
    """

    id: str
    name: str
    overrides: Mapping[str, str | None] = field(default_factory=dict)
    rules: Rules = ()


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """An integration as an administrator may see it: with its ids, without its secrets.

    Outside the hours of its ``schedule`` it is ``closed``; ``turns_at`` is when that changes, None for never.
    """

    id: str
    name: str
    enabled: bool
    cloudlink_region: str
    cloudlink_account_id: str
    cloudlink_client_id: str
    tenant_id: str
    client_id: str
    secret_expires_on: date | None
    created_at: datetime
    revision: int = 1
    credential: CredentialKind = CredentialKind.SECRET
    expiry_source: ExpirySource = ExpirySource.UNKNOWN
    auto_rotate: bool = False
    feature_version: int = 1
    status_text: str = ""
    status_texts: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str | None] = field(default_factory=dict)
    further: tuple[FurtherMapping, ...] = ()
    schedule: Schedule | None = None
    closed: bool = False
    turns_at: datetime | None = None


class Freshness(StrEnum):
    """Whether CloudLink's events arrive (``LIVE``), or why everybody is polled instead."""

    LIVE = "live"
    NO_URL = "no_url"
    NOT_SUBSCRIBED = "not_subscribed"
    NO_EVENT = "no_event"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Proof:
    """What Teams shows of the people for whom it accepted a presence that still applies, as last read back.

    ``read_at`` is when they were read, None when never. ``shown`` of ``checked`` are as wished; ``others`` are the
    rest: why, what Teams shows (an activity of Graph's), and how many. ``refused``: Graph does not allow reading.
    ``failed``: the latest reading after ``read_at`` failed.
    """

    read_at: datetime | None = None
    checked: int = 0
    shown: int = 0
    others: tuple[tuple[Effect, str, int], ...] = ()
    refused: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """From a change's arrival here to its acceptance by Graph, in the last hour.

    Half of ``changes`` took at most ``p50`` seconds, 95 % of them at most ``p95``.
    """

    p50: float
    p95: float
    changes: int


@dataclass(frozen=True, slots=True)
class Status:
    """An integration's state, as the command ``status`` shows it.

    ``worst_age`` is how old a state can be, in seconds: about a second when events arrive, the polling interval
    otherwise. ``not_shown`` counts the people left out, by reason; with ``matched``, who are
    shown, they make up ``people``. ``update`` is the feature version that could be installed, None for none.
    ``proof`` is what Teams was read to show; ``delay`` None without a change in the last hour. ``shown_since`` is
    since when Teams shows calls, without a problem that kept it from doing so; None if that is not known.
    ``lists_shrunk`` are the facts of each list that came back much shorter, which is not believed yet.
    ``lists_unread`` are those of each list of users that cannot be read, though its service answers.
    ``groups_unread`` are the facts of groups in rules that cannot be read any more.
    ``shown_now`` are shown as something from us, ``missing`` should be; ``day`` are the last 24 hours in parts.
    ``answered`` is when a service last answered, of those where that is stored. ``store_fault`` is what keeps
    everything from being stored, ``disk`` or ``database``; empty for nothing.
    """

    integration: IntegrationView
    service_health: tuple[ServiceHealth, ...]
    people: int
    matched: int
    in_a_call: int
    waiting: int
    last_change_at: datetime | None
    freshness: Freshness
    worst_age: int
    unknown_states: tuple[tuple[str, int], ...]
    monitors_open: int = 0
    not_shown: tuple[tuple[Unmatched, int], ...] = ()
    update: int | None = None
    proof: Proof = Proof()
    delay: Delay | None = None
    shown_since: datetime | None = None
    shown_now: int = 0
    missing: int = 0
    lists_shrunk: tuple[Mapping[str, str | int], ...] = ()
    lists_unread: tuple[Mapping[str, str | int], ...] = ()
    groups_unread: tuple[Mapping[str, str | int], ...] = ()
    day: tuple[Hour, ...] = ()
    answered: Mapping[Service, datetime] = field(default_factory=dict)
    store_fault: str = ""

    @property
    def in_scope(self) -> int:
        """Of ``people``, those whom the scope does not leave out."""
        return self.people - dict(self.not_shown).get(Unmatched.OUTSIDE, 0)


@dataclass(frozen=True, slots=True)
class Probe:
    """One step of a connection test: whether it was tried, how long it took (seconds), what failed.

    ``count`` is how many entries a list that it read had.
    """

    service: Service
    step: str
    seconds: float = 0.0
    error: SyncError | None = None
    tried: bool = True
    count: int | None = None


class UnknownIntegration(CloudLinkPresenceError, LookupError):
    """This tenant has no such integration (the error does not say whether another tenant has it)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: an administrator, or the bot itself (``BOT``).

    ``press`` names the press of a button with which they ask for it, empty without one.
    """

    id: str
    name: str = ""
    press: str = field(default="", compare=False)


BOT = Actor("bot")
