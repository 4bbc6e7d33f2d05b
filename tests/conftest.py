"""What all tests have; what is slow to import is imported by the fixture that needs it."""

import gc
import sys
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

LOG_LINES = 25
LONG_FOLDERS = {"bench", "chaos", "load", "simulation", "spikes"}
SLOWEST_FIRST = ("test_tenant_isolation.py", "e2e", "scenarios", "chaos", "load")
"""Of the longer tier these begin first: no worker starts one of minutes when the others have finished."""


def pytest_sessionstart() -> None:
    """Imports leave no garbage to search for."""
    gc.disable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of these folders are of the longer tier, whatever they say themselves."""
    if LONG_FOLDERS & set(_parts(item.path)):
        item.add_marker(pytest.mark.long)


@cache
def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(Path(__file__).parent).parts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


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
    """With the last lines of the logs that a failed test's processes wrote."""
    report = yield
    folder = item.funcargs.get("tmp_path")
    if report.failed and isinstance(folder, Path):
        for log in sorted(folder.glob("**/logs/*.log")):
            lines = log.read_text("utf-8", "replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-LOG_LINES:])))
    return report


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
