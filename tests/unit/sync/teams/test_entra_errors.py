"""What Entra's refusals mean, and which texts are no tenant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.teams.entra_errors import checked_tenant, discovery_refusal, outage, refusal
from tests.support.properties import unhurried

GUID = "8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90"


@pytest.mark.parametrize("tenant", [GUID, GUID.upper(), f" {GUID} ", "contoso.onmicrosoft.com", "Contoso.CO.UK"])
def test_tenants(tenant: str) -> None:
    assert checked_tenant(tenant) == tenant.strip()


@pytest.mark.parametrize(
    "tenant",
    ["", "common", "organizations", "consumers", f"{GUID}/x", "a.b/../c", "contoso.com?x=1", "contoso.com#",
     "user@contoso.com", "con toso.com", "contoso.com:80", "..", ".com", "contoso.", "-a.com", "127.0.0.1",
     "contoso.com\n.evil", "é.com", "a" * 64 + ".com", "a." * 130 + "com", "%2e%2e.com"],
)  # fmt: skip
def test_what_is_no_tenant_is_refused(tenant: str) -> None:
    with pytest.raises(CredentialsWrong) as caught:
        checked_tenant(tenant)
    assert caught.value.fault is Fault.ENTRA_TENANT_UNKNOWN
    assert not caught.value.context


@unhurried
@given(st.text())
def test_a_tenant_is_never_more_than_one_plain_segment(tenant: str) -> None:
    try:
        checked = checked_tenant(tenant)
    except CredentialsWrong:
        return
    assert all(c.isascii() and (c.isalnum() or c in "-.") for c in checked)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (90002, Fault.ENTRA_TENANT_UNKNOWN),
        (900023, Fault.ENTRA_TENANT_UNKNOWN),
        (700016, Fault.ENTRA_CLIENT_UNKNOWN),
        (7000229, Fault.ENTRA_NO_SERVICE_PRINCIPAL),
        (7000215, Fault.ENTRA_SECRET_WRONG),
        (7000222, Fault.ENTRA_SECRET_EXPIRED),
        (7000112, Fault.ENTRA_APP_DISABLED),
        (53003, Fault.ENTRA_CONDITIONAL_ACCESS),
        (53000, Fault.ENTRA_DEVICE_POLICY),
        (530003, Fault.ENTRA_DEVICE_POLICY),
        (501051, Fault.ENTRA_ASSIGNMENT_REQUIRED),
        (500021, Fault.ENTRA_NETWORK_RESTRICTED),
        (5000225, Fault.ENTRA_TENANT_BLOCKED),
        (900439, Fault.ENTRA_OTHER_CLOUD),
        (90038, Fault.ENTRA_OTHER_CLOUD),
        (500014, Fault.ENTRA_SERVICE_DISABLED),
        (500011, Fault.ENTRA_SERVICE_DISABLED),
        (650052, Fault.ENTRA_SERVICE_DISABLED),
        (7000218, Fault.ENTRA_SECRET_MISSING),
        (123456, Fault.ENTRA_REFUSED),
    ],
)
@pytest.mark.parametrize("source", ["codes", "description"])
def test_each_code_has_its_fault(code: int, fault: Fault, source: str) -> None:
    answer: dict[str, object] = {"error": "invalid_client"}
    answer |= {"error_codes": [code]} if source == "codes" else {"error_description": f"AADSTS{code}: Words."}
    error = refusal(answer, "secret")
    assert (type(error), error.fault, error.context) == (CredentialsWrong, fault, {"code": code})


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (90033, Fault.ENTRA_TEMPORARY),
        (90012, Fault.ENTRA_TEMPORARY),
        (90055, Fault.ENTRA_THROTTLED),
        (50196, Fault.ENTRA_THROTTLED),
    ],
)
def test_transient_codes_are_failures_of_entra(code: int, fault: Fault) -> None:
    error = refusal({"error": "invalid_client", "error_codes": [code]}, "secret")
    assert (type(error), error.fault, error.context) == (ServiceUnavailable, fault, {"code": code})


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [
        (429, 0, Fault.ENTRA_THROTTLED),
        (429, 90033, Fault.ENTRA_THROTTLED),
        (503, 90033, Fault.ENTRA_TEMPORARY),
        (503, 0, Fault.ENTRA_UNREACHABLE),
        (502, 7000215, Fault.ENTRA_UNREACHABLE),
    ],
)
def test_an_outage(status: int, code: int, fault: Fault) -> None:
    error = outage(status, 3.0, code)
    assert (error.fault, error.retry_after) == (fault, 3.0)
    assert error.context == {"status": status} | ({"code": code} if code else {})


def test_a_secrets_id_is_recognised_by_its_shape_and_only_when_refused_as_wrong() -> None:
    assert refusal({"error_codes": [7000215]}, f" {GUID} ").fault is Fault.ENTRA_SECRET_IS_ID
    assert refusal({"error_codes": [7000222]}, GUID).fault is Fault.ENTRA_SECRET_EXPIRED


@pytest.mark.parametrize(
    ("answer", "kind", "context"),
    [
        ({"error": "temporarily_unavailable"}, ServiceUnavailable, {"error": "temporarily_unavailable"}),
        ({"error": "unauthorized_client"}, CredentialsWrong, {"error": "unauthorized_client"}),
        ({"error_codes": "odd", "error": ["odd"]}, CredentialsWrong, {"error": "['odd']"}),
        ({}, CredentialsWrong, {}),
    ],
)
def test_without_a_code_the_error_decides(answer: dict[str, object], kind: type, context: dict[str, str]) -> None:
    error = refusal(answer, "secret")
    assert (type(error), error.context) == (kind, context)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("... HTTP status: 400, Error: AADSTS90002: Tenant not found", Fault.ENTRA_TENANT_UNKNOWN),
        ("... HTTP status: 404, Error: <html>", Fault.ENTRA_REFUSED),
        ("... HTTP status: 429, Error: {}", Fault.ENTRA_THROTTLED),
        ("Expecting value: line 1", Fault.ENTRA_UNREACHABLE),
    ],
)
def test_a_tenant_that_cannot_be_discovered(text: str, fault: Fault) -> None:
    assert discovery_refusal(text, "secret").fault is fault
