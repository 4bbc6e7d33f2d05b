"""Composes sync: its parts, the table of their jobs, and what the application and the bot use of it."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import aiohttp

from core.clock import Clock, steady_now
from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from sync.cloudlink.tables import WireTables
from sync.credentials.expiry import SecretExpiry
from sync.credentials.monitor_secrets import MonitorSecrets
from sync.credentials.rotator import Rotator
from sync.credentials.service import CredentialService
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.features import INITIAL
from sync.domain.jobs import (
    APPLY_SCOPE,
    CLEANUP,
    EXPIRY,
    HOURS,
    INSTALL,
    MATCH,
    NOTIFY,
    POLL,
    POLL_CHUNK,
    POLL_NOW,
    POLL_SAMPLE,
    PROBE,
    PUSH,
    PUSH_STATUS_MESSAGE,
    READ_BACK,
    REMOVE,
    ROTATE,
    SCHEDULE,
    SHOW_REMOVED,
    SHOW_UPDATE,
    SUBSCRIBE,
    WARN,
    Job,
    JobQueue,
)
from sync.flow.flow import Flow
from sync.integrations.connection_test import ConnectionTest
from sync.integrations.editor import Editor
from sync.integrations.mapping_editor import MappingEditor
from sync.integrations.message_editor import MessageEditor
from sync.integrations.overview import Overview, Reach
from sync.integrations.remover import Remover
from sync.integrations.schedule_editor import ScheduleEditor
from sync.integrations.service import IntegrationService
from sync.integrations.teardown import TenantTeardown
from sync.integrations.way_in import WayIn
from sync.monitoring.readiness import ReadinessProbe
from sync.monitoring.store_gauges import StoreGauges
from sync.operations import Operations
from sync.people.directory_sync import DirectorySync
from sync.people.imports.importer import PeopleImporter
from sync.people.opt_out import OptOut
from sync.people.person_editor import PersonEditor
from sync.people.roster import Roster
from sync.people.scope.editor import ScopeEditor
from sync.phones.poller import Poller
from sync.phones.subscriptions import Subscriptions
from sync.phones.webhooks import Webhooks
from sync.presence.delays import Delays
from sync.presence.read_back import ReadBackJob
from sync.presence.reader import PresenceReader
from sync.presence.status_messages import StatusMessageWriter
from sync.problems.clock_skew import ClockSkewMonitor
from sync.problems.notice_scheduler import NoticeScheduler
from sync.reports.drills import Drills
from sync.reports.reports import Reports
from sync.scheduling.cleanup import Cleanup
from sync.scheduling.hours import HoursJob
from sync.scheduling.scheduler import Intervals, Scheduler
from sync.service_clients import HttpServiceClients, ServiceConfig
from sync.teams.host_credentials import HostCredentials
from sync.teams.quota import Quota, QuotaLedger
from sync.updates import available
from sync.updates.catalogue import catalogue
from sync.updates.installer import Installer
from sync.updates.service import UpdateService


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The services' addresses, and the limits for their use.

    ``cloudlink_url`` contains ``{service}``; ``public_url`` is empty when CloudLink cannot reach us;
    ``presence_quota`` is in requests per 30 seconds, for each tenant and application; ``max_integrations`` for each
    tenant. ``initial_version`` is the feature version of new integrations.
    """

    entra_url: str
    graph_url: str
    cloudlink_url: str
    public_url: str = ""
    presence_quota: int = 10_000
    max_integrations: int = 20
    tables: WireTables = field(default_factory=WireTables)
    intervals: Intervals = field(default_factory=Intervals)
    host: HostCredentials = field(default_factory=HostCredentials)
    initial_version: int = INITIAL


@dataclass(frozen=True)
class Engine(Operations):
    """The running sync: the operations of administrators, the webhooks and the jobs.

    ``webhooks`` receives CloudLink's notifications, ``way_in`` our own that try the address. The bot replaces the
    jobs ``NOTIFY``, ``SHOW_UPDATE`` and ``SHOW_REMOVED`` in ``jobs`` with its own functions.
    """

    webhooks: Webhooks
    way_in: WayIn
    jobs: JobQueue
    readiness: ReadinessProbe
    scheduler: Scheduler

    async def start(self) -> None:
        """Poll everybody, then schedule. Call it once webhooks are listened for, so that no gap is left before."""
        await self.scheduler.start(works=self.jobs.works)


async def do_nothing(_key: str) -> None:
    """The jobs of ``Engine.jobs`` until the bot replaces them: what is due stays due."""


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
    skew: ClockSkewMonitor,
    steady: Clock = steady_now,
) -> AsyncIterator[Engine]:
    """Run sync for the length of the block: once started, it resumes what the previous process left unfinished.

    The jobs are registered in ``jobs``, which is opened here. ``skew`` monitors the responses to ``http``, and
    ``steady`` tells when ``clock`` was set.
    """
    services = ServiceConfig(config.entra_url, config.graph_url, config.cloudlink_url, config.tables, config.host)
    clients = HttpServiceClients(http, services, clock, random, metrics)
    context = Context(database, clients, jobs, clock, random, metrics, steady)
    async with run_engine(config, context, encryption, jobs, skew) as engine:
        yield engine


@asynccontextmanager
async def run_engine(
    config: EngineConfig, context: Context, encryption: Encryption, jobs: JobQueue, skew: ClockSkewMonitor
) -> AsyncIterator[Engine]:
    """As ``open_engine``, with the clients of the services in ``context``; its ``jobs`` are the queue ``jobs``."""
    context.metrics.quota_limit.set(config.presence_quota)
    parts = _Parts(config, context, CredentialStore(encryption, config.host), skew)
    engine = parts.engine(jobs, parts.register_jobs(jobs))
    async with parts.delays.flushing(), parts.flow.running(), jobs.running():
        try:
            yield engine
        finally:
            await engine.webhooks.close()
            await engine.readiness.close()


