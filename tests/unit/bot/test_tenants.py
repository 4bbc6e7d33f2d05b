"""Every query of the bot names the tenant: it calls no function of the store that does not take one."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.tools import ROOT

BOT = ROOT / "bot"
TENANT = {"owner_tenant", "tenant_id"}
ROWS = {"Draft", "Member", "Notice", "Press", "Rotation", "ClaimCode"}
"""What was read by tenant before, or made with one: its own fields carry it."""

WITHOUT = {
    ("chat/crowd_limit.py", "storage.queries.chat.roles.known_among"),  # each person is named with the tenant
    (
        "roles/claim_codes.py",
        "storage.queries.chat.roles.has_owner_anywhere",
    ),  # at the start of a process, for its operator
    (
        "chat/exports/diagnostics.py",
        "storage.queries.people.sent_changes.newest",
    ),  # of an integration found by tenant
    ("commands/health/alerts.py", "storage.queries.health.notices.add_new"),  # of a notice read by tenant
    (
        "commands/credentials/monitors.py",
        "storage.queries.monitors.count_open_tasks",
    ),  # of an integration found by tenant
    (
        "proactive/notifier.py",
        "storage.queries.chat.conversations.revoke_administrators",
    ),  # a job, for no user; as all below
    ("proactive/notifier.py", "storage.queries.integrations.get"),
    ("proactive/removal_message.py", "storage.queries.integrations.get"),
    ("proactive/removal_message.py", "storage.queries.history.last_act"),
    ("proactive/notifier.py", "storage.queries.health.notices.claim"),
    ("proactive/notifier.py", "storage.queries.health.notices.list_due"),
    ("proactive/notifier.py", "storage.queries.health.notices.transition"),
    ("proactive/notifier.py", "storage.queries.health.notices.transition_all"),
    ("proactive/notifier.py", "storage.queries.health.problems.list_open"),
}
"""The calls that name no tenant, each with the reason."""


def calls() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Each call of a function of a module of storage: where, what it is called, and the function."""
    for path in sorted(BOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        known = dict(_modules(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id in known:
                    function = getattr(known[owner.id], node.func.attr)
                    where = str(path.relative_to(BOT))
                    yield where, f"{known[owner.id].__name__}.{node.func.attr}", function


def _modules(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("storage.queries"):
            for alias in node.names:
                if (ROOT / str(node.module).replace(".", "/") / f"{alias.name}.py").exists():
                    yield alias.asname or alias.name, importlib.import_module(f"{node.module}.{alias.name}")


def names_a_tenant(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(one.name in TENANT or _is_row(one.annotation) for one in parameters)


def _is_row(annotation: Any) -> bool:
    return getattr(annotation, "__name__", str(annotation).rpartition(".")[2]) in ROWS


def test_every_storage_call_names_the_tenant() -> None:
    asked = list(calls())
    assert len({name for _, name, _ in asked}) > 40
    assert {(where, name) for where, name, function in asked if not names_a_tenant(function)} == WITHOUT


def test_the_bot_uses_the_database_only_through_queries() -> None:
    said = {str(path.relative_to(BOT)): path.read_text() for path in BOT.rglob("*.py")}
    found = [where for where, text in said.items() if "session.exec(" in text or "session.get(" in text]
    assert found == []
