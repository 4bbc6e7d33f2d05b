"""docs/threat-model.md is checked against the tests and the code: each countermeasure it names exists."""

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.support.documents import table_rows
from tests.support.tools import ROOT

PAGE = "docs/threat-model.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ACCEPTED = "accepted, because "
THREATS = table_rows(PAGE, "threats")
IDS = [row[0] for row in THREATS]


@cache
def found_in(path: str) -> frozenset[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def spread(said: str) -> list[str]:
    """``M1–M3`` as the ids it covers."""
    letter, first, last = re.fullmatch(r"([A-Z])(\d+)–\1(\d+)", said).groups()  # type: ignore[union-attr]
    return [f"{letter}{number}" for number in range(int(first), int(last) + 1)]


def test_each_threat_has_its_own_id() -> None:
    assert [name for name, times in Counter(IDS).items() if times > 1] == []
    assert [name for name in IDS if not re.fullmatch(r"[A-Z]\d+", name)] == []


@pytest.mark.parametrize("row", THREATS, ids=IDS)
def test_a_threat_has_existing_tests_or_an_accepted_reason(row: list[str]) -> None:
    _, threat, against, held_by = row
    assert threat
    assert against
    if held_by.startswith(ACCEPTED):
        assert len(held_by) > len(ACCEPTED) + 20
        return
    named = TEST.findall(held_by)
    assert named
    assert TEST.sub("", held_by).strip() == ""
    assert [f"{path}::{name}" for path, name in named if name not in found_in(path)] == []


def test_every_entry_point_has_threats_and_every_threat_an_entry_point() -> None:
    assert [name for row in table_rows(PAGE, "ways") for name in spread(row[2])] == IDS


def test_every_served_path_is_an_entry_point() -> None:
    code = "".join((ROOT / name).read_text() for name in ("app.py", "sync/monitoring/routes.py"))
    served = set(re.findall(r'"(/[a-z][\w/{}]*)"', code))
    assert "/metrics" in served
    named = {path for row in table_rows(PAGE, "ways") for path in re.findall(r"`(/[^`]+)`", row[0])}
    assert served - named == set()