class _Parts:
    """The parts of sync, with what they depend on."""

    def __init__(
        self, config: EngineConfig, context: Context, store: CredentialStore, skew: ClockSkewMonitor
    ) -> None:
        every = config.intervals
        self.quota = QuotaLedger(Quota(config.presence_quota), context.metrics, context.clock, context.steady)
        self.config, self.context, self.store = config, context, store
        self.delays = Delays(context.database, context.clock)
        self.flow = Flow(context, store, self.quota, self.delays)
        self.poller = Poller(
            context, store, self.flow, poll_sample_every=timedelta(seconds=every.poll_with_webhooks)
        )
        renew_after = timedelta(seconds=every.renew_subscription)
        self.subscriptions = Subscriptions(context, store, config.public_url, renew_after)
        self.directory_sync = DirectorySync(context, store)
        self.scopes = ScopeEditor(context, store)
        self.reader = PresenceReader(context, store, self.quota)
        self.read_back = ReadBackJob(context, self.reader, self.delays)
        self.status_messages = StatusMessageWriter(context, store, self.quota)
        self.catalogue = catalogue(context.database, self.directory_sync, self.status_messages)
        recheck = timedelta(seconds=every.recheck_credentials)
        self.way_in = WayIn(context, store, config.public_url)
        self.connection_test = ConnectionTest(context, store, self.quota, recheck, self.way_in)
        self.remover = Remover(context, self.subscriptions, timedelta(seconds=every.removal_timeout))
        self.rotator = Rotator(context, store, timedelta(seconds=every.rotation_lease))
        self.expiry = SecretExpiry(context, store, config.host)
        self.installer = Installer(context, self.catalogue, timedelta(seconds=every.update_timeout))
        self.hours = HoursJob(context)
        self.cleanup = Cleanup(context, timedelta(seconds=every.cleanup))
        self.reports = Reports(context)
        warn = timedelta(seconds=every.warn)
        self.notices = NoticeScheduler(context, warn, available, skew.seconds, self.reports.digest)

    def job_table(self) -> tuple[Job, ...]:
        """Every job but ``SCHEDULE``, which queues the others."""
        return (
            Job(PUSH, self.flow.push, urgent=True),
            Job(HOURS, self.hours.run, urgent=True),
            Job(PUSH_STATUS_MESSAGE, self.status_messages.push),
            Job(POLL, self.poller.poll, paced=True),
            Job(POLL_SAMPLE, self.poller.poll_sample, paced=True),
            Job(POLL_CHUNK, self.poller.poll_chunk),
            Job(POLL_NOW, self.poller.poll_now),
            Job(READ_BACK, self.read_back.run, paced=True),
            Job(MATCH, self.directory_sync.match, paced=True),
            Job(APPLY_SCOPE, self.scopes.apply, urgent=True),
            Job(SUBSCRIBE, self.subscriptions.ensure, paced=True),
            Job(PROBE, self.connection_test.probe),
            Job(EXPIRY, self.expiry.refresh, paced=True),
            Job(ROTATE, self.rotator.rotate),
            Job(INSTALL, self.installer.install),
            Job(REMOVE, self.remover.remove),
            Job(CLEANUP, self.cleanup.run),
            Job(WARN, self.notices.run, urgent=True),
            Job(NOTIFY, do_nothing, urgent=True),
            Job(SHOW_UPDATE, do_nothing),
            Job(SHOW_REMOVED, do_nothing),
        )

    def register_jobs(self, jobs: JobQueue) -> Scheduler:
        """Register every job; returns the scheduler that queues them."""
        config, table = self.config, self.job_table()
        paced = {job.name for job in table if job.paced}
        scheduler = Scheduler(self.context, config.intervals, paced, public=bool(config.public_url))
        for job in (*table, Job(SCHEDULE, scheduler.schedule, urgent=True)):
            jobs.register(job.name, job.function, urgent=job.urgent)
        return scheduler

    def engine(self, jobs: JobQueue, scheduler: Scheduler) -> Engine:
        config, context, store = self.config, self.context, self.store
        gauges = StoreGauges(context.database, context.metrics, context.clock)
        reach = Reach(bool(config.public_url), timedelta(seconds=config.intervals.poll))
        readiness = ReadinessProbe(context.database, jobs, gauges, context.metrics)
        webhooks = Webhooks(context, self.flow, config.tables)

        def store_fault() -> Awaitable[str]:
            return readiness.store_fault(in_doubt=not webhooks.is_caught_up)

        overview = Overview(context, self.directory_sync, self.poller, reach, store_fault)
        teardown = TenantTeardown(context, store, self.quota)
        return Engine(
            integrations=IntegrationService(context, store, config.initial_version, config.max_integrations),
            editor=Editor(context, store, self.directory_sync, teardown),
            overview=overview,
            connection_test=self.connection_test,
            credentials=CredentialService(context, store, config.host),
            monitor_secrets=MonitorSecrets(context, store),
            updates=UpdateService(context, self.catalogue),
            roster=Roster(context, PresenceReader(context, store, self.quota), self.quota),
            phones=self.poller,
            people=PersonEditor(context, store),
            mappings=MappingEditor(context),
            scopes=self.scopes,
            opt_out=OptOut(context),
            reports=self.reports,
            drills=Drills(context, overview, config.intervals),
            imports=PeopleImporter(context),
            schedules=ScheduleEditor(context),
            messages=MessageEditor(context),
            webhooks=webhooks,
            way_in=self.way_in,
            jobs=jobs,
            scheduler=scheduler,
            readiness=readiness,
        )
