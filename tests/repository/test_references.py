"""What docstrings and comments of the code name, such as ``sync.engine`` or ``EngineConfig``, exists."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.tools import ROOT

PACKAGES = ("bot", "sync", "storage", "core", "manifest", "sandbox")
MODULES = ("app", "settings")
REFERENCE = re.compile(rf"``((?:{'|'.join(PACKAGES + MODULES)})(?:\.\w+)+)``")
CLASS = re.compile(r"``([A-Z][a-z]+(?:[A-Z][a-z]+)+)``")
FILES = {"app.py", "settings.py"}


def sources() -> list[Path]:
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    return [*(ROOT / f"{name}.py" for name in MODULES), *found]


def identifiers() -> set[str]:
    """Every name that the code itself defines, imports or uses."""
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            for field in ("id", "attr", "name", "arg"):
                found.add(str(getattr(node, field, "")))
    return found


def references() -> Iterator[tuple[str, str]]:
    """Each file with a dotted path it refers to."""
    for path in sources():
        for name in REFERENCE.findall(path.read_text()):
            if name not in FILES:
                yield str(path.relative_to(ROOT)), name


def resolves(name: str) -> bool:
    """Whether the longest importable part is a module, and the rest are attributes of it."""
    module_name, attributes = name, list[str]()
    while module_name:
        try:
            found: object = importlib.import_module(module_name)
        except ModuleNotFoundError:
            module_name, _, attribute = module_name.rpartition(".")
            attributes.insert(0, attribute)
        else:
            break
    else:
        return False
    for attribute in attributes:
        if not hasattr(found, attribute):
            return False
        found = getattr(found, attribute)
    return True


def test_every_reference_resolves() -> None:
    found = list(references())
    assert len(found) >= 20
    assert [f"{file}: {name}" for file, name in found if not resolves(name)] == []


def test_every_class_named_exists() -> None:
    known = identifiers()
    named = [(path, name) for path in sources() for name in CLASS.findall(path.read_text())]
    assert len(named) >= 50
    assert [f"{path.relative_to(ROOT)}: {name}" for path, name in named if name not in known] == []


def test_a_reference_to_what_does_not_exist_is_found() -> None:
    assert resolves("core.http.metrics")
    assert resolves("storage.tables.notices.Notice")
    assert not resolves("core.missing")
    assert not resolves("storage.tables.notices.Missing")
