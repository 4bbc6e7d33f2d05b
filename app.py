"""The composition root and the command line: settings, storage, sync, bot, one aiohttp application."""

import argparse
import asyncio
import gc
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from bot.chat.history_export import HistoryExport
from bot.hosting import SERVICE_HOSTS, AppType, Host, HostingConfig, InsecureHosting, open_host
from bot.languages import load_texts
from bot.pipeline import Pipeline
from bot.proactive.notifier import Notifier
from bot.proactive.update_cards import UpdateCards
from bot.roles import claim_codes
from bot.roles.admins_setting import AdminsSetting
from core.clock import utc_now
from core.http import is_loopback
from core.http_metrics import tracing
from core.logging import configure_logging
from core.metrics import Metrics
from core.shutdown import SHUTDOWN_SECONDS, ShutdownDeadline
from settings import Settings
from storage.database import Database, open_database
from storage.encryption import Encryption, check_keys, key_from_file
from storage.key_rotation import Resealed, are_unreadable, reseal
from storage.key_vault import VaultUnreadable, keys_from_vault
from storage.schema import NewerDatabase, migrate
from storage.sqlite_to_postgres import CannotCopy, copy
from sync.cloudlink.tables import WireTables, load_tables
from sync.domain.jobs import NOTIFY, SHOW_UPDATE, JobQueue
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.problems.clock_skew import ClockSkewMonitor
from sync.teams.host_credentials import HostCredentials
from sync.teams.managed_identity import managed_identity

log = structlog.get_logger()

REQUEST_SECONDS = SHUTDOWN_SECONDS / 2 - 0.5
"""What requests under way get when the process stops. aiohttp 3.14 gives it twice: to answer, then to give up."""
KEY_LOST = (
    "Find the key they were sealed with and put it last in SECRET_KEYS, or enter the secrets again "
    "(edit integration, rotate secret)."
)
PROGRESS_EVERY = 5000
"""Rows."""


class WrongSetting(Exception):
    """A setting that only its reader can judge; the message names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Exit code 2: the settings or the database do not allow it."""
    asked = _command_line().parse_args(arguments)
    gc.freeze()  # what was imported stays: to look through it again costs every full collection, and the end, 0.5 s
    try:
        settings = Settings()
    except ValidationError as error:
        return _refuse(*(f"{str(*each['loc'][:1]).upper()}: {each['msg']}" for each in error.errors()))
    configure_logging(settings.log_level, settings.log_format)
    try:
        return asyncio.run(_work(settings, asked)) or 0
    except (InsecureHosting, NewerDatabase, WrongSetting) as error:
        return _refuse(str(error))
    except CannotCopy as error:
        return _refuse(str(error), what="copy")
    except OperationalError as error:
        return _refuse(f"The database does not answer: {str(error.orig).splitlines()[0]}")


def _work(settings: Settings, asked: argparse.Namespace) -> Coroutine[Any, Any, int | None]:
    if asked.command == "claim-code":
        return claim_code(settings, asked.tenant)
    return COMMANDS[asked.command](settings)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description=__doc__)
    told = "; ".join(f"{name}: {function.__doc__}" for name, function in COMMANDS.items())
    parser.add_argument("command", nargs="?", default="serve", choices=COMMANDS, help=told)
    parser.add_argument("--tenant", default="", help="whose first owner the code of claim-code is for")
    return parser


def _refuse(*reasons: str, what: str = "start") -> int:
    for reason in reasons:
        print(f"CloudLink Presence cannot {what}. {reason}", file=sys.stderr)
    return 2


class Role(StrEnum):
    """What a process does; all of it, or a part beside others that share a PostgreSQL."""

    ALL = "serve"
    WEB = "web"
    WORKER = "worker"


async def serve(settings: Settings) -> None:
    """All in one: answer Teams and CloudLink, and do the work (the default)"""
    await _serve(settings, Role.ALL)


async def web_role(settings: Settings) -> None:
    """Answer Teams and CloudLink; leave the work to workers"""
    await _serve(settings, Role.WEB)


async def worker_role(settings: Settings) -> None:
    """Do the work; any number of them"""
    await _serve(settings, Role.WORKER)


async def _serve(settings: Settings, role: Role) -> None:
    """Until SIGTERM or SIGINT; what is in flight is finished, the rest stays in the store."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    deadline = ShutdownDeadline()
    async with open_application(settings, role, deadline) as application, listening(application, settings) as port:
        log.info("listening", role=role.value, host=settings.host, port=port)
        if role is not Role.WORKER:
            await offer_claim(settings)
        await stop.wait()
        deadline.begin()
        log.info("stopping")


async def bring_up_to_date(settings: Settings) -> None:
    """Create or upgrade the database's tables, and end"""
    async with open_store(settings) as database:
        await migrate(database)


