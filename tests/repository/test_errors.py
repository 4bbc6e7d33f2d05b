"""The product's exceptions: all derive from one class, whose module draws the whole tree."""

import importlib
from functools import cache

import core.errors
from core.errors import CloudLinkPresenceError
from tests.support.tools import ROOT

PACKAGES = ("bot", "sync", "storage", "core", "manifest")
WIDTH = 38
"""Of a class with its branches, in characters; where it is defined follows."""


@cache
def exceptions() -> tuple[type[Exception], ...]:
    """Every exception class that a module of the product defines."""
    paths = [
        ROOT / "app.py",
        ROOT / "settings.py",
        *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")),
    ]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    modules = [
        importlib.import_module(name)
        for name in sorted(names)
        if ".migrations." not in name and not name.endswith("__main__")
    ]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
    )


def test_every_exception_derives_from_the_base_class() -> None:
    outside = [error for error in exceptions() if not issubclass(error, CloudLinkPresenceError)]
    assert outside == []


def test_the_docstring_draws_the_tree() -> None:
    drawn = (core.errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip()
    assert drawn == "\n".join(["CloudLinkPresenceError", *branches(CloudLinkPresenceError)])


def branches(parent: type[Exception], indent: str = "") -> list[str]:
    children = sorted(
        (error for error in exceptions() if parent in error.__bases__),
        key=lambda error: (error.__module__, error.__name__),
    )
    lines = []
    for child in children:
        is_last = child is children[-1]
        built_in = [base.__name__ for base in child.__bases__ if base is not parent]
        name = child.__name__ + (f" ({', '.join(built_in)})" if built_in else "")
        lines.append(f"{indent}{'└──' if is_last else '├──'} {name}".ljust(WIDTH) + f" {child.__module__}")
        lines += branches(child, indent + ("    " if is_last else "│   "))
    return lines
