"""Patterns that the product's code must not contain, checked in its source."""

import ast
import importlib
import re
from collections import Counter
from functools import cache

import pytest

from tests.support.tools import ROOT

PACKAGES = ("bot", "sync", "storage", "core", "manifest")
SOURCES = [
    ROOT / "app.py",
    ROOT / "settings.py",
    *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")),
]
REQUESTS = {"request", "get", "post", "put", "patch", "delete"}
RUNS_WHAT_IT_READS = {"pickle", "marshal", "shelve", "jsonpickle", "dill", "subprocess", "pty", "code"}

UNCHECKED = {"CERT_NONE", "_create_unverified_context", "check_hostname"}

MODULES = 15
"""In one folder at most: what a person finds without searching."""
LONG = 4_000
"""The maximum length of a message or an input."""
TEMPTING = [
    piece * (LONG // len(piece)) + end
    for piece in ("a", "a.", "a-", "-", ".", "0", "0-", " ", "\t ", "a@", "A0", "00:", "%2", "AADSTS1", "://", "/?")
    for end in ("!", "\n", "é", "")
]
"""Texts on which a pattern with catastrophic backtracking would never end."""


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    return [
        (f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
    ]


@cache
def calls() -> list[tuple[str, ast.Call, str]]:
    """Each call, with the called expression as written."""
    return [(place, node, ast.unparse(node.func)) for place, node in nodes() if isinstance(node, ast.Call)]


def says(call: ast.Call, name: str, value: object) -> bool:
    keywords = [word.value for word in call.keywords if word.arg == name]
    return any(isinstance(given, ast.Constant) and given.value is value for given in keywords)


def test_no_request_follows_a_redirect() -> None:
    """aiohttp follows redirects by default and resends the body, secrets included."""
    sent = [each for each in calls() if re.fullmatch(rf"self\._http\.({'|'.join(REQUESTS)})", each[2])]
    assert len(sent) >= 4
    assert [place for place, call, _ in sent if not says(call, "allow_redirects", False)] == []
    assert [place for place, call, _ in calls() if says(call, "follow_redirects", True)] == []


def test_no_cookies_are_kept() -> None:
    sessions = [(place, ast.unparse(call)) for place, call, called in calls() if called.endswith("ClientSession")]
    assert sessions
    assert [place for place, call in sessions if "cookie_jar=aiohttp.DummyCookieJar()" not in call] == []


def test_certificates_are_always_checked() -> None:
    off = [place for place, call, _ in calls() for name in ("ssl", "verify") if says(call, name, False)]
    named = [place for place, node in nodes() if isinstance(node, ast.Attribute) and node.attr in UNCHECKED]
    assert off + named == []


def test_no_data_is_executed() -> None:
    imported = [(place, node.module or "") for place, node in nodes() if isinstance(node, ast.ImportFrom)]
    imported += [
        (place, each.name) for place, node in nodes() if isinstance(node, ast.Import) for each in node.names
    ]
    assert [place for place, name in imported if name.partition(".")[0] in RUNS_WHAT_IT_READS] == []
    run = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
    assert [place for place, _, called in calls() if called in run] == []


def test_no_sql_is_concatenated() -> None:
    """Values are bound; what is written as SQL is written in full."""
    written = [
        (place, call)
        for place, call, called in calls()
        if called in {"text", "sqlalchemy.text"} and place.startswith(("storage/", "sync/"))
    ]
    assert written
    assert [place for place, call in written if not all(isinstance(each, ast.Constant) for each in call.args)] == []


def patterns() -> list[tuple[str, re.Pattern[str]]]:
    names = [
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in SOURCES if path.stem[0] != "_"
    ]
    modules = [importlib.import_module(name) for name in names if ".migrations." not in name]
    return [
        (f"{module.__name__}.{name}", value)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    ]


def test_no_pattern_backtracks_catastrophically() -> None:
    """A pattern that can would not return within the test's timeout."""
    found = patterns()
    assert len(found) >= 10
    for _, pattern in found:
        for text in TEMPTING:
            pattern.search(text)
            pattern.fullmatch(text)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_is_searched(name: str) -> None:
    assert any(path.is_relative_to(ROOT / name) for path in SOURCES)


def test_only_the_quota_ledger_writes_what_was_spent() -> None:
    """Another writer would spend quota that no metric counts."""
    stored = {"quota_spent", "quota_blocked_until"}
    written = {
        file
        for file, node in ((place.partition(":")[0], node) for place, node in nodes())
        if "migrations/" not in file
        if (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in stored)
        or (isinstance(node, ast.keyword) and node.arg in stored)
        or (isinstance(node, ast.Constant) and node.value in stored)
    }
    assert written == {"core/metrics.py", "sync/teams/quota.py"}
    counted = {place.partition(":")[0] for place, _, called in calls() if called.endswith(".quota_spent.inc")}
    assert counted == {"sync/teams/quota.py"}


def test_no_folder_has_too_many_modules() -> None:
    modules = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for name in (*PACKAGES, "sandbox", "tests")
        for path in (ROOT / name).rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    )
    assert {folder: count for folder, count in modules.items() if count > MODULES} == {}