async def claim_code(settings: Settings, tenant: str = "") -> None:
    """Print a one-time code by which a tenant's first owner comes in (--tenant ID), and end"""
    tenant = tenant.strip().lower() or settings.home_tenant
    if not tenant or not _hosting_config(settings).allows_tenant(tenant):
        raise WrongSetting("claim-code needs --tenant with the ID of a tenant in BOT_TENANT_ID or ALLOWED_TENANTS.")
    async with open_store(settings) as database:
        await migrate(database)
        print(claim_codes.told(await claim_codes.make(database, utc_now, tenant, claim_codes.new_code()), tenant))


async def offer_claim(settings: Settings) -> None:
    """While nobody may use the bot, tell who started it how somebody can: on the terminal, never in the log."""
    async with open_store(settings) as database:
        told = await claim_codes.offer(database, _access(settings), utc_now, claim_codes.new_code())
    if told:
        print(told, flush=True)


async def copy_database(settings: Settings) -> None:
    """Copy the SQLite database under DATA_DIR to the empty PostgreSQL one in DATABASE_URL, and compare the rows."""
    if not settings.database_url.startswith("postgres"):
        raise WrongSetting("DATABASE_URL: must name the PostgreSQL database to copy to (postgresql://...)")
    source = sqlite_file(settings)
    counts = await asyncio.to_thread(copy, source, settings.database_url, _tell_progress)
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"Copied and compared, row by row: {told}.")
    print(f"{source} is left as it was. The encryption keys are not in it: keep those the bot has.")


async def rotate_keys(settings: Settings) -> int:
    """Seal every stored secret anew with the first of the encryption keys, so that the others can go."""
    async with open_store(settings) as database:
        await migrate(database)
        counts = await reseal(database, Encryption(await _keys(settings)), _tell_resealed)
    print(f"{counts.anew} secrets sealed anew with the first key, {counts.already} had it already.")
    if counts.unreadable:
        print(f"{counts.unreadable} cannot be opened with any key at hand. {KEY_LOST}")
    return 1 if counts.unreadable else 0


def _tell_resealed(name: str, counts: Resealed) -> None:
    print(f"{name}: {counts.anew} anew, {counts.already} already, {counts.unreadable} unreadable", flush=True)


def _tell_progress(name: str, done: int, total: int) -> None:
    """A line for each table, and for each so many rows of a long one."""
    if done == total or not done % PROGRESS_EVERY:
        print(f"{name}: {done} of {total}", flush=True)


COMMANDS: Mapping[str, Callable[[Settings], Coroutine[Any, Any, int | None]]] = {
    "serve": serve,
    "web": web_role,
    "worker": worker_role,
    "migrate": bring_up_to_date,
    "claim-code": claim_code,
    "copy-database": copy_database,
    "rotate-keys": rotate_keys,
}


@asynccontextmanager
async def listening(application: web.Application, settings: Settings) -> AsyncIterator[int]:
    """Listen on the settings' host and port; yields the port, which matters when 0 was asked for."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=REQUEST_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_application(
    settings: Settings, role: Role = Role.ALL, deadline: ShutdownDeadline | None = None
) -> AsyncIterator[web.Application]:
    """Everything, wired: storage, then sync, then the bot, and the HTTP surface over them.

    ``deadline`` is what is in flight gets to finish on leaving the block.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_store(settings))
        await migrate(database)
        skew = ClockSkewMonitor(utc_now)
        registry = CollectorRegistry()
        encryption = await open_encryption(settings, database)
        metrics = Metrics(registry)
        watched = [skew.tracing(), tracing(metrics)]
        http = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trace_configs=watched)
        )
        engine = await stack.enter_async_context(
            open_engine(
                _engine_config(settings),
                database,
                encryption,
                http,
                utc_now,
                random.SystemRandom(),
                metrics,
                _job_queue(database, metrics, role, deadline),
                skew,
            )
        )
        access = _access(settings)
        exports = HistoryExport(
            database, encryption, utc_now, load_texts(), access, settings.public_url, own_url(settings)
        )
        conversation = Pipeline(
            database,
            encryption,
            engine,
            access,
            utc_now,
            exports=exports,
            metrics=metrics,
        )
        host = await stack.enter_async_context(
            open_host(_hosting_config(settings), conversation, http, utc_now, deadline=deadline, metrics=metrics)
        )
        notifier = Notifier(database, host.messenger, access, utc_now, random.SystemRandom())
        await notifier.start()
        engine.jobs.register(NOTIFY, notifier.notify)
        cards = UpdateCards(database, engine.updates, host.messenger, load_texts(), access)
        engine.jobs.register(SHOW_UPDATE, cards.show)
        application = build_application(engine, registry)
        if role is not Role.WORKER:
            add_public_routes(application, host, engine, exports)
        yield application


