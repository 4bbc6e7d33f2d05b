"""What a failed journey leaves to read: the last lines of its processes."""

from collections.abc import Generator
from pathlib import Path

import pytest

LINES = 25


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    folder = item.funcargs.get("tmp_path")
    if report.failed and isinstance(folder, Path):
        for log in sorted(folder.glob("**/logs/*.log")):
            lines = log.read_text("utf-8", "replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-LINES:])))
    return report
