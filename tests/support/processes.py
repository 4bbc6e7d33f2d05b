"""``app.py`` as a separate process, forked where its modules are imported already, and ended with the test.

A start from the command line spends two seconds on imports. So one process does that once a test run, and the
others are forked from it: each has its own environment, folder and output, calls ``main`` and can be killed.
``tests.support.forks`` does the same for services.
``run_command`` starts the command itself, for what an import reads from the environment, such as certificates.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.reduction import DupFd
from pathlib import Path
from threading import Thread
from typing import Any

APP = Path(__file__).resolve().parents[2] / "app.py"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "app", __name__])


class AppProcess:
    """The part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.args = arguments
        (output, its_output), (errors, its_errors) = os.pipe(), os.pipe()
        program = partial(run_main, arguments)
        self._process = FORKS.Process(
            target=Forked(folder, program, environment, its_output, its_errors), daemon=True
        )
        self._process.start()
        os.close(its_output)
        os.close(its_errors)
        self.stdout, self.stderr = open(output), open(errors)  # noqa: SIM115

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self._process.exitcode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; returns the rest of its output and of its error output."""
        errors: list[str] = []
        reading = Thread(target=lambda: errors.append(self.stderr.read()))
        reading.start()
        output = self.stdout.read()
        reading.join()
        self.wait(timeout)
        return output, errors[0]

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self.stdout.close()
        self.stderr.close()


def run_main(arguments: Sequence[str]) -> int:
    from app import main

    return main(arguments)


class Forked:
    """What the forked process does: ``program``, in a process group of its own. Pickled and sent there."""

    def __init__(
        self, folder: Path, program: Callable[[], int | None], environment: Mapping[str, str], *outputs: int
    ) -> None:
        self._folder, self._program, self._environment = folder, program, environment
        self._outputs = outputs

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_outputs": [DupFd(each) for each in self._outputs]}

    def __call__(self) -> None:
        os.setsid()
        for number, (name, output) in enumerate(zip(("stdout", "stderr"), self._outputs, strict=True), 1):
            os.dup2(output.detach(), number)  # type: ignore[attr-defined]
            setattr(sys, name, open(number, "w", buffering=number - 1 or -1, closefd=False))  # noqa: SIM115
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(self._folder)
        sys.exit(self._program())


@contextmanager
def app_process(folder: Path, *arguments: str, **settings: str) -> Iterator[AppProcess]:
    """``app.py`` with these arguments and settings alone, its data in ``folder``; ended with the block."""
    process = AppProcess(folder, arguments, _environment(folder) | settings)
    try:
        yield process
    finally:
        process.close()


def run_app(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run it to its end: exit code, output, error output."""
    with app_process(folder, *arguments, **settings) as process:
        output, errors = process.communicate(timeout=100)
        assert process.returncode is not None
        return process.returncode, output, errors


def run_command(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """The same for the real command line, from the first import on."""
    command = [sys.executable, str(APP), *arguments]
    environment = _environment(folder) | settings
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data"), "PORT": "0", "OPERATIONS_PORT": "0"}
