"""Where requests to CloudLink go, and where no setting and no region can send them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cloudlink import addresses
from sync.cloudlink.addresses import CloudLinkService, service_url
from sync.domain.errors import CredentialsWrong, Fault
from tests.support.properties import unhurried

DEFAULT = "https://{service}.api.mitel.io"


@pytest.mark.parametrize(
    ("pattern", "region", "url"),
    [
        (DEFAULT, "", "https://media.api.mitel.io"),
        (DEFAULT, "eu", "https://media.eu.api.mitel.io"),
        (DEFAULT, " us.dev ", "https://media.us.dev.api.mitel.io"),
        (DEFAULT, "EU", "https://media.eu.api.mitel.io"),
        ("https://{service}.{region}.api.mitel.io", "eu", "https://media.eu.api.mitel.io"),
        ("https://{service}.{region}.api.mitel.io", "", "https://media.api.mitel.io"),
        ("https://{region}-{service}.example", "eu", "https://eu-media.example"),
        ("https://proxy.example/mitel/{service}/", "eu", "https://proxy.example/mitel/media"),
        ("http://127.0.0.1:9000/{service}", "eu", "http://127.0.0.1:9000/media"),
        ("http://127.0.0.1:9000/{service}.{region}", "eu", "http://127.0.0.1:9000/media"),
    ],
)
def test_a_region_goes_between_service_and_api(pattern: str, region: str, url: str) -> None:
    assert service_url(pattern, region, CloudLinkService.MEDIA) == url


@pytest.mark.parametrize(
    "region",
    ["eu/", "eu@evil", "eu.", ".eu", "e..u", "-eu", "eu:80", "eu?x", "{service}", "é", "e" * 41, "e\nu"],
)
@pytest.mark.parametrize("pattern", [DEFAULT, "http://127.0.0.1:9000/{service}"])
def test_a_region_that_could_make_another_host_is_refused(pattern: str, region: str) -> None:
    with pytest.raises(CredentialsWrong) as caught:
        service_url(pattern, region, CloudLinkService.MEDIA)
    assert caught.value.fault is Fault.CLOUDLINK_REGION_INVALID


def token_of(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


@pytest.mark.parametrize(
    ("pattern", "domain", "region"),
    [
        (DEFAULT, "1000.us.dev.api.mitel.io", "us.dev"),
        (DEFAULT, "1000.EU.api.mitel.io", "eu"),
        ("https://{service}.{region}.api.mitel.io", "1000.eu.api.mitel.io", "eu"),
        (DEFAULT, "1000.api.mitel.io", ""),
        (DEFAULT, "10001.eu.api.mitel.io", ""),
        (DEFAULT, "1000.eu.api.mitel.io.evil.example", ""),
        (DEFAULT, "1000.evil.example#.api.mitel.io", ""),
        (DEFAULT, "evil-api.mitel.io", ""),
        (DEFAULT, "", ""),
        (DEFAULT, ["1000.eu.api.mitel.io"], ""),
        ("https://proxy.example/mitel/{service}", "1000.eu.api.mitel.io", ""),
        ("http://127.0.0.1:9000/{service}", "1000.eu.api.mitel.io", ""),
    ],
)
def test_a_token_names_the_region_of_its_account(pattern: str, domain: object, region: str) -> None:
    assert addresses.region_in(token_of({"domain": domain}), pattern, "1000") == region


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", token_of([]), token_of({}), "a." + "[" * 9000 + ".c"])
def test_a_token_that_cannot_be_read_names_no_region(token: str) -> None:
    assert addresses.region_in(token, DEFAULT, "1000") == ""


@unhurried
@given(st.text())
def test_the_host_stays_mitels_for_any_region(region: str) -> None:
    try:
        url = service_url(DEFAULT, region, CloudLinkService.ADMIN)
    except CredentialsWrong:
        return
    assert url.startswith("https://admin.")
    assert url.endswith("api.mitel.io")
    assert not set(url.removeprefix("https://")) & set("/@?#: ")


def test_ids_and_extensions_stay_one_segment() -> None:
    assert addresses.users("a/../b?c#d") == "/2017-09-01/accounts/a%2F..%2Fb%3Fc%23d/users"
    assert addresses.calls("..") == "/2017-09-01/endpoints/%2E%2E/calls"
    assert addresses.endpoint("*70#") == "/2017-09-01/endpoints/%2A70%23"
    assert addresses.subscription("s 1") == "/2017-09-01/subscriptions/s%201"
