import os
from pathlib import Path

import pytest

from tests.support import tools


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("REQUIRE_TOOLS", raising=False)
    monkeypatch.setattr(tools, "NODE_MODULES", tmp_path)
    return tmp_path


@pytest.mark.parametrize("tool", ["node", "npx", "chromium", "playground", "adaptivecards", "app-manifest"])
def test_a_missing_tool_skips_with_its_name_and_the_remedy(bare_machine: Path, tool: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"needs {tool}: (install|run) "):
        tools.require(tool)


def test_a_missing_tool_fails_where_tools_are_required(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="needs node: install"):
        tools.require("node")


def test_a_present_program_is_found_by_its_path(bare_machine: Path) -> None:
    program = bare_machine / "node"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert tools.require("node") == str(program)
    assert os.access(tools.require("node"), os.X_OK)


def test_a_present_package_is_found_in_node_modules(bare_machine: Path) -> None:
    (bare_machine / "adaptivecards").mkdir()
    assert tools.require("adaptivecards") == str(bare_machine / "adaptivecards")


def test_an_unknown_tool_is_a_mistake_in_the_test() -> None:
    with pytest.raises(KeyError):
        tools.require("hammer")
