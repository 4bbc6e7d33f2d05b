"""Services that a test starts and kills, forked where the product's modules are imported already.

``fork`` is as ``sandbox.processes.start``, for programs of ours. See ``tests.support.processes``.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

from sandbox.processes import RunningService, Service
from tests.support.processes import FORKS, Forked, run_main
from tests.support.tools import ROOT

LOOK_SECONDS = 0.01


class ForkedProcess:
    """The part of ``asyncio.subprocess.Process`` that the tests use."""

    def __init__(self, forked: Forked) -> None:
        self._process = FORKS.Process(target=forked, daemon=True)

    async def start(self) -> None:
        """The first one of a test run imports the product's modules, which takes seconds."""
        await asyncio.to_thread(self._process.start)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        while self.returncode is None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return self.returncode


async def fork(service: Service, logs: Path) -> RunningService:
    """Start a service with an empty log ``logs/<name>.log``."""
    log, environment = logs / f"{service.name.lower()}.log", {**os.environ, **service.environment}
    process = await forked(partial(_main, service.command), log, environment, service.directory or ROOT)
    return RunningService(service, cast(asyncio.subprocess.Process, process), log)


async def forked(
    program: Callable[[], int | None], log: Path, environment: Mapping[str, str], folder: Path = ROOT
) -> ForkedProcess:
    """``program``, which is sent there, in a process of its own; all it prints goes to ``log``."""
    with log.open("wb") as output:
        process = ForkedProcess(Forked(folder, program, environment, output.fileno(), output.fileno()))
        await process.start()
    return process


def _main(command: Sequence[str]) -> int | None:
    """Of the program that a command line names: ``python -m MODULE`` or ``python app.py``."""
    match command:
        case (_, "-m", module, *arguments):
            return cast(int | None, import_module(f"{module}.__main__").main(arguments))
        case (_, _, *arguments):
            return run_main(arguments)
    raise ValueError(command)
