"""docs/architecture.md is held to the code: its functions, rooms and walls are there."""

import ast
import re
import tomllib
from functools import cache

from tests.support.documents import table_rows
from tests.support.tools import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text()
NAMED = re.compile(r"`((?:[\w]+/)*\w+\.py):([\w.]+)`")
PATHS = re.compile(r"`((?:\w+/)+(?:\w+\.\w+)?|\w+\.(?:py|toml))[`:]")
WALKS = 4


@cache
def names_in(path: str) -> frozenset[str]:
    """Functions, classes, constants and ``Class.method`` of a module."""
    tree = ast.parse((ROOT / path).read_text())
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.ClassDef():
                found.add(node.name)
                found |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                found.add(name)
    return frozenset(found)


def test_every_path_exists() -> None:
    assert [path for path in PATHS.findall(PAGE) if not (ROOT / path).exists()] == []


def test_every_function_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 30
    assert [f"{path}:{name}" for path, name in named if name not in names_in(path)] == []


def test_each_walk_names_its_functions() -> None:
    walks = PAGE.partition("## Four walks")[2].partition("\n## ")[0].split("\n### ")[1:]
    assert len(walks) == WALKS
    for walk in walks:
        steps = re.findall(r"^\d+\. .*(?:\n   .*)*", walk, re.MULTILINE)
        assert len(steps) >= WALKS
        assert [step for step in steps if not NAMED.search(step)] == []


def test_every_room_is_listed() -> None:
    listed = {row[0].strip("`").rstrip("/") for row in table_rows("docs/architecture.md", "rooms")}
    packages = [
        path.parent for name in ("bot", "sync", "storage", "core") for path in (ROOT / name).rglob("__init__.py")
    ]
    rooms = {path.relative_to(ROOT).as_posix() for path in packages}
    inner = {"bot", "sync", "storage", "bot/hosting/sdk", "storage/migrations/versions"}
    assert rooms - inner - listed == set()


def test_every_room_is_behind_a_wall() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {contract["containers"][0]: contract["layers"] for contract in contracts if "containers" in contract}
    walls = PAGE.partition("## Walls")[2].partition("\n## ")[0]
    for package, names in layers.items():
        said = re.search(rf"In `{package}`[^:]*: (.*?)\.", walls, re.DOTALL)
        assert said is not None
        assert re.findall(r"\w+", said[1]) == re.findall(r"\w+", " ".join(names))
