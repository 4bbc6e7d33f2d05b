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
from sync.cloudlink.wire import WireTables, load_tables
from sync.credentials.expiry import SecretExpiry
from sync.credentials.rotator import Rotator
from sync.credentials.service import CredentialService
from sync.domain.features import NEWEST
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.remover import Remover
from sync.integrations.service import IntegrationService, Reach
from sync.integrations.teardown import TenantTeardown
from sync.jobs.local import JobQueue
from sync.jobs.names import (
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
)
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
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
from sync.updates.updates import Updates


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


class Engine:
    """Sync at work. ``webhooks.receive`` is the handler for what CloudLink posts.

    With ``jobs`` whoever speaks to people registers what sync defers for them (``NOTIFY``); ``watch`` tells how
    it is.
    """

    def __init__(
        self,
        integrations: IntegrationService,
        credentials: CredentialService,
        webhooks: Webhooks,
        updates: Updates,
        jobs: JobQueue,
        watch: ReadinessProbe,
    ) -> None:
        self.integrations = integrations
        self.credentials = credentials
        self.webhooks = webhooks
        self.updates = updates
        self.jobs = jobs
        self.watch = watch


async def nobody_listens(_key: str) -> None:
    """The job ``NOTIFY`` while nobody is there to speak to people: what waits goes on waiting."""


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
    ingestor = EventIngestor(database, jobs, clock, metrics)
    quota = QuotaLedger(Quota(config.presence_quota), metrics)
    reconciler = Reconciler(database, encryption, clients, jobs, quota, clock, random, metrics)
    directory_sync = DirectorySync(database, encryption, clients, jobs, clock)
    poll_sample_every = timedelta(seconds=every.poll_with_webhooks)
    poller = Poller(database, encryption, clients, ingestor, jobs, clock, poll_sample_every=poll_sample_every)
    connection_test = ConnectionTest(
        database, encryption, clients, jobs, quota, clock, timedelta(seconds=every.recheck_credentials)
    )
    renew_after = timedelta(seconds=every.renew_subscription)
    subscriber = Subscriptions(database, encryption, clients, jobs, clock, config.public_url, renew_after)
    remover = Remover(database, subscriber, jobs, clock, timedelta(seconds=every.removal_patience))
    scheduler = Scheduler(database, jobs, clock, random, every, bool(config.public_url))
    functions = {
        PUSH: reconciler.push,
        POLL: poller.poll,
        POLL_SAMPLE: poller.poll_sample,
        MATCH: directory_sync.match,
        SUBSCRIBE: subscriber.keep,
        PROBE: connection_test.probe,
        REMOVE: remover.remove,
        SCHEDULE: scheduler.schedule,
        CLEANUP: scheduler.cleanup,
    }
    rotation_lease = timedelta(seconds=every.rotation_lease)
    rotator = Rotator(database, encryption, clients, jobs, clock, random, rotation_lease)
    expiry = SecretExpiry(database, encryption, clients, config.host, clock)
    functions |= {ROTATE: rotator.rotate, EXPIRY: expiry.refresh}
    for name, function in functions.items():
        jobs.register(name, function)
    warn_every = timedelta(seconds=every.warn)
    notice_scheduler = NoticeScheduler(
        database, jobs, clock, metrics, warn_every, available, (skew or ClockSkewMonitor(clock)).seconds
    )
    jobs.register(WARN, notice_scheduler.look)
    jobs.register(NOTIFY, nobody_listens)
    messages = StatusMessageWriter(database, encryption, clients, jobs, quota, clock, random, metrics)
    update_catalogue = catalogue(database, directory_sync, messages)
    patience = timedelta(seconds=every.update_patience)
    jobs.register(PUSH_STATUS_MESSAGE, messages.tell)
    jobs.register(INSTALL, Installer(database, update_catalogue, jobs, clock, patience).install)
    jobs.register(SHOW_UPDATE, nobody_listens)
    updates = Updates(database, update_catalogue, jobs, clock)
    editor = Editor(
        database,
        encryption,
        clients,
        directory_sync,
        TenantTeardown(database, encryption, clients, quota, clock),
        jobs,
        clock,
    )
    reach = Reach(bool(config.public_url), timedelta(seconds=every.poll))
    integrations = IntegrationService(
        database,
        encryption,
        clients,
        directory_sync,
        poller,
        connection_test,
        jobs,
        clock,
        reach,
        editor,
        config.newcomers_at,
    )
    credentials = CredentialService(database, encryption, clients, config.host, jobs, clock)
    webhooks = Webhooks(database, ingestor, config.tables, metrics)
    metrics.quota_limit.set(config.presence_quota)
    watch = ReadinessProbe(database, jobs, StoreGauges(database, metrics, clock), metrics)
    async with jobs.running():
        if jobs.works:
            await scheduler.start()
        try:
            yield Engine(integrations, credentials, webhooks, updates, jobs, watch)
        finally:
            await watch.close()
