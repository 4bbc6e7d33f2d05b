"""The environment's proxies, written so that all clients read the same."""

import pytest

from core.http.proxies import WrongProxy, settle_proxies

PROXY = "http://user:hush@proxy.example:3128"


@pytest.mark.parametrize("given", [{}, {"NO_PROXY": "a.example"}, {"HTTPS_PROXY": ""}])
def test_without_a_proxy_nothing_changes(given: dict[str, str]) -> None:
    environment = dict(given)
    assert settle_proxies(environment) is False
    assert environment == given


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_every_client_finds_it_and_this_machine_is_reached_directly(name: str) -> None:
    environment = {name: PROXY, "NO_PROXY": "db.example"}
    assert settle_proxies(environment) is True
    assert environment["https_proxy"] == environment["HTTPS_PROXY"] == PROXY
    assert environment["no_proxy"] == environment["NO_PROXY"] == "db.example,localhost,127.0.0.1,::1"


@pytest.mark.parametrize("named", [".db.example", "*.db.example", " db.example ,", "https://db.example"])
def test_what_is_reached_directly_is_written_as_all_clients_read_it(named: str) -> None:
    """Of a name with a dot in front, httpx takes the proxy for the host itself, and aiohttp does not."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": named}
    assert settle_proxies(environment) is True
    assert environment["no_proxy"] == "db.example,localhost,127.0.0.1,::1"


@pytest.mark.parametrize("named", ["*", "db.example, *"])
def test_a_proxy_for_no_host_is_none_for_any_client(named: str) -> None:
    """aiohttp reads the sign only where it stands alone, httpx also in a list."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": named}
    assert settle_proxies(environment) is False
    assert environment["no_proxy"] == environment["NO_PROXY"] == "*"


@pytest.mark.parametrize(
    "proxy",
    [
        *("https://user:hush@proxy.example", "socks5://hush@proxy.example", "proxy.example"),
        *(f"http://user:hush{sign}x@proxy.example:3128" for sign in "/?#"),
        "http://user:1/hush@proxy.example:3128",
        *("http://user:hush@proxy.example:port", "http://user:hush@proxy.example:99999", "http://[hush"),
    ],
)
def test_what_not_all_clients_can_use_is_refused_and_not_repeated(proxy: str) -> None:
    with pytest.raises(WrongProxy, match="HTTPS_PROXY: must be http://") as caught:
        settle_proxies({"HTTPS_PROXY": proxy})
    assert "hush" not in str(caught.value)
