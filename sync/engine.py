"""Composes sync: services, store, jobs, schedule; everything an application needs of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import aiohttp

from core.clock import Clock
from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from sync.cloudlink.tables import WireTables, load_tables
from sync.credentials.expiry import SecretExpiry
from sync.credentials.rotator import Rotator
from sync.credentials.service import CredentialService
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.features import NEWEST
from sync.domain.jobs import (
    CLEANUP,
    EXPIRY,
    INSTALL,
    MATCH,
    NOTIFY,
    POLL,
    POLL_SAMPLE,
    PROBE,
    PUSH,
    PUSH_STATUS_MESSAGE,
    REMOVE,
    ROTATE,
    SCHEDULE,
    SHOW_UPDATE,
    SUBSCRIBE,
    WARN,
    JobFunction,
    JobQueue,
)
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.overview import Overview, Reach
from sync.integrations.remover import Remover
from sync.integrations.service import IntegrationService
from sync.integrations.teardown import TenantTeardown
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
from sync.operations import Operations
from sync.people.directory_sync import DirectorySync
from sync.phones.ingest import EventIngestor
from sync.phones.poller import Poller
from sync.phones.subscriptions import Subscriptions
from sync.phones.webhooks import Webhooks
from sync.presence.reconciler import Reconciler
from sync.presence.status_messages import StatusMessageWriter
from sync.problems.clock_skew import ClockSkewMonitor
from sync.problems.notice_scheduler import NoticeScheduler
from sync.scheduling.scheduler import Intervals, Scheduler
from sync.service_clients import HttpServiceClients, ServiceConfig
from sync.teams.host_credentials import HostCredentials
from sync.teams.quota import Quota, QuotaLedger
from sync.updates import available
from sync.updates.catalogue import catalogue
from sync.updates.installer import Installer
from sync.updates.service import UpdateService


def _default_tables() -> WireTables:
    return load_tables(None)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Where the services are and how much may be asked of them.

    ``cloudlink_url`` holds ``{service}``; ``public_url`` is empty when CloudLink cannot reach us;
    ``presence_quota`` is in requests per 30 seconds, for each tenant and application. ``newcomers_at`` is the
    feature version on which new integrations start.
    """

    entra_url: str
    graph_url: str
    cloudlink_url: str
    public_url: str = ""
    presence_quota: int = 1500
    tables: WireTables = field(default_factory=_default_tables)
    intervals: Intervals = field(default_factory=Intervals)
    host: HostCredentials = field(default_factory=HostCredentials)
    newcomers_at: int = NEWEST


@dataclass(frozen=True)
class Engine(Operations):
    """Sync at work: the operations of administrators, and what runs beside them.

    ``webhooks.receive`` is the handler for CloudLink's notifications. The bot registers its jobs (``NOTIFY``,
    ``SHOW_UPDATE``) with ``jobs``. ``watch`` answers the readiness probe.
    """

    webhooks: Webhooks
    jobs: JobQueue
    watch: ReadinessProbe


async def not_registered(_key: str) -> None:
    """The jobs ``NOTIFY`` and ``SHOW_UPDATE`` until the bot registers its own: notices stay due."""


@asynccontextmanager
async def open_engine(
    config: EngineConfig,
    database: Database,
    encryption: Encryption,
    http: aiohttp.ClientSession,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    jobs: JobQueue,
    skew: ClockSkewMonitor | None = None,
) -> AsyncIterator[Engine]:
    """Sync for the length of the block: takes up what was left behind, then goes on by its schedule.

    ``jobs`` is opened and filled here; its job ``NOTIFY`` does nothing until somebody who speaks to people
    registers their own. ``skew`` watches the answers that come through ``http``; without it nobody warns of a
    wrong clock.
    """
    every = config.intervals
    services = ServiceConfig(config.entra_url, config.graph_url, config.cloudlink_url, config.tables, config.host)
    clients = HttpServiceClients(http, services, clock, random, metrics)
    context = Context(database, clients, jobs, clock, random, metrics)
    store = CredentialStore(encryption)
    quota = QuotaLedger(Quota(config.presence_quota), metrics)
    metrics.quota_limit.set(config.presence_quota)

    ingestor = EventIngestor(context)
    poller = Poller(context, store, ingestor, poll_sample_every=timedelta(seconds=every.poll_with_webhooks))
    renew_after = timedelta(seconds=every.renew_subscription)
    subscriptions = Subscriptions(context, store, config.public_url, renew_after)
    directory_sync = DirectorySync(context, store)
    reconciler = Reconciler(context, store, quota)
    messages = StatusMessageWriter(context, store, quota)
    update_catalogue = catalogue(database, directory_sync, messages)
    connection_test = ConnectionTest(context, store, quota, timedelta(seconds=every.recheck_credentials))
    scheduler = Scheduler(context, every, bool(config.public_url))
    watch_clock = skew or ClockSkewMonitor(clock)
    notices = NoticeScheduler(context, timedelta(seconds=every.warn), available, watch_clock.seconds)

    functions: dict[str, JobFunction] = {
        PUSH: reconciler.push,
        PUSH_STATUS_MESSAGE: messages.tell,
        POLL: poller.poll,
        POLL_SAMPLE: poller.poll_sample,
        MATCH: directory_sync.match,
        SUBSCRIBE: subscriptions.keep,
        PROBE: connection_test.probe,
        REMOVE: Remover(context, subscriptions, timedelta(seconds=every.removal_patience)).remove,
        ROTATE: Rotator(context, store, timedelta(seconds=every.rotation_lease)).rotate,
        EXPIRY: SecretExpiry(context, store, config.host).refresh,
        INSTALL: Installer(context, update_catalogue, timedelta(seconds=every.update_patience)).install,
        SCHEDULE: scheduler.schedule,
        CLEANUP: scheduler.cleanup,
        WARN: notices.look,
        NOTIFY: not_registered,
        SHOW_UPDATE: not_registered,
    }
    for name, function in functions.items():
        jobs.register(name, function)

    reach = Reach(bool(config.public_url), timedelta(seconds=every.poll))
    engine = Engine(
        integrations=IntegrationService(context, store, config.newcomers_at),
        editor=Editor(context, store, directory_sync, TenantTeardown(context, store, quota)),
        overview=Overview(context, directory_sync, poller, reach),
        connection_test=connection_test,
        credentials=CredentialService(context, store, config.host),
        updates=UpdateService(context, update_catalogue),
        webhooks=Webhooks(context, ingestor, config.tables),
        jobs=jobs,
        watch=ReadinessProbe(database, jobs, StoreGauges(database, metrics, clock), metrics),
    )
    async with jobs.running():
        if jobs.works:
            await scheduler.start()
        try:
            yield engine
        finally:
            await engine.watch.close()
