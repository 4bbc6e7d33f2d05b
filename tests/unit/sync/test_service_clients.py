import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from sync.cloudlink.request_limit import OF_A_TENANT
from sync.cloudlink.tables import load_tables
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.service_clients import PROOFS_OF_A_TENANT, HttpServiceClients, ServiceConfig
from sync.teams.presence import PresenceWriter
from tests.support.eventually import eventually
from tests.support.services.servers import TestServer

NOWHERE = "http://127.0.0.1"


def account(number: int, secret: str = "") -> CloudLinkAccount:
    return CloudLinkAccount("", f"account {number}", "client", secret)


def tokens_of(clients: HttpServiceClients, app: TeamsApp) -> object:
    presence = clients.presence(app)
    assert isinstance(presence, PresenceWriter)
    return presence._graph.tokens


@asynccontextmanager
async def service_clients(
    max_clients: int = 10, url: str = NOWHERE, entra_url: str = NOWHERE
) -> AsyncIterator[HttpServiceClients]:
    config = ServiceConfig(entra_url, NOWHERE, url + "/{service}", load_tables(None), max_clients=max_clients)
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


async def test_another_tenant_with_the_same_account_or_application_ends_no_session() -> None:
    """A former partner whose secret is refused, who asks again and again."""
    async with service_clients() as clients:
        app, theirs = (TeamsApp("entra", "app", secret, owner_tenant=secret) for secret in ("ours", "theirs"))
        phones = clients.phones(replace(account(1), owner_tenant="ours"))
        tokens = tokens_of(clients, app)
        clients.phones(replace(account(1, "theirs"), owner_tenant="theirs"))
        clients.presence(theirs)
        clients.forget(theirs)
        assert clients.phones(replace(account(1), owner_tenant="ours")) is phones
        assert tokens_of(clients, app) is tokens


async def test_a_fresh_client_is_shared_with_no_one() -> None:
    async with service_clients() as clients:
        shared = clients.phones(account(1))
        assert clients.fresh_phones(account(1)) is not shared
        assert clients.phones(account(1)) is shared


@pytest.mark.parametrize("tenants", [1, 3])
async def test_a_slow_cloudlink_of_one_tenant_does_not_delay_the_others(tenants: int) -> None:
    """Of each noisy tenant: twenty accounts, each read by four requests that are never answered."""
    waiting, released = 0, asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal waiting
        if "noisy" in (await request.json())["account_id"]:
            waiting += 1
            await released.wait()
        return web.json_response({"access_token": "t", "expires_in": 3600})

    async def phone(request: web.Request) -> web.Response:
        items = {"_embedded": {"items": []}, "count": 0}
        return web.json_response(items if request.path.endswith("calls") else {"endpointId": "1", "state": "idle"})

    application = web.Application()
    application.router.add_post("/{anything:.*}", answer)
    application.router.add_get("/{anything:.*}", phone)
    async with (
        TestServer(application) as server,
        service_clients(url=str(server.make_url("")).rstrip("/")) as clients,
    ):
        noisy = [
            asyncio.create_task(
                clients.fresh_phones(
                    CloudLinkAccount("", f"noisy {number}", "c", "s", f"noisy {number % tenants}")
                ).lines(["1"])
            )
            for number in range(200)
        ]
        await eventually(lambda: waiting == tenants * OF_A_TENANT)
        quiet = CloudLinkAccount("", "quiet", "c", "s", "quiet")
        assert len((await asyncio.wait_for(clients.phones(quiet).lines(["1"]), 10)).found) == 1
        assert waiting == tenants * OF_A_TENANT
        released.set()
        assert len(await asyncio.gather(*noisy)) == 200


async def test_proofs_of_one_tenant_hold_few_threads_and_delay_no_token_in_use() -> None:
    """Many administrators paste secrets that a slow Entra does not answer."""
    waiting, released = 0, asyncio.Event()

    async def discovery(request: web.Request) -> web.Response:
        nonlocal waiting
        if "quiet" not in request.path:
            waiting += 1
            await released.wait()
        base = f"https://{request.host}/quiet"
        return web.json_response({"token_endpoint": base, "authorization_endpoint": base, "issuer": base})

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

    application = web.Application()
    application.router.add_get("/{anything:.*}", discovery)
    application.router.add_post("/{anything:.*}", token)
    async with TestServer(application) as server:
        url = str(server.make_url("")).rstrip("/")
        async with service_clients(url=url, entra_url=url) as clients:
            typed = [
                TeamsApp(f"noisy-{number}.example", "app", "typed", owner_tenant="noisy") for number in range(40)
            ]
            noisy = [asyncio.create_task(clients.prove(app)) for app in typed]
            await eventually(lambda: waiting == PROOFS_OF_A_TENANT)
            quiet = TeamsApp("quiet.example", "app", "secret", owner_tenant="quiet")
            await asyncio.wait_for(clients.prove(quiet), 10)
            assert waiting == PROOFS_OF_A_TENANT
            released.set()
            await asyncio.gather(*noisy, return_exceptions=True)
