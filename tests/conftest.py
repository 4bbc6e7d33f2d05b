"""What all tests have; what is slow to import is imported by the fixture that needs it."""

import asyncio
import gc
import os
import sys
from collections.abc import Generator
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.shared_work import share_folder

HERE = Path(__file__).parent
LOG_LINES = 25
SHARED = (
    "test_tenant_isolation.py",
    "test_withdrawn_roles.py",
    "test_idempotency.py",
    "test_switchboard_page.py",
)
LONG_FOLDERS = {"bench", "chaos", "load", "simulation", "spikes"}
SLOWEST_FIRST = (*SHARED, "e2e", "scenarios", "simulation")
"""Of the longer tier these begin first: no worker starts one of minutes when the others have finished."""

WAITING = {"chaos", "load"}
"""These wait more than they work: spread over the longer tier but for its end, others work meanwhile."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Imports leave no garbage to search for."""
    gc.disable()
    if folder := share_folder():
        session.config.add_cleanup(folder.cleanup)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules of the longer tier alone are not imported for nothing."""
    if config.option.markexpr == "not long" and LONG_FOLDERS & set(_parts(collection_path)):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Each worker of a whole run compiles another part of the modules, and reads of the others what that wrote."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0))
    if not workers or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    own = sorted(HERE.glob("**/test_*.py"))[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) :: workers]
    for path in own:
        if not pytest_ignore_collect(path, session.config):
            with suppress(Exception, pytest.skip.Exception):  # the collection reports it
                import_module(".".join(path.relative_to(HERE.parent).with_suffix("").parts))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return OneWorldEach(config, log) if config.getoption("dist") == "loadscope" else None


class OneWorldEach(LoadScopeScheduling):  # type: ignore[misc]
    """Sends a test to the next free worker; those that share what is slow to make, to one.

    A module's fixture is that, once for each database. The mark ``xdist_group`` has no effect with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        if not path.endswith(SHARED):
            return nodeid
        return path + " postgresql" * ("postgresql" in test)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of these folders are of the longer tier, whatever they say themselves."""
    if LONG_FOLDERS & set(_parts(item.path)):
        item.add_marker(pytest.mark.long)


@cache
def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(HERE).parts


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of those that were selected."""
    items.sort(key=_turn)
    waiting = [item for item in items if WAITING & set(_parts(item.path))]
    working = [item for item in items if not WAITING & set(_parts(item.path))]
    places = {item: number / len(working) for number, item in enumerate(working)}
    places |= {item: 0.8 * number / len(waiting) for number, item in enumerate(waiting)}
    items.sort(key=places.__getitem__)


def _turn(item: pytest.Item) -> int:
    slow = [turn for turn, name in enumerate(SLOWEST_FIRST) if name in _parts(item.path)]
    return slow[0] if slow and item.get_closest_marker("long") else len(SLOWEST_FIRST)


def pytest_collection_finish() -> None:
    """Do not search the imported modules for garbage again and again: that takes a fifth of the time of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With where tasks waited when time was over, and the last lines of the logs of a failed test's processes."""
    report = yield
    folder = item.funcargs.get("tmp_path")
    if report.failed and "from pytest-timeout" in report.longreprtext:
        report.sections.append(("unfinished tasks", _unfinished_tasks()))
    if report.failed and isinstance(folder, Path):
        for log in sorted(folder.glob("**/logs/*.log")):
            lines = log.read_text("utf-8", "replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-LOG_LINES:])))
    return report


def _unfinished_tasks() -> str:
    text = StringIO()
    for found in gc.get_objects():
        if isinstance(found, asyncio.Task) and not found.done():
            found.print_stack(file=text)
    return text.getvalue()


def pytest_sessionfinish() -> None:
    if postgres := sys.modules.get("tests.support.storage.postgres"):
        postgres.stop()


@pytest.fixture(params=["botbuilder", pytest.param("agents_sdk", marks=pytest.mark.long)])
def framework(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot under test runs on each SDK: on the product's, and on the one that is to follow it."""
    from bot.hosting.sdk import botbuilder
    from tests.spikes.agents_hosting import agents_sdk
    from tests.support.bot import hosting as harness

    frameworks = {"botbuilder": botbuilder, "agents_sdk": agents_sdk}
    monkeypatch.setattr(harness, "make_framework", frameworks[request.param])
