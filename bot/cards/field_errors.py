"""Errors in words, next to the field they concern, with how to fix them and a link.

Portal addresses: Azure portal deep links of the blades that Mitel's guide walks through. AADSTS numbers are
explained by Microsoft at ``login.microsoftonline.com/error?code=N``.
"""

from dataclasses import dataclass
from urllib.parse import quote

from bot.languages import Texts
from core.clouds import Cloud
from sync.domain.errors import Fault, SyncError
from sync.domain.model import Service


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class FormError:
    """An error in words; ``field`` is its input, empty when it concerns the whole card."""

    sentence: str
    remedy: str = ""
    link: Link | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of the pages an administrator needs; other clouds have other addresses."""

    portal: str = "https://portal.azure.com"
    teams: str = "https://teams.microsoft.com"
    admin_center: str = "https://admin.microsoft.com"
    service_health: str = "https://status.cloud.microsoft"
    error_codes: str = "https://login.microsoftonline.com/error"
    app_policies: str = (
        "https://learn.microsoft.com/entra/identity/enterprise-apps/configure-app-management-policies"
    )
    national_clouds: str = "https://learn.microsoft.com/graph/deployments"
    cloudlink_guide: str = (
        "https://productdocuments.mitel.com/doc_finder/UG/Cloudlink/CloudLink%20Platform/EN/HTML5/Content/"
        "CloudLink_Administration.html"
    )

    mitel_administration: str = "https://accounts.mitel.io"
    cloudlink_clients: str = "https://developer.mitel.io/guides-resources/building-api-calls"

    def registrations(self) -> str:
        return f"{self._applications()}/ApplicationsListBlade"

    def new_registration(self) -> str:
        return f"{self._applications()}/CreateApplicationBlade/quickStartType~/null/isMSAApp~/false"

    def registration(self, client_id: str, blade: str = "Overview") -> str:
        """A registration's page (``Overview``, ``CallAnAPI``, ``Credentials``); the list without an id."""
        if not client_id:
            return self.registrations()
        return f"{self._applications()}/ApplicationMenuBlade/~/{blade}/appId/{quote(client_id, safe='')}"

    def tenant(self) -> str:
        return f"{self.portal}/#view/Microsoft_AAD_IAM/ActiveDirectoryMenuBlade/~/Overview"

    def enterprise_applications(self) -> str:
        return f"{self.portal}/#view/Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview"

    def cloud_shell(self) -> str:
        return f"{self.portal}/#cloudshell/"

    def conditional_access(self) -> str:
        return f"{self.portal}/#view/Microsoft_AAD_ConditionalAccess/ConditionalAccessBlade/~/Policies"

    def error(self, code: str) -> str:
        return f"{self.error_codes}?code={quote(code, safe='')}"

    def _applications(self) -> str:
        return f"{self.portal}/#view/Microsoft_AAD_RegisteredApps"

    def personal_chat(self, bot_id: str) -> str:
        return f"{self.teams}/l/chat/0/0?users={quote(bot_id, safe=':')}"


def links_of(cloud: Cloud) -> Links:
    """The addresses of a cloud's portals."""
    return Links(portal=cloud.portal, teams=cloud.teams, admin_center=cloud.admin)


FIELD_OF = {
    Fault.CLOUDLINK_REFUSED: "cloudlink_secret",
    Fault.CLOUDLINK_ACCOUNT_UNKNOWN: "account_id",
    Fault.CLOUDLINK_FORBIDDEN: "cloudlink_client_id",
    Fault.CLOUDLINK_REGION_INVALID: "region",
    Fault.ENTRA_TENANT_UNKNOWN: "tenant_id",
    Fault.ENTRA_CLIENT_UNKNOWN: "client_id",
    Fault.ENTRA_NO_SERVICE_PRINCIPAL: "client_id",
    Fault.ENTRA_SECRET_WRONG: "client_secret",
    Fault.ENTRA_SECRET_IS_ID: "client_secret",
    Fault.ENTRA_SECRET_EXPIRED: "client_secret",
    Fault.ENTRA_HOST_NOT_ALLOWED: "client_secret",
    Fault.ENTRA_SECRET_MISSING: "client_secret",
    Fault.ENTRA_TENANT_BLOCKED: "tenant_id",
    Fault.ENTRA_OTHER_CLOUD: "tenant_id",
    Fault.ENTRA_APP_DISABLED: "client_id",
    Fault.ENTRA_ASSIGNMENT_REQUIRED: "client_id",
    Fault.ENTRA_DEVICE_POLICY: "client_id",
    Fault.ENTRA_CONDITIONAL_ACCESS: "client_id",
    Fault.GRAPH_CONSENT_MISSING: "client_id",
    Fault.GRAPH_FORBIDDEN: "client_id",
}
"""The input of each fault; a fault that is not listed concerns the whole card."""


