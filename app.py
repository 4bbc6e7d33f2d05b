"""The command line, and the composition of settings, storage, sync and bot into one aiohttp application."""

import argparse
import asyncio
import gc
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError

from bot.application import BotConfig, open_bot
from bot.cards.field_errors import links_of
from bot.hosting import SERVICE_HOSTS, AppType, HostingConfig, InsecureHosting
from bot.roles import claim_codes
from bot.roles.admins_setting import AdminsSetting
from core.clock import utc_now
from core.clouds import cloud_of
from core.errors import CloudLinkPresenceError
from core.http.client import open_http
from core.http.connections import ConnectionGate, ConnectionLimits
from core.http.metrics import tracing
from core.http.proxies import WrongProxy, settle_proxies
from core.http.server import CannotListen, listening
from core.logging import configure_logging
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline
from settings import Settings
from storage.database import BUSY_AT_START, Database, database_url, make_private_folder, open_database
from storage.keys import KeySource, KeysUnavailable, load_keys, open_encryption
from storage.maintenance import copy_and_report, re_encrypt_and_report
from storage.schema import NewerDatabase, migrate
from storage.sqlite_to_postgres import CannotCopy
from sync.cloudlink.tables import WireTables, load_tables
from sync.engine import Engine, EngineConfig, open_engine
from sync.jobs.queue import job_queue
from sync.monitoring.routes import operations_routes
from sync.problems.clock_skew import ClockSkewMonitor
from sync.teams.host_credentials import HostCredentials
from sync.teams.managed_identity import managed_identity

SWITCH_SECONDS = 0.001
"""How long a thread may compute while another waits. A tick waits so long for the loop at each of its dozen answers
from the database: with Python's own 5 ms a busy loop made it slower by 60 ms."""

log = structlog.get_logger()


class WrongSetting(CloudLinkPresenceError):
    """A setting is wrong in a way that only its use shows; the message names it."""


class Role(StrEnum):
    """What a process does: everything, or a part, while other processes share the PostgreSQL database."""

    ALL = "serve"
    WEB = "web"
    WORKER = "worker"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit code 2: the settings, the database or the machine do not allow it.

    Every file that this process makes is its owner's alone.
    """
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_SECONDS)
    options = _command_line().parse_args(arguments)
    gc.freeze()  # imported modules are never freed; searching them costs each full collection, and the exit, 0.5 s
    try:
        settings = Settings()
    except ValidationError as error:
        return _refuse(*(_refusal_of(each["loc"], each["msg"]) for each in error.errors()))
    configure_logging(settings.log_level, settings.log_format)
    try:
        settle_proxies(os.environ)
        return asyncio.run(_run(settings, options)) or 0
    except (CannotListen, InsecureHosting, KeysUnavailable, NewerDatabase, WrongProxy, WrongSetting) as error:
        return _refuse(str(error))
    except CannotCopy as error:
        return _refuse(str(error), what="copy")
    except OperationalError as error:
        setting = "DATABASE_URL" if settings.database_url else "DATA_DIR"
        return _refuse(f"{setting}: The database does not answer: {str(error.orig).splitlines()[0]}")
    except ProgrammingError:
        return _refuse("DATABASE_URL: PostgreSQL's library does not accept an option after the question mark.")
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        return _refuse(f"The database is damaged ({error.orig}): put it back from a backup.")


def _refusal_of(location: Sequence[str | int], message: str) -> str:
    """The setting and what is wrong with it; a rule about several settings names them itself."""
    return ": ".join([*(str(name).upper() for name in location[:1]), message.removeprefix("Value error, ")])


def _run(settings: Settings, options: argparse.Namespace) -> Coroutine[Any, Any, int | None]:
    if options.command == "claim-code":
        return claim_code(settings, options.tenant)
    return COMMANDS[options.command](settings)


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description=__doc__)
    descriptions = "; ".join(f"{name}: {function.__doc__}" for name, function in COMMANDS.items())
    parser.add_argument("command", nargs="?", default="serve", choices=COMMANDS, help=descriptions)
    parser.add_argument("--tenant", default="", help="the tenant whose first owner uses the code of claim-code")
    return parser


def _refuse(*reasons: str, what: str = "start") -> int:
    for reason in reasons:
        print(f"CloudLink Presence cannot {what}. {reason}", file=sys.stderr)
    return 2


async def serve(settings: Settings, role: Role = Role.ALL) -> None:
    """All in one: answer Teams and CloudLink, and do the work (the default)"""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    deadline = ShutdownDeadline()
    async with AsyncExitStack() as stack:
        with kept_for_good():
            served = await stack.enter_async_context(open_applications(settings, role, deadline))
        at = settings.operations_host, settings.operations_port
        operations = await stack.enter_async_context(listening(served.operations, *at))
        port = None
        if served.public:
            listener = listening(served.public, settings.host, settings.port, served.gate)
            port = await stack.enter_async_context(listener)
        log.info("listening", role=role.value, host=settings.host, port=port, operations_port=operations)
        await served.engine.start()
        if served.public:
            await offer_claim(settings)
        await stop.wait()
        deadline.begin()
        log.info("stopping")


@contextmanager
def kept_for_good() -> Iterator[None]:
    """Search nothing that is made in the block for garbage, then or later: each search would hold all for 60 ms."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def web_role(settings: Settings) -> None:
    """Answer Teams and CloudLink; leave the work to workers"""
    await serve(settings, Role.WEB)


