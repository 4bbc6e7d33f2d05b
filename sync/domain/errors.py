"""Every failure of an external service, in two families.

SyncError
├── CredentialsWrong     an administrator must fix it: pushing stops, one problem is opened
└── ServiceUnavailable   the service's own problem: retried, after ``retry_after`` where the service said so
    └── ListUnread       only its list of users cannot be read: it answers otherwise

An error carries a ``Fault`` (a key, for which each language has a sentence and a remedy) and its context:
short, harmless values such as a permission's name or an AADSTS number. Never a secret, never a body.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

from core.errors import CloudLinkPresenceError


class Fault(StrEnum):
    """What can go wrong, as a key of the language catalogues: ``fault.<value>`` and ``fault.<value>.remedy``."""

    CLOUDLINK_REFUSED = "cloudlink.refused"
    CLOUDLINK_ACCOUNT_UNKNOWN = "cloudlink.account_unknown"
    CLOUDLINK_FORBIDDEN = "cloudlink.forbidden"
    CLOUDLINK_REGION_INVALID = "cloudlink.region_invalid"
    CLOUDLINK_UNREACHABLE = "cloudlink.unreachable"
    CLOUDLINK_THROTTLED = "cloudlink.throttled"
    CLOUDLINK_UNREADABLE = "cloudlink.unreadable"
    CLOUDLINK_LIST_TOO_LONG = "cloudlink.list_too_long"
    CLOUDLINK_WAY_IN_NAME = "cloudlink.way_in_name"
    CLOUDLINK_WAY_IN_CERTIFICATE = "cloudlink.way_in_certificate"
    CLOUDLINK_WAY_IN_CLOSED = "cloudlink.way_in_closed"
    CLOUDLINK_WAY_IN_ANSWER = "cloudlink.way_in_answer"

    ENTRA_TENANT_UNKNOWN = "entra.tenant_unknown"
    ENTRA_CLIENT_UNKNOWN = "entra.client_unknown"
    ENTRA_NO_SERVICE_PRINCIPAL = "entra.no_service_principal"
    ENTRA_SECRET_WRONG = "entra.secret_wrong"  # noqa: S105
    ENTRA_SECRET_IS_ID = "entra.secret_is_id"  # noqa: S105
    ENTRA_SECRET_EXPIRED = "entra.secret_expired"  # noqa: S105
    ENTRA_APP_DISABLED = "entra.app_disabled"
    ENTRA_CONDITIONAL_ACCESS = "entra.conditional_access"
    ENTRA_DEVICE_POLICY = "entra.device_policy"
    ENTRA_ASSIGNMENT_REQUIRED = "entra.assignment_required"
    ENTRA_NETWORK_RESTRICTED = "entra.network_restricted"
    ENTRA_TENANT_BLOCKED = "entra.tenant_blocked"
    ENTRA_OTHER_CLOUD = "entra.other_cloud"
    ENTRA_SERVICE_DISABLED = "entra.service_disabled"
    ENTRA_SECRET_MISSING = "entra.secret_missing"  # noqa: S105
    ENTRA_CERTIFICATE_UNKNOWN = "entra.certificate_unknown"
    ENTRA_CERTIFICATE_EXPIRED = "entra.certificate_expired"
    ENTRA_CERTIFICATE_UNREADABLE = "entra.certificate_unreadable"
    ENTRA_FEDERATION_UNKNOWN = "entra.federation_unknown"
    ENTRA_FEDERATION_UNREADABLE = "entra.federation_unreadable"
    ENTRA_HOST_NOT_ALLOWED = "entra.host_not_allowed"
    ENTRA_REFUSED = "entra.refused"
    ENTRA_UNREACHABLE = "entra.unreachable"
    ENTRA_THROTTLED = "entra.throttled"
    ENTRA_TEMPORARY = "entra.temporary"

    GRAPH_CONSENT_MISSING = "graph.consent_missing"
    GRAPH_FORBIDDEN = "graph.forbidden"
    GRAPH_ROTATION_FORBIDDEN = "graph.rotation_forbidden"
    GRAPH_SECRETS_FORBIDDEN = "graph.secrets_forbidden"
    GRAPH_SECRET_TOO_LONG = "graph.secret_too_long"  # noqa: S105
    GRAPH_EVERYONE_REFUSED = "graph.everyone_refused"
    GRAPH_BUSY = "graph.busy"
    GRAPH_REFUSED = "graph.refused"
    GRAPH_UNREACHABLE = "graph.unreachable"
    GRAPH_THROTTLED = "graph.throttled"
    GRAPH_UNREADABLE = "graph.unreadable"
    GRAPH_LIST_TOO_LONG = "graph.list_too_long"

    SECRET_UNREADABLE = "secret.unreadable"  # noqa: S105


OUTAGES = frozenset(
    {
        Fault.CLOUDLINK_UNREACHABLE,
        Fault.CLOUDLINK_THROTTLED,
        Fault.CLOUDLINK_UNREADABLE,
        Fault.CLOUDLINK_WAY_IN_NAME,
        Fault.CLOUDLINK_WAY_IN_CERTIFICATE,
        Fault.CLOUDLINK_WAY_IN_CLOSED,
        Fault.CLOUDLINK_WAY_IN_ANSWER,
        Fault.ENTRA_UNREACHABLE,
        Fault.ENTRA_THROTTLED,
        Fault.ENTRA_TEMPORARY,
        Fault.GRAPH_BUSY,
        Fault.GRAPH_REFUSED,
        Fault.GRAPH_UNREACHABLE,
        Fault.GRAPH_THROTTLED,
        Fault.GRAPH_UNREADABLE,
    }
)
"""The faults of ``ServiceUnavailable``; all others are refusals."""

REPLACES_SECRET = frozenset(
    {
        Fault.ENTRA_SECRET_WRONG,
        Fault.ENTRA_SECRET_IS_ID,
        Fault.ENTRA_SECRET_EXPIRED,
        Fault.ENTRA_SECRET_MISSING,
        Fault.SECRET_UNREADABLE,
    }
)
"""The faults that a new client secret fixes."""

CERTAIN = frozenset(
    {
        Fault.SECRET_UNREADABLE,
        Fault.ENTRA_CERTIFICATE_UNREADABLE,
        Fault.ENTRA_FEDERATION_UNREADABLE,
        Fault.ENTRA_HOST_NOT_ALLOWED,
        Fault.CLOUDLINK_REGION_INVALID,
    }
)
"""The refusals that no service pronounced: found here, they do not pass."""


class SyncError(CloudLinkPresenceError):
    """A failure with its key and context; ``str()`` shows both and nothing else.

    ``retry_after`` is in seconds, None when the service gave none.
    """

    retry_after: float | None = None

    def __init__(self, fault: Fault, **context: str | int) -> None:
        super().__init__(fault, context)
        self.fault = fault
        self.context = context

    def __str__(self) -> str:
        details = " ".join(f"{name}={value}" for name, value in sorted(self.context.items()))
        return f"{self.fault} {details}".rstrip()


class CredentialsWrong(SyncError):
    """The credentials, the consent or the account is wrong: stop, and alert the administrators who can fix it."""


class ServiceUnavailable(SyncError):
    """The service is down, slow or throttling."""

    def __init__(self, fault: Fault, retry_after: float | None = None, **context: str | int) -> None:
        super().__init__(fault, **context)
        self.retry_after = retry_after


class ListUnread(ServiceUnavailable):
    """A list of users cannot be read, though its service answers otherwise: presence works."""


@asynccontextmanager
async def reading_users(answers: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """What fails in the block concerns the list alone if the service still ``answers``.

    Raises ``ListUnread`` then, and otherwise the error of that second request.
    """
    try:
        yield
    except ServiceUnavailable as error:
        await answers()
        raise ListUnread(error.fault, error.retry_after, **error.context) from error


def error_from(fault: str, lasting: bool, facts: Mapping[str, str | int]) -> SyncError:
    """The error that was stored as these values."""
    error = (CredentialsWrong if lasting else ServiceUnavailable)(Fault(fault))
    error.context = dict(facts)
    return error


def detail_of(error: SyncError) -> str:
    """The fault, with the status and code of the answer where there are such, as words in one text."""
    known = (error.fault.value, error.context.get("status"), error.context.get("error"))
    return " ".join(str(each) for each in known if each)
