from random import Random

import aiohttp
import pytest

from core.clock import utc_now
from sync.cloudlink.wire import load_tables
from sync.domain.model import CloudLinkAccount
from sync.service_clients import Addresses, HttpServiceClients


def account(number: int, secret: str = "") -> CloudLinkAccount:
    return CloudLinkAccount("", f"account {number}", "client", secret)


async def test_what_was_not_used_for_the_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.service_clients.MOST_KEPT", 2)
    async with aiohttp.ClientSession() as http:
        addresses = Addresses("http://127.0.0.1", "http://127.0.0.1", "http://127.0.0.1/{service}")
        connections = HttpServiceClients(http, addresses, load_tables(None), utc_now, Random(1))
        first, second = connections.phones(account(1)), connections.phones(account(2))
        assert connections.phones(account(1)) is first
        connections.phones(account(3))
        assert connections.phones(account(1)) is first
        assert connections.phones(account(2)) is not second


async def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    async with aiohttp.ClientSession() as http:
        addresses = Addresses("http://127.0.0.1", "http://127.0.0.1", "http://127.0.0.1/{service}")
        connections = HttpServiceClients(http, addresses, load_tables(None), utc_now, Random(1))
        old = connections.phones(account(1))
        new = connections.phones(account(1, "another"))
        assert new is not old
        assert connections.phones(account(1, "another")) is new
