"""The engine inside a test, against the sandbox: a store in a folder, a port for webhooks, helpers to query it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

import aiohttp
from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.clock import Clock, steady_now, utc_now
from core.http.metrics import tracing
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.queries import integrations
from storage.schema import migrate
from sync.domain.jobs import JobQueue
from sync.domain.model import Actor, CloudLinkAccount, Freshness, IntegrationView, Status, TeamsApp
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.jobs.postgres import PostgresJobs
from sync.jobs.runs import QueueConfig
from sync.problems.clock_skew import ClockSkewMonitor
from sync.scheduling.scheduler import Intervals
from sync.teams.host_credentials import HostCredentials
from tests.support.eventually import eventually
from tests.support.services.sandboxes import SandboxHandle
from tests.support.services.servers import serving
from tests.support.storage.stores import database_in

TENANT = "8f3c1b52-0a4e-4b6e-9d67-2f1f3c5d7e90"
ADMIN = Actor("admin-1", "Ada Admin")
KEY = Fernet.generate_key().decode()
QUICK = Intervals(
    schedule=0.1,
    poll=0.4,
    poll_with_webhooks=3600,
    match=3600,
    check_subscription=3600,
    recheck_credentials=0.3,
    rotation_lease=3,
    tick=0.02,
)


def account_of(sandbox: SandboxHandle) -> CloudLinkAccount:
    account = sandbox.world.saved.account
    return CloudLinkAccount(account.region, account.id, account.client_id, account.client_secret)


def app_of(sandbox: SandboxHandle) -> TeamsApp:
    registration = sandbox.world.saved.registration
    return TeamsApp(registration.tenant_id, registration.client_id, registration.secrets[-1].value)


@dataclass
class RunningEngine:
    """An engine at work on a sandbox, with one integration in its store."""

    engine: Engine
    database: Database
    registry: CollectorRegistry
    sandbox: SandboxHandle
    public_url: str
    http: aiohttp.ClientSession
    clock: Clock

    async def connect(self, enabled: bool = True, *, trusted: bool = True) -> IntegrationView:
        """Add the sandbox's account and application as an integration, with its people matched.

        Its events are ``trusted``, as if the first one had come.
        """
        view = await self.engine.integrations.add(
            TENANT, "Vale Verde", account_of(self.sandbox), app_of(self.sandbox), None, ADMIN
        )
        await self.engine.overview.preview(TENANT, view.id)
        if enabled:
            view = await self.engine.integrations.enable(TENANT, view.id, ADMIN)
            if self.public_url:
                await eventually(self._is_subscribed)
                if trusted:
                    await self.trust_events()
        return view

    async def _is_subscribed(self) -> bool:
        return (await self.status()).freshness is not Freshness.NOT_SUBSCRIBED

    async def trust_events(self) -> None:
        """As after the first event, and after everybody was polled since the subscription."""
        async with self.database.writing() as session:
            for row in await integrations.list_all(session):
                row.live_since, row.catch_up_since = self.clock(), None

    async def integration_id(self) -> str:
        return (await self.engine.integrations.list(TENANT))[0].id

    async def status(self) -> Status:
        return await self.engine.overview.status(TENANT, await self.integration_id())

    async def wait_until_shown(self, who: str, availability: str, activity: str, within: float = 60.0) -> None:
        """Wait until colleagues see this presence of ``who``."""

        async def seen() -> bool:
            seen: tuple[str, str] = await self.sandbox.shown(who)
            return seen == (availability, activity)

        await eventually(seen, within)

    async def wait_until_sent(self) -> None:
        """Wait until no change is waiting to be sent."""

        async def nothing_is_waiting() -> bool:
            return (await self.status()).waiting == 0

        await eventually(nothing_is_waiting)

    def metric(self, name: str, **labels: str) -> float:
        sample = f"cloudlink_presence_{name}"
        found = self.registry.restricted_registry([sample]).collect()  # to collect all of them takes a millisecond
        values = [each.value for metric in found for each in metric.samples if each.labels == labels]
        return values[0] if values else 0.0


@asynccontextmanager
async def running_engine(
    sandbox: SandboxHandle,
    folder: Path | None = None,
    *,
    webhooks: bool = True,
    clock: Callable[[], datetime] = utc_now,
    steady: Clock | None = None,
    intervals: Intervals = QUICK,
    quota: int = 1500,
    keys: tuple[str, ...] = (KEY,),
    initial_version: int = 1,
    host: HostCredentials | None = None,
    url: str = "",
    cloudlink_url: str = "",
) -> AsyncIterator[RunningEngine]:
    """An engine for the length of the block; the next one finds its store in ``folder``.

    ``url`` names another database, ``cloudlink_url`` another CloudLink than the sandbox's. New integrations
    start at the first feature version, unless a test asks for another. A test that moves its ``clock`` lets time
    pass; one that sets it wrong has a ``steady`` clock, too.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url or database_in(folder or Path())))
        await migrate(database)
        metrics = Metrics(registry := CollectorRegistry())
        http = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[tracing(metrics)]))
        receiver = WebhookReceiver()
        public_url = await stack.enter_async_context(receiver.listen()) if webhooks else ""
        config = EngineConfig(
            sandbox.url,
            sandbox.url,
            cloudlink_url or sandbox.cloudlink_url,
            public_url,
            quota,
            intervals=intervals,
            initial_version=initial_version,
            host=host or HostCredentials(),
        )
        jobs = job_queue(database, clock, metrics, intervals.tick)
        engine = await stack.enter_async_context(
            open_engine(
                config,
                database,
                Encryption(keys),
                http,
                clock,
                Random(7),
                metrics,
                jobs,
                ClockSkewMonitor(clock),
                steady or (steady_now if clock is utc_now else clock),
            )
        )
        receiver.engine = engine
        await engine.start()
        yield RunningEngine(engine, database, registry, sandbox, public_url, http, clock)


def job_queue(database: Database, clock: Clock, metrics: Metrics, tick: float) -> JobQueue:
    """The queue that belongs to the database; the one in PostgreSQL follows the server's clock only."""
    config = QueueConfig(clock, Random(7), metrics, tick)
    if database.is_sqlite or clock is not utc_now:
        return LocalJobs(config)
    return PostgresJobs(database.conninfo, config)


class WebhookReceiver:
    """The webhook endpoint: started before the engine, which needs its URL."""

    engine: Engine | None = None

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        assert self.engine is not None
        return await self.engine.way_in.answering(self.engine.webhooks.receive)(request)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_route("*", "/webhooks/cloudlink/{token}", self._receive)
        async with serving(application) as url:
            yield url