async def worker_role(settings: Settings) -> None:
    """Do the work; any number of them"""
    await serve(settings, Role.WORKER)


async def bring_up_to_date(settings: Settings) -> None:
    """Create or upgrade the database's tables, and end"""
    async with open_store(settings) as database:
        await migrate(database)


async def claim_code(settings: Settings, tenant: str = "") -> None:
    """Make a one-time code for a tenant's first owner (--tenant ID): on the terminal, or in DATA_DIR, and end"""
    tenant = tenant.strip().lower() or settings.home_tenant
    if not tenant or not _hosting_config(settings).allows_tenant(tenant):
        raise WrongSetting("claim-code needs --tenant with the ID of a tenant in BOT_TENANT_ID or ALLOWED_TENANTS.")
    _require_store(settings)
    async with open_store(settings) as database:
        await migrate(database)
        await claim_codes.hand_over_new(database, utc_now, tenant, settings.data_dir)


async def offer_claim(settings: Settings) -> None:
    """While no one may use the bot, make a code for the first owner: on the terminal or in a private file."""
    async with open_store(settings) as database:
        await claim_codes.hand_over_offer(database, _access(settings), utc_now, settings.data_dir)


async def copy_database(settings: Settings) -> None:
    """Copy the SQLite database under DATA_DIR to the empty PostgreSQL one in DATABASE_URL, and compare the rows."""
    if not settings.database_url.startswith("postgres"):
        raise WrongSetting("DATABASE_URL: must name the PostgreSQL database to copy to (postgresql://...)")
    await copy_and_report(settings.sqlite_file, settings.database_url)


async def rotate_keys(settings: Settings) -> int:
    """Encrypt every stored secret with the first of the encryption keys, so that the others can go."""
    source = _key_source(settings)
    if not (source.given or source.vault_secret):
        _require_file(source.file)
    keys = await load_keys(source)
    _require_store(settings)
    async with open_store(settings) as database:
        await migrate(database)
        return 0 if await re_encrypt_and_report(database, keys) else 1


COMMANDS: Mapping[str, Callable[[Settings], Coroutine[Any, Any, int | None]]] = {
    "serve": serve,
    "web": web_role,
    "worker": worker_role,
    "migrate": bring_up_to_date,
    "claim-code": claim_code,
    "copy-database": copy_database,
    "rotate-keys": rotate_keys,
}


@dataclass(frozen=True, slots=True)
class Applications:
    """``public``, behind ``gate``, is for Teams, CloudLink and browsers; a worker has none.

    ``operations`` is for probes and metrics. ``engine`` is to be started once they are served.
    """

    public: web.Application | None
    operations: web.Application
    gate: ConnectionGate
    engine: Engine


@asynccontextmanager
async def open_applications(
    settings: Settings, role: Role = Role.ALL, deadline: ShutdownDeadline | None = None
) -> AsyncIterator[Applications]:
    """The program, composed: storage, then sync, then the bot, and the HTTP routes to them.

    What the settings forbid is refused before the database is touched. ``deadline`` limits how long work in flight
    may take on leaving the block.
    """
    engine_config, bot_config = _engine_config(settings), _bot_config(settings)
    _check_role(settings, role)
    warn_of_unreadable_files(settings)
    _make_data_dir(settings)
    keys = await load_keys(_key_source(settings))
    async with AsyncExitStack() as stack:
        async with open_store(settings) as starting:
            await migrate(starting)
            encryption = await open_encryption(starting, keys)
        database = await stack.enter_async_context(open_database(settings.database_address))
        registry = CollectorRegistry()
        metrics, skew = Metrics(registry), ClockSkewMonitor(utc_now)
        http = await stack.enter_async_context(open_http([skew.tracing(), tracing(metrics)]))
        works = role is not Role.WEB
        jobs = job_queue(database, utc_now, random.SystemRandom(), metrics, deadline, works=works)
        engine = await stack.enter_async_context(
            open_engine(
                engine_config, database, encryption, http, utc_now, random.SystemRandom(), metrics, jobs, skew
            )
        )
        public = await stack.enter_async_context(
            open_bot(bot_config, database, encryption, engine, http, metrics, deadline)
        )
        operations = web.Application()
        operations.add_routes(operations_routes(engine.readiness, registry))
        yield Applications(None if role is Role.WORKER else public, operations, _gate(settings, metrics), engine)


