"""What the hosting tests cannot check: that the spike does not depend on botbuilder."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.tools import ROOT

SPIKE = ROOT / "tests/spikes/agents_hosting"
REPLACED = ("bot.hosting.sdk", "bot.hosting.host", "botbuilder", "botframework", "msrest")


def imported(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield node.module or ""
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def test_it_imports_nothing_from_botbuilder() -> None:
    modules = set(imported(SPIKE))
    assert any(module.startswith("microsoft_agents") for module in modules)
    assert [module for module in modules if module.startswith(REPLACED)] == []