def add_public_routes(application: web.Application, host: Host, engine: Engine, exports: HistoryExport) -> None:
    """What Teams, CloudLink and browsers ask for."""
    application.router.add_route("*", "/api/messages", host.messages)
    application.router.add_post("/webhooks/cloudlink/{token}", engine.webhooks.receive)
    application.router.add_get("/exports/{token}", exports.serve)


def build_application(engine: Engine, registry: CollectorRegistry) -> web.Application:
    """What machines ask every process for."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = await engine.watch.ready()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        await engine.watch.measure()
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application(client_max_size=256 * 1024)
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return application


def own_url(settings: Settings) -> str:
    """Where this machine reaches the bot; empty when that is not known, or not over loopback."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}" if settings.port and is_loopback(f"//{host}") else ""


def _job_queue(database: Database, metrics: Metrics, role: Role, deadline: ShutdownDeadline | None) -> JobQueue:
    """Where jobs are done: in PostgreSQL for any number of processes, or in this one with SQLite."""
    random_ = random.SystemRandom()
    if not database.is_sqlite:
        from sync.jobs.postgres import QueuedJobs  # slow to import, and of no use to SQLite

        return QueuedJobs(
            database.conninfo, utc_now, random_, metrics, works=role is not Role.WEB, deadline=deadline
        )
    if role is not Role.ALL:
        raise WrongSetting(
            f"DATABASE_URL: the role {role.value} shares a PostgreSQL with others; SQLite is for one process."
        )
    return LocalJobs(utc_now, random_, metrics, deadline=deadline)


def _access(settings: Settings) -> AdminsSetting:
    return AdminsSetting(settings.admins, settings.home_tenant)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Database]:
    """The database the settings name; the folder for what is kept in files is there then."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with open_database(_database_url(settings)) as database:
        yield database


def _database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite+aiosqlite:///{sqlite_file(settings)}"


def sqlite_file(settings: Settings) -> Path:
    """Where everything is stored by default."""
    return settings.data_dir / "presence.db"


async def open_encryption(settings: Settings, database: Database) -> Encryption:
    """The seal for the secrets in ``database``; when it does not open them the log says so, and the bot goes on."""
    encryption = Encryption(await _keys(settings))
    if await are_unreadable(database, encryption):
        log.error("secrets_unreadable", remedy=KEY_LOST)
    return encryption


async def _keys(settings: Settings) -> list[str]:
    if settings.key_vault_secret:
        return await _keys_from_vault(settings)
    given = [key.get_secret_value() for key in settings.secret_keys]
    return given or [key_from_file(settings.data_dir / "secret.key")]


async def _keys_from_vault(settings: Settings) -> list[str]:
    try:
        keys = await keys_from_vault(settings.key_vault_secret, settings.managed_identity_client_id)
        check_keys(keys)
    except (VaultUnreadable, ValueError) as error:
        raise WrongSetting(f"KEY_VAULT_SECRET: {error}") from None
    return keys


def _engine_config(settings: Settings) -> EngineConfig:
    identity = settings.managed_identity_client_id
    return EngineConfig(
        entra_url=settings.entra_url,
        graph_url=settings.graph_url,
        cloudlink_url=settings.cloudlink_url,
        public_url=settings.public_url,
        presence_quota=settings.presence_quota,
        newcomers_at=settings.feature_version,
        tables=_tables(settings),
        host=HostCredentials(
            settings.certificate_path,
            settings.certificate_password.get_secret_value(),
            settings.federated_token_file,
            managed_identity(identity) if identity else None,
        ),
    )


def _tables(settings: Settings) -> WireTables:
    try:
        return load_tables(settings.cloudlink_tables)
    except ValueError as error:
        raise WrongSetting(f"CLOUDLINK_TABLES: {error}") from None


def _hosting_config(settings: Settings) -> HostingConfig:
    return HostingConfig(
        app_id=settings.bot_app_id,
        app_password=settings.bot_app_password.get_secret_value(),
        app_type=AppType(settings.bot_app_type),
        tenant_id=settings.bot_tenant_id,
        openid_metadata_url=settings.bot_openid_metadata_url,
        token_issuer=settings.bot_token_issuer,
        entra_url=settings.entra_url,
        allowed_tenants=settings.allowed_tenants,
        allowed_service_hosts=settings.allowed_service_hosts or SERVICE_HOSTS,
        dangerously_allow_unauthenticated=settings.dangerously_allow_unauthenticated,
    )


if __name__ == "__main__":
    sys.exit(main())
