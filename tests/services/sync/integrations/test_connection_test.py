import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries.health import problems
from storage.tables.problems import Problem
from sync.cloudlink.own_webhook import HEADER
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Actor, Probe, Service
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.way_in import HOLDS, WayIn
from sync.phones.subscriptions import hashed
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.services.servers import TestServer
from tests.support.storage.stores import (
    empty_store,
    integration,
    person,
    read_integration,
    read_person,
    stored,
    with_secrets,
)

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
TOKEN = "an-unguessable-token"
ADA = Actor("ada", "Ada Example")
RECHECK = timedelta(minutes=3)
MISSING = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="Presence.ReadWrite.All")


class Setting:
    def __init__(self, database: Database, public_url: str = "") -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.jobs = FakeJobs()
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        context = context_of(database, self.clients, self.jobs, metrics=metrics)
        quota = QuotaLedger(Quota(1500), metrics)
        store = CredentialStore(ENCRYPTION)
        self.way_in = WayIn(context, store, public_url)
        self.connection_test = ConnectionTest(context, store, quota, RECHECK, self.way_in)

    async def faults(self) -> list[str]:
        async with self.database.session() as session:
            return [problem.fault for problem in await problems.list_open(session, "i1")]


@asynccontextmanager
async def setting(folder: Path, since: datetime = NOON, **differently: Any) -> AsyncIterator[Setting]:
    """An integration that Graph forbids to write presence, and a person whose presence is not sent yet."""
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    forbidden: dict[str, Any] = {"service": "graph", "fault": "graph.forbidden", "lasting": True}
    problem = Problem(integration_id="i1", since=since, checked_at=since, **{**forbidden, **differently})
    async with empty_store(folder) as database:
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), problem)
        await stored(database, person(desired="Busy/InACall"))
        yield Setting(database)


async def test_a_probe_names_a_new_problem_more_exactly(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        at.clients.graph.error = MISSING
        await at.connection_test.probe("i1")
        assert await at.faults() == ["graph.consent_missing"]
        assert (await read_integration(at.database)).quota_spent == []


async def test_a_probe_does_not_close_a_new_problem_that_it_cannot_detect(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == ["graph.forbidden"]


async def test_a_probe_closes_an_older_problem_and_makes_pending_presence_due(tmp_path: Path) -> None:
    async with setting(tmp_path, since=NOON - RECHECK) as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == []
        assert (await read_person(at.database)).due_at == NOON
        assert at.jobs.now() == ["push"]
        assert (await read_integration(at.database)).quota_spent == [[int(NOON.timestamp()), 1]]
        assert at.registry.get_sample_value("cloudlink_presence_quota_spent_total") == 1


async def test_a_probe_closes_an_outage_of_which_nothing_else_would_see_the_end(tmp_path: Path) -> None:
    async with setting(tmp_path, since=NOON - RECHECK, lasting=False, fault="graph.unreachable") as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == []


async def test_a_probe_asks_only_what_has_a_problem_and_leaves_what_is_no_service(tmp_path: Path) -> None:
    async with setting(tmp_path, lasting=False, fault="people.unmatched_rising", service="people") as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == ["people.unmatched_rising"]
        assert at.jobs.now() == []


async def test_a_connection_test_closes_problems_and_stops_at_the_first_failure_of_each_side(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as at:
        at.clients.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [(probe.service, probe.step, bool(probe.error), probe.tried) for probe in probes] == [
            (Service.CLOUDLINK, "account", True, True),
            (Service.CLOUDLINK, "users", False, False),
            (Service.CLOUDLINK, "way_in", False, False),
            (Service.ENTRA, "token", False, True),
            (Service.GRAPH, "directory", False, True),
            (Service.GRAPH, "presence", False, True),
        ]
        assert await at.faults() == ["cloudlink.refused"]
        at.clients.cloudlink.error = None
        assert [probe.count for probe in await at.connection_test.test("t1", "i1", ADA)][:2] == [None, 0]


async def test_a_connection_test_reads_the_directory_itself(tmp_path: Path) -> None:
    async def fail() -> None:
        raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)

    async with setting(tmp_path) as at:
        at.clients.graph.during_users = fail
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [probe.step for probe in probes if probe.error] == ["directory"]


async def test_a_list_that_cannot_be_read_leaves_its_service_healthy_and_the_rest_is_tested(tmp_path: Path) -> None:
    async with setting(tmp_path, fault="graph.unreachable", service="graph", lasting=False) as at:
        at.clients.graph.users_error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, status=500)
        at.clients.cloudlink.users_error = ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE)
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [(probe.step, bool(probe.error)) for probe in probes if probe.tried] == [
            ("account", False),
            ("users", True),
            ("token", False),
            ("directory", True),
            ("presence", False),
        ]
        assert await at.faults() == ["directory.unread"]


