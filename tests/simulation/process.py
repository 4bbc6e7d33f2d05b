"""One process of the product: it runs in a loop of its own and can be killed between any two awaits."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from core.errors import CloudLinkPresenceError
from core.metrics import Metrics
from storage.encryption import Encryption
from sync.domain.context import Context
from sync.domain.services import ServiceClients
from sync.engine import Engine, EngineConfig, run_engine
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.problems.clock_skew import ClockSkewMonitor
from tests.simulation.disk import Disk
from tests.simulation.virtual_time import Stuck, VirtualLoop
from tests.simulation.world import Kind, World

NOT_LISTENING = 503
KEY = Fernet.generate_key().decode()

Act = Callable[[Engine], Awaitable[object]]


@dataclass(frozen=True)
class Installation:
    """What every process of the day is started with."""

    world: World
    config: EngineConfig
    clients: ServiceClients
    disk: Disk


class Process:
    """``run`` returns when the process is killed or has stopped."""

    def __init__(self, installation: Installation) -> None:
        self._world = installation.world
        self._installation = installation
        self._loop = VirtualLoop(installation.world.time)
        self._engine: Engine | None = None
        self._stopping = asyncio.Event()
        self._unanswered: list[Callable[[int], None]] = []

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(self._serve())
        task.add_done_callback(lambda _: self._loop.stop())
        self._world.process = self
        try:
            self._loop.run_forever()
        except Stuck:
            self._world.fail(f"a process is stuck: {self._running()}")
        self._world.process = None
        self._bury()
        if task.done() and (error := task.exception()):
            self._crashed(error)

    def _crashed(self, error: BaseException) -> None:
        """Only where its store is away may a process end by itself."""
        text = "".join(traceback.format_exception(error))
        self._world.note(text)
        if not (isinstance(error, SQLAlchemyError) and self._world.has(Kind.STORE_AWAY)):
            self._world.fail(f"the process ended: {text}")

    async def _serve(self) -> None:
        world, given = self._world, self._installation
        metrics, random = Metrics(CollectorRegistry()), Random(f"{world.seed} {world.time.seconds}")
        jobs = LocalJobs(QueueConfig(world.clock, random, metrics, given.config.intervals.tick))
        database = given.disk.database()
        context = Context(database, given.clients, jobs, world.clock, random, metrics, world.time.now)
        skew = ClockSkewMonitor(world.clock)
        async with run_engine(given.config, context, Encryption([KEY]), jobs, skew) as engine:
            self._engine = engine
            await engine.start()
            await self._stopping.wait()
        self._engine = None

    def kill(self) -> None:
        """As ``kill -9``."""
        self._loop.stop()

    def stop(self) -> None:
        """As a service manager asks for it."""
        self._loop.call_soon(self._stopping.set)

    def _running(self) -> str:
        """Where each task is."""
        where = []
        for task in asyncio.all_tasks(self._loop):
            frames = task.get_stack()
            where += [f"{frames[-1].f_code.co_filename}:{frames[-1].f_lineno}"] if frames else []
        return " ".join(sorted(where))

    def _bury(self) -> None:
        """Nothing that is left of the process has an effect."""
        self._installation.disk.kill()
        for answered in self._unanswered:
            answered(NOT_LISTENING)
        self._world.graves.append(self)
        for task in asyncio.all_tasks(self._loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._loop.close()

    def receive(self, token: str, body: dict[str, Any], answered: Callable[[int], None]) -> None:
        """A webhook's POST."""

        async def post() -> None:
            status = NOT_LISTENING
            if self._engine is not None:
                request = _request(token, json.dumps(body).encode())
                status = (await self._engine.webhooks.receive(request)).status
            self._unanswered.remove(answered)
            answered(status)

        self._unanswered.append(answered)
        self._loop.create_task(post())

    def do(self, act: Act) -> None:
        """An administrator acts; what fails because the process does not run yet is not tried again."""

        async def acting() -> None:
            if self._engine is None:
                return
            try:
                await act(self._engine)
            except (CloudLinkPresenceError, SQLAlchemyError) as error:
                self._world.note(f"an act failed: {error!r}")

        task = self._loop.create_task(acting())
        task.add_done_callback(self._acted)

    def _acted(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self._world.fail("an act crashed: " + "".join(traceback.format_exception(error)))


def _request(token: str, body: bytes) -> web.Request:
    """The part of a request that the handler reads."""

    async def parts() -> AsyncIterator[bytes]:
        yield body

    async def read() -> bytes:
        return body

    content = SimpleNamespace(iter_any=parts, iter_chunked=lambda _size: parts(), read=read)
    request = SimpleNamespace(
        match_info={"token": token},
        content=content,
        content_length=len(body),
        read=read,
        method="POST",
        headers={},
        path=f"/webhooks/cloudlink/{token}",
    )
    return cast(web.Request, request)
