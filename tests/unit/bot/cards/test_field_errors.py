"""Where a fault is shown and how it is fixed."""

from urllib.parse import urlsplit

import pytest

from bot.cards.field_errors import FormError, Links, form_error, links_of
from bot.languages import Language, load_texts
from core.clouds import DOD, GCC_HIGH, PUBLIC, Cloud
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable

TEXTS = load_texts()[Language.ENGLISH]
LINKS = Links()
CLIENT = "client-1"
PORTAL = "https://portal.azure.com/#view/"


def said(fault: Fault, client: str = CLIENT, **context: str | int) -> FormError:
    return form_error(CredentialsWrong(fault, **context), TEXTS, LINKS, client)


@pytest.mark.parametrize(
    ("fault", "url"),
    [
        (Fault.ENTRA_TENANT_UNKNOWN, f"{PORTAL}Microsoft_AAD_IAM/ActiveDirectoryMenuBlade/~/Overview"),
        (Fault.ENTRA_CLIENT_UNKNOWN, f"{PORTAL}Microsoft_AAD_RegisteredApps/ApplicationsListBlade"),
        (
            Fault.ENTRA_SECRET_EXPIRED,
            f"{PORTAL}Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/{CLIENT}",
        ),
        (
            Fault.GRAPH_FORBIDDEN,
            f"{PORTAL}Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI/appId/{CLIENT}",
        ),
        (
            Fault.GRAPH_CONSENT_MISSING,
            f"{PORTAL}Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI/appId/{CLIENT}",
        ),
        (Fault.CLOUDLINK_REFUSED, LINKS.cloudlink_guide),
        (Fault.GRAPH_UNREACHABLE, LINKS.service_health),
        (Fault.GRAPH_EVERYONE_REFUSED, LINKS.admin_center),
    ],
)
def test_the_link_leads_to_where_the_fault_is_fixed(fault: Fault, url: str) -> None:
    link = said(fault).link
    assert link is not None
    assert link.url == url


@pytest.mark.parametrize("fault", [Fault.ENTRA_CERTIFICATE_UNREADABLE, Fault.ENTRA_FEDERATION_UNREADABLE])
def test_what_is_fixed_on_the_server_has_no_link(fault: Fault) -> None:
    assert said(fault).link is None


@pytest.mark.parametrize(
    ("service", "url"), [("cloudlink", LINKS.cloudlink_guide), ("entra", LINKS.registration(CLIENT, "Credentials"))]
)
def test_a_secret_that_cannot_be_decrypted_links_to_its_source(service: str, url: str) -> None:
    link = said(Fault.SECRET_UNREADABLE, service=service).link
    assert link is not None
    assert link.url == url


@pytest.mark.parametrize(
    ("field", "faults"),
    [
        ("cloudlink_secret", {Fault.CLOUDLINK_REFUSED}),
        ("account_id", {Fault.CLOUDLINK_ACCOUNT_UNKNOWN}),
        ("cloudlink_client_id", {Fault.CLOUDLINK_FORBIDDEN}),
        ("region", {Fault.CLOUDLINK_REGION_INVALID}),
        ("tenant_id", {Fault.ENTRA_TENANT_UNKNOWN, Fault.ENTRA_TENANT_BLOCKED, Fault.ENTRA_OTHER_CLOUD}),
        (
            "client_id",
            {
                Fault.ENTRA_CLIENT_UNKNOWN,
                Fault.ENTRA_NO_SERVICE_PRINCIPAL,
                Fault.ENTRA_APP_DISABLED,
                Fault.ENTRA_CONDITIONAL_ACCESS,
                Fault.ENTRA_DEVICE_POLICY,
                Fault.ENTRA_ASSIGNMENT_REQUIRED,
                Fault.GRAPH_CONSENT_MISSING,
                Fault.GRAPH_FORBIDDEN,
            },
        ),
        (
            "client_secret",
            {
                Fault.ENTRA_SECRET_WRONG,
                Fault.ENTRA_SECRET_IS_ID,
                Fault.ENTRA_SECRET_EXPIRED,
                Fault.ENTRA_SECRET_MISSING,
                Fault.ENTRA_HOST_NOT_ALLOWED,
            },
        ),
    ],
)
def test_each_fault_is_shown_at_the_field_that_fixes_it(field: str, faults: set[Fault]) -> None:
    assert {fault for fault in Fault if said(fault).field == field} == faults


def test_an_unexplained_refusal_leads_to_microsofts_page_about_it() -> None:
    link = said(Fault.ENTRA_REFUSED, code=50126).link
    assert link is not None
    assert link.url == "https://login.microsoftonline.com/error?code=50126"
    assert link.label == "Microsoft article: this error ↗"


@pytest.mark.parametrize("cloud", [GCC_HIGH, DOD])
def test_the_links_of_a_government_cloud_lead_there(cloud: Cloud) -> None:
    links = links_of(cloud)
    pages = (links.registration("app"), links.personal_chat("28:bot"), links.admin_center)
    hosts = [urlsplit(url).netloc for url in pages]
    assert hosts == ["portal.azure.us", urlsplit(cloud.teams).netloc, urlsplit(cloud.admin).netloc]
    assert links_of(PUBLIC) == Links()


def test_an_unknown_application_leads_to_the_list() -> None:
    link = said(Fault.ENTRA_SECRET_WRONG, client="").link
    assert link is not None
    assert link.url == LINKS.registrations()


@pytest.mark.parametrize("typed", ["a/../b", "a?b", "https://evil.example", "a#b", "a)b](c"])
def test_typed_values_cannot_change_a_link(typed: str) -> None:
    """Quoted, it stays one piece of the address: no path, query or end of a Markdown link."""
    pieces = [LINKS.registration(typed), LINKS.error(typed)]
    rests = [url.partition("/~/Overview/appId/")[2] or url.removeprefix(LINKS.error_codes) for url in pieces]
    assert all(mark not in "".join(rests) for mark in ("/..", "://", "](", "#"))


def test_an_unavailable_service_concerns_no_field() -> None:
    assert form_error(ServiceUnavailable(Fault.ENTRA_UNREACHABLE, 3.0), TEXTS, LINKS).field == ""