@pytest.mark.parametrize(("spent", "is_read"), [(1499, True), (1500, False)])
async def test_a_connection_test_reads_presence_within_the_quota_of_all_who_share_it(
    tmp_path: Path, spent: int, is_read: bool
) -> None:
    async with setting(tmp_path) as at:
        await stored(at.database, integration(id="i2", name="Second", quota_spent=[[NOON.timestamp(), spent]]))
        *_, presence = await at.connection_test.test("t1", "i1", ADA)
        assert (presence.step, presence.error is None, bool(at.clients.graph.asked)) == (
            "presence",
            is_read,
            is_read,
        )
        assert is_read or (presence.error and presence.error.fault is Fault.GRAPH_THROTTLED)


async def test_what_waits_after_a_failure_is_no_limit_of_graphs(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        later = NOON + timedelta(seconds=5)
        await stored(at.database, integration(id="i2", name="Second", quota_blocked_until=later))
        *_, presence = await at.connection_test.test("t1", "i1", ADA)
        assert (presence.step, presence.error) == ("presence", None)


async def test_secrets_that_no_key_decrypts_are_reported_as_problems(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        at = Setting(database)
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [probe.error.fault for probe in probes if probe.error] == [Fault.SECRET_UNREADABLE] * 2
        assert await at.faults() == ["secret.unreadable"] * 2


# The way in


async def webhook(at: Setting, *, bad: Callable[[web.Request], web.Response] | None = None) -> TestServer:
    """The public address: our own webhook, or with ``bad`` some other server."""

    async def receive(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def other(request: web.Request) -> web.Response:
        return bad(request) if bad else web.Response()

    application = web.Application()
    application.router.add_post("/webhooks/cloudlink/{token}", other if bad else at.way_in.answering(receive))
    server = TestServer(application)
    await server.start_server()
    return server


@asynccontextmanager
async def reachable(
    folder: Path, bad: Callable[[web.Request], web.Response] | None = None
) -> AsyncIterator[tuple[Setting, TestServer]]:
    sealed = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    async with empty_store(folder) as database, aiohttp.ClientSession() as http:
        row = with_secrets(integration(), ENCRYPTION, **sealed, webhook_token_sealed=TOKEN)
        await stored(database, row)
        at = Setting(database)
        server = await webhook(at, bad=bad)
        at = Setting(database, str(server.make_url("/")))
        at.clients.http = http
        yield at, server
        await server.close()


async def way_in_of(at: Setting) -> Probe:
    return next(probe for probe in await at.connection_test.test("t1", "i1", ADA) if probe.step == "way_in")


async def test_the_way_in_is_tried_with_a_sealed_nonce(tmp_path: Path) -> None:
    async with reachable(tmp_path) as (at, _):
        probe = await way_in_of(at)
        assert (probe.error, probe.tried) == (None, True)


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(status=202),
        lambda _: web.Response(text="<html>Sign in</html>"),
        lambda _: web.Response(status=302, headers={"Location": "/elsewhere"}),
        lambda request: web.Response(text=request.headers["X-CloudLink-Presence-Test"][:256]),
        lambda _: web.Response(text="x" * 10_000),
    ],
)
async def test_another_server_at_the_address_is_no_way_in(
    tmp_path: Path, answer: Callable[[web.Request], web.Response]
) -> None:
    async with reachable(tmp_path, answer) as (at, _):
        error = (await way_in_of(at)).error
        assert error is not None
        assert error.fault is Fault.CLOUDLINK_WAY_IN_ANSWER
        assert TOKEN not in str(error)
        assert await at.faults() == []


async def test_an_address_that_leads_nowhere_is_no_way_in(tmp_path: Path) -> None:
    async with reachable(tmp_path) as (at, server):
        await server.close()
        error = (await way_in_of(at)).error
        assert error is not None
        assert error.fault is Fault.CLOUDLINK_WAY_IN_CLOSED
        assert await at.faults() == []


@pytest.mark.parametrize("token", [TOKEN, "another"])
async def test_a_seal_holds_for_a_minute_and_for_one_webhook(tmp_path: Path, token: str) -> None:
    async with reachable(tmp_path) as (at, server):
        store, now = CredentialStore(ENCRYPTION), NOON.timestamp()
        url = server.make_url(f"/webhooks/cloudlink/{token}")
        seals = {
            store.seal(json.dumps(["nonce", hashed(TOKEN), now])): token == TOKEN,
            store.seal(json.dumps(["nonce", hashed(TOKEN), now - HOLDS.total_seconds() - 1])): False,
            "v2.made.up": False,
        }
        for sealed, is_ours in seals.items():
            async with at.clients.http.post(url, headers={HEADER: sealed}) as response:
                assert (response.status, await response.text()) == ((200, "nonce") if is_ours else (404, ""))
