"""Reading what other servers send."""

import gzip
from datetime import UTC, datetime

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.http.client import (
    TooLarge,
    cleaned,
    is_loopback,
    is_loopback_host,
    read_capped,
    read_capped_blocking,
    retry_after,
    same_origin,
    served_at,
)
from tests.support.properties import unhurried
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


def test_a_response_says_the_time_of_its_service() -> None:
    """So a Retry-After is compared with the clock it was written by, however wrong ours is."""
    headers = {"Date": "Sun, 22 Nov 2026 09:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 09:00:30 GMT"}
    assert retry_after(headers["Retry-After"], served_at(headers, NOW)) == 30.0
    assert served_at({}, NOW) == served_at({"Date": "soon"}, NOW) == NOW


@unhurried
@given(st.text())
def test_retry_after_never_fails_and_is_bounded(header: str) -> None:
    wait = retry_after(header, NOW)
    assert wait is None or 0 <= wait <= 3600


def test_a_log_field_loses_what_could_forge_a_line() -> None:
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
def test_same_origin_keeps_a_token_on_its_server(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080/{service}", True),
        ("http://localhost", True),
        ("http://LOCALHOST:3978", True),
        ("//127.0.0.1", True),
        ("http://[::1]:80", True),
        ("https://localhost.evil.example", False),
        ("http://evil.localhost", False),
        ("http://example.com", False),
        ("//127.0.0.1@evil.example", False),
        ("http://[broken", False),
        ("https://{service}.api.mitel.io", False),
        ("", False),
    ],
)
def test_a_url_is_loopback_by_its_host_alone(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_host_may_be_an_address_of_either_version() -> None:
    assert all(map(is_loopback_host, ["localhost", "127.0.0.1", "127.1.2.3", "::1"]))
    assert not any(map(is_loopback_host, ["", "10.0.0.1", "::", "[::1]", "example.com"]))


async def test_a_body_is_read_up_to_its_limit_and_no_further() -> None:
    async with stub_server() as server, aiohttp.ClientSession() as http:
        server.on("GET /large", Reply(b"x" * 200_000))
        async with http.get(f"{server.url}/large") as response:
            assert len(await read_capped(response.content.iter_any(), 200_000)) == 200_000
        async with http.get(f"{server.url}/large") as response:
            with pytest.raises(TooLarge):
                await read_capped(response.content.iter_any(), 199_999)


async def test_a_compressed_body_is_limited_by_its_decompressed_size() -> None:
    bomb = Reply(gzip.compress(b" " * 1_000_000), headers={"Content-Encoding": "gzip"})
    async with stub_server() as server, aiohttp.ClientSession() as http, httpx.AsyncClient() as client:
        server.on("GET /bomb", bomb)
        async with http.get(f"{server.url}/bomb") as response:
            with pytest.raises(TooLarge):
                await read_capped(response.content.iter_any(), 100_000)
        async with client.stream("GET", f"{server.url}/bomb") as answer:
            with pytest.raises(TooLarge):
                await read_capped(answer.aiter_bytes(), 100_000)


def test_the_blocking_reader_has_the_same_limit() -> None:
    assert read_capped_blocking([b"ab", b"c"], 3) == b"abc"
    with pytest.raises(TooLarge):
        read_capped_blocking([b"ab", b"cd"], 3)