def _gate(settings: Settings, metrics: Metrics) -> ConnectionGate:
    """What limits the public port's connections, and counts those that it closes."""
    limits = ConnectionLimits(settings.connections, settings.connections_per_peer)
    return ConnectionGate(limits, lambda reason: metrics.connections_closed.labels(reason=reason).inc())


def _check_role(settings: Settings, role: Role) -> None:
    """Raises ``WrongSetting`` for a role that needs a shared database where there is none."""
    if role is not Role.ALL and database_url(settings.database_address).drivername.startswith("sqlite"):
        raise WrongSetting(
            f"DATABASE_URL: the role {role.value} shares a PostgreSQL with others; SQLite is for one process."
        )


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Database]:
    """The database that the settings name, to prepare a start or do one thing; its folder is created first."""
    _make_data_dir(settings)
    async with open_database(settings.database_address, BUSY_AT_START) as database:
        yield database


def _require_store(settings: Settings) -> None:
    """For a command that would otherwise work on an empty SQLite database, made where ``DATA_DIR`` is wrong.

    Raises ``WrongSetting``.
    """
    if not settings.database_url:
        _require_file(settings.sqlite_file)


def _require_file(path: Path) -> None:
    """Raises ``WrongSetting`` if a file under ``DATA_DIR`` is missing."""
    if not path.exists():
        folder = path.parent.absolute()
        raise WrongSetting(f"DATA_DIR: {folder}: there is no {path.name}. Name the folder that the bot uses.")


def _make_data_dir(settings: Settings) -> None:
    """Create ``DATA_DIR`` if it is missing. Raises ``WrongSetting`` if it cannot be."""
    try:
        make_private_folder(settings.data_dir)
    except OSError as error:
        raise WrongSetting(f"DATA_DIR: {settings.data_dir}: {error.strerror}") from None


def warn_of_unreadable_files(settings: Settings) -> None:
    """Log the host's certificate or token that cannot be read yet: the platform may write it later."""
    for name in ("certificate_path", "federated_token_file"):
        path = getattr(settings, name)
        if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):
            log.warning("file_unreadable", setting=name.upper(), path=str(path))


def _access(settings: Settings) -> AdminsSetting:
    return AdminsSetting(settings.admins, settings.home_tenant)


def _key_source(settings: Settings) -> KeySource:
    return KeySource(
        given=[key.get_secret_value() for key in settings.secret_keys],
        vault_secret=settings.key_vault_secret,
        vault_identity=settings.managed_identity_client_id,
        file=settings.data_dir / "secret.key",
    )


def _engine_config(settings: Settings) -> EngineConfig:
    identity = settings.managed_identity_client_id
    return EngineConfig(
        entra_url=settings.entra_url,
        graph_url=settings.graph_url,
        cloudlink_url=settings.cloudlink_url,
        public_url=settings.public_url,
        presence_quota=settings.presence_quota,
        max_integrations=settings.max_integrations,
        initial_version=settings.feature_version,
        tables=_tables(settings),
        host=HostCredentials(
            settings.certificate_path,
            settings.certificate_password.get_secret_value(),
            settings.federated_token_file,
            managed_identity(identity) if identity else None,
            frozenset(_pair(entry) for entry in settings.host_credential_tenants),
        ),
    )


def _pair(entry: str) -> tuple[str, str]:
    """A Teams tenant and the Entra tenant listed for it."""
    owner, _, entra = entry.lower().partition("/")
    return owner, entra


def _tables(settings: Settings) -> WireTables:
    try:
        return load_tables(settings.cloudlink_tables)
    except ValueError as error:
        raise WrongSetting(f"CLOUDLINK_TABLES: {error}") from None


def _bot_config(settings: Settings) -> BotConfig:
    return BotConfig(
        hosting=_hosting_config(settings),
        access=_access(settings),
        links=links_of(cloud_of(settings.graph_url)),
        public_url=settings.public_url,
        local_url=settings.local_url,
        settings=settings.model_dump(),
    )


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
