"""Reading what strangers send."""

from datetime import UTC, datetime

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.http import TooLarge, cleaned, is_loopback, read_capped, retry_after, same_origin
from tests.support.sync.stub_server import Reply, stub_server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("999999", 3600.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30.0),
    ],
)
def test_retry_after_in_all_its_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_retry_after_never_fails_and_never_waits_for_ever(header: str) -> None:
    wait = retry_after(header, NOW)
    assert wait is None or 0 <= wait <= 3600


def test_log_fields_lose_what_could_forge_a_line() -> None:
    assert cleaned("a\nb\x1b[31m\u202ec\ud800") == "ab[31mc"
    assert cleaned("x" * 500) == "x" * 200
    assert cleaned(None) == ""
    assert cleaned(404) == "404"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://graph.microsoft.com/v1.0/users", "https://GRAPH.microsoft.com:443", True),
        ("https://graph.microsoft.com", "http://graph.microsoft.com", False),
        ("https://graph.microsoft.com.evil.example/", "https://graph.microsoft.com", False),
        ("https://graph.microsoft.com@evil.example/", "https://graph.microsoft.com", False),
        ("https://someone@graph.microsoft.com/", "https://graph.microsoft.com", False),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/a", False),
        ("http://[broken", "http://127.0.0.1", False),
        ("http://127.0.0.1:99999", "http://127.0.0.1", False),
    ],
)
def test_a_token_stays_on_its_server(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080/{service}", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("https://localhost.evil.example", False),
        ("https://{service}.api.mitel.io", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


async def test_a_body_is_read_up_to_its_limit_and_no_further() -> None:
    async with stub_server() as server, aiohttp.ClientSession() as http:
        server.on("GET /large", Reply(b"x" * 200_000))
        async with http.get(f"{server.url}/large") as response:
            assert len(await read_capped(response, 200_000)) == 200_000
        async with http.get(f"{server.url}/large") as response:
            with pytest.raises(TooLarge):
                await read_capped(response, 199_999)
