from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import aiohttp
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sync.cloudlink.tables import load_tables
from sync.domain.model import CloudLinkAccount
from sync.service_clients import HttpServiceClients, ServiceConfig

NOWHERE = "http://127.0.0.1"


def account(number: int, secret: str = "") -> CloudLinkAccount:
    return CloudLinkAccount("", f"account {number}", "client", secret)


@asynccontextmanager
async def service_clients(max_clients: int = 10) -> AsyncIterator[HttpServiceClients]:
    config = ServiceConfig(NOWHERE, NOWHERE, NOWHERE + "/{service}", load_tables(None), max_clients=max_clients)
    async with aiohttp.ClientSession() as http:
        yield HttpServiceClients(http, config, utc_now, Random(1), Metrics(CollectorRegistry()))


async def test_the_least_recently_used_client_is_dropped() -> None:
    async with service_clients(max_clients=2) as clients:
        first, second = clients.phones(account(1)), clients.phones(account(2))
        assert clients.phones(account(1)) is first
        clients.phones(account(3))
        assert clients.phones(account(1)) is first
        assert clients.phones(account(2)) is not second


async def test_a_new_secret_replaces_the_client_of_the_old_one() -> None:
    async with service_clients() as clients:
        old = clients.phones(account(1))
        new = clients.phones(account(1, "another"))
        assert new is not old
        assert clients.phones(account(1, "another")) is new


async def test_a_fresh_client_is_shared_with_no_one() -> None:
    async with service_clients() as clients:
        shared = clients.phones(account(1))
        assert clients.fresh_phones(account(1)) is not shared
        assert clients.phones(account(1)) is shared