_AT_SECRETS = frozenset(
    {
        Fault.ENTRA_SECRET_WRONG,
        Fault.ENTRA_SECRET_IS_ID,
        Fault.ENTRA_SECRET_EXPIRED,
        Fault.ENTRA_SECRET_MISSING,
        Fault.SECRET_UNREADABLE,
        Fault.ENTRA_CERTIFICATE_UNKNOWN,
        Fault.ENTRA_CERTIFICATE_EXPIRED,
        Fault.ENTRA_FEDERATION_UNKNOWN,
        Fault.ENTRA_HOST_NOT_ALLOWED,
    }
)
"""Faults that are fixed, or another credential is added, on the application's page of certificates and secrets."""

_ON_THE_HOST = frozenset({Fault.ENTRA_CERTIFICATE_UNREADABLE, Fault.ENTRA_FEDERATION_UNREADABLE})
"""Faults of the server's own settings: no page in Azure fixes or explains them."""

_ENTERPRISE_APPLICATION = frozenset(
    {Fault.ENTRA_APP_DISABLED, Fault.ENTRA_ASSIGNMENT_REQUIRED, Fault.ENTRA_SERVICE_DISABLED}
)
_EXPLAINED = frozenset({Fault.ENTRA_REFUSED, Fault.ENTRA_TENANT_BLOCKED, Fault.ENTRA_NETWORK_RESTRICTED})
"""Faults that Microsoft's page about the AADSTS number explains best."""


def form_error(error: SyncError, texts: Texts, links: Links, client_id: str = "") -> FormError:
    """The error in words; ``client_id`` makes its link lead to the application itself."""
    tried = error.context.get("thumbprint")
    which = texts("fault.certificate_tried", start=tried) if tried else ""
    remedy = texts.lenient(f"fault.{error.fault}.remedy", error.context)
    return FormError(
        sentence=texts.lenient(f"fault.{error.fault}", error.context),
        remedy=f"{which} {remedy}".strip(),
        link=fault_link(error, texts, links, client_id),
        field=FIELD_OF.get(error.fault, ""),
    )


def fault_link(error: SyncError, texts: Texts, links: Links, client_id: str = "") -> Link | None:
    """The page where this fault can be fixed or, if there is none, is explained; None if it is fixed on the server.

    For consent the permissions page: ``/adminconsent`` ends in AADSTS500113 where there is no redirect URI.
    """
    if error.fault is Fault.SECRET_UNREADABLE and error.context.get("service") == Service.CLOUDLINK:
        return Link(texts("link.cloudlink_guide"), links.cloudlink_guide)
    if error.fault in _ON_THE_HOST:
        return None
    if error.fault in _AT_SECRETS:
        return _in_registration(texts, links, "link.secrets", client_id, "Credentials")
    match error.fault:
        case Fault.ENTRA_TENANT_UNKNOWN:
            return Link(texts("link.tenant"), links.tenant())
        case Fault.ENTRA_CLIENT_UNKNOWN:
            return Link(texts("link.registrations"), links.registrations())
        case Fault.ENTRA_NO_SERVICE_PRINCIPAL | Fault.GRAPH_CONSENT_MISSING:
            return _in_registration(texts, links, "link.consent", client_id, "CallAnAPI")
        case Fault.GRAPH_SECRETS_FORBIDDEN | Fault.GRAPH_SECRET_TOO_LONG:
            return Link(texts("link.app_policies"), links.app_policies)
        case Fault.GRAPH_FORBIDDEN | Fault.GRAPH_ROTATION_FORBIDDEN:
            return _in_registration(texts, links, "link.permissions", client_id, "CallAnAPI")
        case _:
            return _general_link(error, texts, links)


def _in_registration(texts: Texts, links: Links, label: str, client_id: str, blade: str) -> Link:
    """A page of the application; while its ID is not known, the list of all, under the list's own name."""
    return Link(texts(label if client_id else "link.registrations"), links.registration(client_id, blade))


def _general_link(error: SyncError, texts: Texts, links: Links) -> Link:
    if error.fault in _ENTERPRISE_APPLICATION:
        return Link(texts("link.enterprise_applications"), links.enterprise_applications())
    if error.fault in {Fault.ENTRA_CONDITIONAL_ACCESS, Fault.ENTRA_DEVICE_POLICY}:
        return Link(texts("link.conditional_access"), links.conditional_access())
    if error.fault is Fault.ENTRA_OTHER_CLOUD:
        return Link(texts("link.national_clouds"), links.national_clouds)
    if error.fault is Fault.GRAPH_EVERYONE_REFUSED:
        return Link(texts("link.admin_center"), links.admin_center)
    code = error.context.get("code")
    if code and error.fault in _EXPLAINED:
        return Link(texts("link.error"), links.error(str(code)))
    if error.fault.startswith("cloudlink."):
        return Link(texts("link.cloudlink_guide"), links.cloudlink_guide)
    return Link(texts("link.service_health"), links.service_health)
