"""Composes sync: services, store, jobs, schedule; everything an application needs of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import aiohttp
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.sealing import Seal
from sync.clock import Clock
from sync.cloudlink.wire import WireTables, load_tables
from sync.connections import Addresses, Connections
from sync.integrations import Integrations, Reach
from sync.jobs import LocalJobs
from sync.metrics import Metrics
from sync.names import MATCH, POLL, PROBE, PUSH, REMOVE, SUBSCRIBE, SWEEP, TIDY
from sync.poller import Poller
from sync.prober import Prober
from sync.quota import Quota
from sync.reconciler import Reconciler
from sync.recorder import Recorder
from sync.remover import Remover
from sync.roster import Roster
from sync.scheduler import Intervals, Scheduler
from sync.subscriber import Subscriber
from sync.webhooks import Webhooks

log = structlog.get_logger()


def _default_tables() -> WireTables:
    return load_tables(None)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Where the services are and how much may be asked of them.

    ``cloudlink_url`` holds ``{service}``; ``public_url`` is empty when CloudLink cannot reach us;
    ``presence_quota`` is in requests per 30 seconds, for each tenant and application.
    """

    entra_url: str
    graph_url: str
    cloudlink_url: str
    public_url: str = ""
    presence_quota: int = 1500
    tables: WireTables = field(default_factory=_default_tables)
    intervals: Intervals = field(default_factory=Intervals)


class Engine:
    """Sync at work. ``webhooks.receive`` is the handler for what CloudLink posts."""

    def __init__(self, integrations: Integrations, webhooks: Webhooks, jobs: LocalJobs, database: Database) -> None:
        self.integrations = integrations
        self.webhooks = webhooks
        self._jobs = jobs
        self._database = database

    async def ready(self) -> bool:
        """Whether the store answers and jobs are being done."""
        try:
            async with self._database.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            log.warning("database_unwell", error=type(error).__name__)
            return False
        return self._jobs.alive


@asynccontextmanager
async def open_engine(
    config: EngineConfig,
    database: Database,
    seal: Seal,
    http: aiohttp.ClientSession,
    clock: Clock,
    random: Random,
    metrics: Metrics,
) -> AsyncIterator[Engine]:
    """Sync for the length of the block: takes up what was left behind, then goes on by its schedule."""
    every = config.intervals
    addresses = Addresses(config.entra_url, config.graph_url, config.cloudlink_url)
    outside = Connections(http, addresses, config.tables, clock, random)
    jobs = LocalJobs(clock, random, metrics, every.tick)
    recorder = Recorder(database, jobs, clock, metrics)
    reconciler = Reconciler(database, seal, outside, jobs, Quota(config.presence_quota), clock, random, metrics)
    roster = Roster(database, seal, outside, jobs, clock)
    poller = Poller(database, seal, outside, recorder, jobs, clock)
    prober = Prober(database, seal, outside, jobs, clock, timedelta(seconds=every.recheck_credentials))
    renew_after = timedelta(seconds=every.renew_subscription)
    subscriber = Subscriber(database, seal, outside, jobs, clock, config.public_url, renew_after)
    remover = Remover(database, subscriber, jobs, clock, timedelta(seconds=every.removal_patience))
    scheduler = Scheduler(database, jobs, clock, metrics, every, bool(config.public_url))
    functions = {
        PUSH: reconciler.push,
        POLL: poller.poll,
        MATCH: roster.match,
        SUBSCRIBE: subscriber.keep,
        PROBE: prober.probe,
        REMOVE: remover.remove,
        SWEEP: scheduler.sweep,
        TIDY: scheduler.tidy,
    }
    for name, function in functions.items():
        jobs.register(name, function)
    reach = Reach(bool(config.public_url), timedelta(seconds=every.poll))
    integrations = Integrations(database, seal, outside, roster, poller, prober, jobs, clock, reach)
    webhooks = Webhooks(database, recorder, config.tables, metrics)
    async with jobs.running():
        await scheduler.start()
        yield Engine(integrations, webhooks, jobs, database)
