"""Tools the tests need and cannot install themselves: found, or the test is skipped with the reason.

With ``REQUIRE_TOOLS=1`` in the environment a missing tool is a failure, so that continuous integration cannot pass
by skipping.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / "node_modules"


def _on_path(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)


def _module(path: str) -> str | None:
    found = NODE_MODULES / path
    return str(found) if found.exists() else None


def _postgres() -> str | None:
    """The server program; Debian keeps it off the path, in one directory per version."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return _on_path("postgres") or (str(newest[-1]) if newest else None)


_FINDERS: dict[str, tuple[Callable[[], str | None], str]] = {
    "node": (lambda: _on_path("node", "nodejs"), "install Node.js 20"),
    "npx": (lambda: _on_path("npx"), "install Node.js 20 with npm"),
    "chromium": (lambda: _on_path("chromium", "chromium-browser"), "install Debian's package chromium"),
    "systemd-analyze": (lambda: _on_path("systemd-analyze"), "install Debian's package systemd"),
    "promtool": (lambda: _on_path("promtool"), "install promtool, of Debian's package prometheus"),
    "postgres": (_postgres, "install Debian's package postgresql"),
    "playground": (lambda: _module("@microsoft/m365agentsplayground/cli.js"), "run npm ci"),
    "adaptivecards": (lambda: _module("adaptivecards"), "run npm ci"),
    "app-manifest": (lambda: _module("@microsoft/app-manifest"), "run npm ci"),
}


def require(tool: str) -> str:
    """The path of ``tool``: a program, or a package under ``node_modules``.

    Skips the calling test (or module) when it is missing; fails instead when ``REQUIRE_TOOLS=1``.
    Raises ``KeyError`` for a tool this table does not know.
    """
    find, remedy = _FINDERS[tool]
    found = find()
    if found is not None:
        return found
    reason = f"needs {tool}: {remedy}"
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
