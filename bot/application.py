"""Wiring of the bot: what commands use, the chain that a turn passes, what is sent first, and the HTTP routes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from random import SystemRandom
from time import monotonic
from typing import Any

import aiohttp
from aiohttp import web

from bot.cards.field_errors import Links
from bot.chat.context import Services
from bot.chat.crowd_limit import CrowdLimit
from bot.chat.exports.certificate_file import CertificateFile
from bot.chat.exports.diagnostics import settings_facts
from bot.chat.exports.download import Exports
from bot.chat.exports.files import export_files
from bot.chat.exports.links import ExportLinks
from bot.chat.exports.monitor_secret import MonitorSecretPage
from bot.chat.imports.download import FileDownload
from bot.chat.preview_cache import PreviewCache
from bot.commands import COMMANDS
from bot.hosting import Host, HostingConfig, open_host
from bot.hosting.auth.bot_token import token_source
from bot.languages import load_texts
from bot.pipeline import Pipeline
from bot.proactive.notifier import Notifier
from bot.proactive.removal_message import RemovalMessage
from bot.proactive.update_cards import UpdateCards
from bot.roles.admins_setting import AdminsSetting
from core.clock import steady_now, utc_now
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline
from storage.database import Database
from storage.encryption import Encryption
from sync.domain.jobs import NOTIFY, SHOW_REMOVED, SHOW_UPDATE
from sync.engine import Engine
from sync.monitoring.readiness import BOT, ENTRA
from sync.monitoring.routes import liveness_route


@dataclass(frozen=True, slots=True)
class BotConfig:
    """What the settings say about the bot.

    ``public_url`` is where others reach the program, ``local_url`` where this machine does. ``settings`` are all by
    name, for diagnostics (``settings_facts``).
    """

    hosting: HostingConfig
    access: AdminsSetting
    links: Links
    public_url: str
    local_url: str
    settings: Mapping[str, Any] = field(repr=False)


@asynccontextmanager
async def open_bot(
    config: BotConfig,
    database: Database,
    encryption: Encryption,
    engine: Engine,
    http: aiohttp.ClientSession,
    metrics: Metrics,
    deadline: ShutdownDeadline | None = None,
) -> AsyncIterator[web.Application]:
    """What answers Teams, CloudLink and browsers, for the length of the block; notices are sent meanwhile.

    On leaving it, open turns may finish until ``deadline``.
    """
    services = _services(config, database, encryption, engine, http)
    pipeline = Pipeline(services, metrics, CrowdLimit(database, config.access, monotonic))
    tokens = token_source(config.hosting, steady_now)
    engine.readiness.watch(BOT, tokens.is_accepted)
    engine.readiness.watch(ENTRA, tokens.is_reachable)
    async with open_host(
        config.hosting, pipeline, http, utc_now, metrics, deadline=deadline, tokens=tokens
    ) as host:
        await _start_notifications(services, engine, host)
        files = export_files(services, settings_facts(config.settings))
        exports = Exports(services, services.export_links, files)
        yield public_application(host, engine, exports, CertificateFile(services), MonitorSecretPage(services))


def _services(
    config: BotConfig, database: Database, encryption: Encryption, engine: Engine, http: aiohttp.ClientSession
) -> Services:
    return Services(
        database=database,
        encryption=encryption,
        operations=engine,
        access=config.access,
        clock=utc_now,
        languages=load_texts(),
        links=config.links,
        previews=PreviewCache(steady_now),
        export_links=ExportLinks(encryption, utc_now, config.public_url, config.local_url),
        files=FileDownload(http, allows_loopback=config.hosting.dangerously_allow_unauthenticated),
        commands=COMMANDS,
    )


async def _start_notifications(services: Services, engine: Engine, host: Host) -> None:
    """Have the bot send what sync asks for: notices, and update cards with their progress."""
    notifier = Notifier(services, host.messenger, SystemRandom())
    await notifier.start()
    engine.jobs.replace(NOTIFY, notifier.notify)
    cards = UpdateCards(services, engine.updates, host.messenger)
    engine.jobs.replace(SHOW_UPDATE, cards.show)
    engine.jobs.replace(SHOW_REMOVED, RemovalMessage(services, host.messenger, engine.jobs).show)


def public_application(
    host: Host, engine: Engine, exports: Exports, certificate: CertificateFile, monitor_secret: MonitorSecretPage
) -> web.Application:
    """The routes that Teams, CloudLink and browsers call, and liveness for the platform."""
    application = web.Application(client_max_size=256 * 1024)
    application.add_routes([liveness_route()])
    application.router.add_route("*", "/api/messages", host.messages)
    for method, path in product(("POST", "PUT"), ("/webhooks/cloudlink/{token}", "/webhooks/cloudlink/{token}/")):
        application.router.add_route(method, path, engine.way_in.answering(engine.webhooks.receive))
    application.router.add_get("/exports/{token}", exports.serve)
    application.router.add_get("/exports/certificates/{token}", certificate.serve)
    application.router.add_get("/exports/monitors/{token}", monitor_secret.ask)
    application.router.add_post("/exports/monitors/{token}", monitor_secret.hand_over)
    return application
