"""Composes sync: services, store, jobs, schedule; everything an application needs of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import aiohttp

from storage.database import Database
from storage.sealing import Seal
from sync.census import Census
from sync.clock import Clock
from sync.cloudlink.wire import WireTables, load_tables
from sync.connections import Addresses, Connections
from sync.credential_changes import CredentialChanges
from sync.editing import Editor
from sync.features import NEWEST
from sync.host_credentials import HostCredentials
from sync.integrations import Integrations, Reach
from sync.jobs import Workshop
from sync.messages import Messages
from sync.metrics import Metrics
from sync.moving import Mover
from sync.names import (
    EXPIRY,
    GLANCE,
    INSTALL,
    MATCH,
    MESSAGE,
    NOTIFY,
    POLL,
    PROBE,
    PUSH,
    REMOVE,
    ROTATE,
    SHOW_UPDATE,
    SUBSCRIBE,
    SWEEP,
    TIDY,
    WARN,
)
from sync.poller import Poller
from sync.prober import Prober
from sync.quota import Quota
from sync.reconciler import Reconciler
from sync.recorder import Recorder
from sync.remover import Remover
from sync.roster import Roster
from sync.rotator import Rotator
from sync.scheduler import Intervals, Scheduler
from sync.secret_expiry import SecretExpiry
from sync.skew import SkewWatch
from sync.subscriber import Subscriber
from sync.updates import available
from sync.updates.catalogue import catalogue
from sync.updates.installer import Installer
from sync.updates.updates import Updates
from sync.warner import Warner
from sync.watch import Watch
from sync.webhooks import Webhooks


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
        integrations: Integrations,
        credentials: CredentialChanges,
        webhooks: Webhooks,
        updates: Updates,
        jobs: Workshop,
        watch: Watch,
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
    seal: Seal,
    http: aiohttp.ClientSession,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    jobs: Workshop,
    skew: SkewWatch | None = None,
) -> AsyncIterator[Engine]:
    """Sync for the length of the block: takes up what was left behind, then goes on by its schedule.

    ``jobs`` is opened and filled here; its job ``NOTIFY`` does nothing until somebody who speaks to people
    registers their own. ``skew`` watches the answers that come through ``http``; without it nobody warns of a
    wrong clock.
    """
    every = config.intervals
    addresses = Addresses(config.entra_url, config.graph_url, config.cloudlink_url)
    outside = Connections(http, addresses, config.tables, clock, random, config.host, metrics)
    recorder = Recorder(database, jobs, clock, metrics)
    reconciler = Reconciler(database, seal, outside, jobs, Quota(config.presence_quota), clock, random, metrics)
    roster = Roster(database, seal, outside, jobs, clock)
    glance_every = timedelta(seconds=every.poll_with_webhooks)
    poller = Poller(database, seal, outside, recorder, jobs, clock, glance_every=glance_every)
    prober = Prober(database, seal, outside, jobs, clock, timedelta(seconds=every.recheck_credentials))
    renew_after = timedelta(seconds=every.renew_subscription)
    subscriber = Subscriber(database, seal, outside, jobs, clock, config.public_url, renew_after)
    remover = Remover(database, subscriber, jobs, clock, timedelta(seconds=every.removal_patience))
    scheduler = Scheduler(database, jobs, clock, random, every, bool(config.public_url))
    functions = {
        PUSH: reconciler.push,
        POLL: poller.poll,
        GLANCE: poller.glance,
        MATCH: roster.match,
        SUBSCRIBE: subscriber.keep,
        PROBE: prober.probe,
        REMOVE: remover.remove,
        SWEEP: scheduler.sweep,
        TIDY: scheduler.tidy,
    }
    rotation_lease = timedelta(seconds=every.rotation_lease)
    rotator = Rotator(database, seal, outside, jobs, clock, random, rotation_lease)
    expiry = SecretExpiry(database, seal, outside, config.host, clock)
    functions |= {ROTATE: rotator.rotate, EXPIRY: expiry.refresh}
    for name, function in functions.items():
        jobs.register(name, function)
    warn_every = timedelta(seconds=every.warn)
    warner = Warner(database, jobs, clock, metrics, warn_every, available, (skew or SkewWatch(clock)).seconds)
    jobs.register(WARN, warner.look)
    jobs.register(NOTIFY, nobody_listens)
    messages = Messages(database, seal, outside, jobs, Quota(config.presence_quota), clock, random, metrics)
    update_catalogue = catalogue(database, roster, messages)
    patience = timedelta(seconds=every.update_patience)
    jobs.register(MESSAGE, messages.tell)
    jobs.register(INSTALL, Installer(database, update_catalogue, jobs, clock, patience).install)
    jobs.register(SHOW_UPDATE, nobody_listens)
    updates = Updates(database, update_catalogue, jobs, clock)
    editor = Editor(database, seal, outside, roster, Mover(database, seal, outside, clock), jobs, clock)
    reach = Reach(bool(config.public_url), timedelta(seconds=every.poll))
    integrations = Integrations(
        database, seal, outside, roster, poller, prober, jobs, clock, reach, editor, config.newcomers_at
    )
    credentials = CredentialChanges(database, seal, outside, config.host, jobs, clock)
    webhooks = Webhooks(database, recorder, config.tables, metrics)
    metrics.quota_limit.set(config.presence_quota)
    watch = Watch(database, jobs, Census(database, metrics, clock), metrics)
    async with jobs.running():
        if jobs.works:
            await scheduler.start()
        try:
            yield Engine(integrations, credentials, webhooks, updates, jobs, watch)
        finally:
            await watch.close()
