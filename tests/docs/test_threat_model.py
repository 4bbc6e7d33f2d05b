"""docs/threat-model.md is checked against the tests and the code: each countermeasure it names exists."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

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


def test_a_threat_has_existing_tests_or_an_accepted_reason() -> None:
    found = {name: list(faults(held_by)) for name, _, _, held_by in THREATS}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert [name for name, threat, against, _ in THREATS if not threat or not against] == []


def faults(held_by: str) -> Iterator[str]:
    """What is wrong with the last cell of a row."""
    if held_by.startswith(ACCEPTED):
        if len(held_by) <= len(ACCEPTED) + 20:
            yield "accepted without a reason"
        return
    named = TEST.findall(held_by)
    if not named:
        yield "no test"
    if rest := TEST.sub("", held_by).strip():
        yield f"no test: {rest}"
    yield from (f"missing: {path}::{name}" for path, name in named if name not in found_in(path))


def test_every_entry_point_has_threats_and_every_threat_an_entry_point() -> None:
    assert [name for row in table_rows(PAGE, "ways") for name in spread(row[2])] == IDS


def test_every_served_path_is_an_entry_point() -> None:
    code = "".join((ROOT / name).read_text() for name in ("bot/application.py", "sync/monitoring/routes.py"))
    served = set(re.findall(r'"(/[a-z][\w/{}]*)"', code))
    assert "/metrics" in served
    named = {path for row in table_rows(PAGE, "ways") for path in re.findall(r"`(/[^`]+)`", row[0])}
    assert served - named == set()
