"""While a session is open, only the database is awaited: no transaction waits for a service or a peer.

An open session holds one of few connections, and on SQLite perhaps the only writer. So in each ``async with`` that
opens one, and in each function that receives one, whatever is awaited is a call of the session, or a call that
passes it on to a function which this test searches too. Nothing is yielded there, for the caller of a generator may
wait for anything; only a context manager may yield, and then its own callers are searched.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.support.tools import ROOT

SEARCHED = ("app.py", "bot", "core", "storage", "sync")
OPENERS = frozenset({"session", "writing", "begin", "connect"})
SESSIONS = frozenset({"AsyncSession", "AsyncConnection"})
Names = frozenset[str]


@cache
def sources() -> dict[str, ast.Module]:
    named = [ROOT / name for name in SEARCHED]
    files: list[Path] = [
        file for path in named for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
    ]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in files}


def holders(trees: Sequence[ast.AST]) -> Names:
    """The types that are sessions, or have one in a field."""
    return SESSIONS | {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and names_in(field.annotation) & SESSIONS
    }


def openers(trees: Sequence[ast.AST]) -> Names:
    """The functions whose result, in ``async with``, is an open session."""
    return OPENERS | {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and is_context_manager(node) and opens_session(node)
    }


def opens_session(function: ast.AsyncFunctionDef) -> bool:
    return any(isinstance(node, ast.AsyncWith) and opened(node, OPENERS) for node in ast.walk(function))


def is_context_manager(function: ast.AsyncFunctionDef) -> bool:
    return any(names_in(decorator) & {"asynccontextmanager"} for decorator in function.decorator_list)


def names_in(node: ast.AST) -> Names:
    return frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def opened(node: ast.AsyncWith, opening: Names) -> Names:
    """The names of the sessions that the statement opens."""
    found = set()
    for item in node.items:
        match item:
            case ast.withitem(ast.Call(ast.Attribute(attr=called) | ast.Name(called)), ast.Name(name)):
                found |= {name} if called in opening else set()
    return frozenset(found)


def received(function: ast.AsyncFunctionDef, held: Names) -> Names:
    arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return frozenset(one.arg for one in arguments if one.annotation and names_in(one.annotation) & held)


def root(node: ast.AST) -> str:
    """``a`` of ``a.b``, ``a.b()`` and ``(await a.b()).c``."""
    while isinstance(node, ast.Attribute | ast.Await | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def uses(expression: ast.AST, sessions: Names) -> bool:
    """Whether the expression is a call of a session, or passes one on."""
    if not isinstance(expression, ast.Call):
        return False
    given = [*expression.args, *(word.value for word in expression.keywords)]
    passed = [part for part in given if isinstance(part, ast.Name | ast.Attribute)]
    return any(root(part) in sessions for part in (expression.func, *passed))


def aliases(node: ast.Assign, sessions: Names) -> Names:
    """The names that the statement gives to a session's connection, or to the session of what holds one."""
    pairs = [(node.targets[0], node.value)]
    if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
        pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
    return frozenset(
        name.id
        for name, value in pairs
        if isinstance(name, ast.Name)
        if root(value) in sessions and ast.unparse(value).endswith((".session", ".connection()"))
    )


def awaited(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Await(value=value) | ast.AsyncFor(iter=value) | ast.comprehension(iter=value, is_async=1):
            return [value]
        case ast.AsyncWith(items=items):
            return [item.context_expr for item in items]
    return []


def waits(nodes: Sequence[ast.AST], sessions: Names, may_yield: bool) -> Iterator[tuple[int, str]]:
    """What is awaited or yielded while ``sessions`` are open; functions that are only defined there are skipped."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Assign):
            sessions |= aliases(node, sessions)
        if isinstance(node, ast.Yield | ast.YieldFrom) and not may_yield:
            yield node.lineno, ast.unparse(node)
        yield from ((value.lineno, ast.unparse(value)) for value in awaited(node) if not uses(value, sessions))
        yield from waits(list(ast.iter_child_nodes(node)), sessions, may_yield)


def found_in(tree: ast.AST, opening: Names, held: Names) -> list[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    yielding = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and is_context_manager(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.AsyncWith() if sessions := opened(node, opening):
                found |= set(waits(node.body, sessions, id(node) in yielding))
            case ast.AsyncFunctionDef() if sessions := received(node, held):
                found |= set(waits(node.body, sessions, id(node) in yielding))
            case ast.ClassDef(name=name) if name in held:
                methods = [one for one in node.body if isinstance(one, ast.AsyncFunctionDef)]
                found |= {each for one in methods for each in waits(one.body, frozenset({"self"}), False)}
    return sorted(found)


def found_in_text(source: str) -> list[tuple[int, str]]:
    tree = ast.parse(source)
    return found_in(tree, openers([tree]), holders([tree]))


def test_an_open_session_waits_for_the_database_only() -> None:
    trees = list(sources().values())
    opening, held = openers(trees), holders(trees)
    assert {"_changing", "locked", "_transaction"} <= opening
    assert {"LockedRotation", "StepTransaction"} <= held
    found = [
        f"{name}:{line}: {what}" for name, tree in sources().items() for line, what in found_in(tree, opening, held)
    ]
    assert found == []


@pytest.mark.parametrize(
    "waiting",
    [
        "async with database.session() as session:\n  await http.get(url)",
        "async with a.writing() as session:\n  if x:\n    return await context.show(card)",
        "async with a.session() as s:\n  rows = [row async for row in fetch(url)]",
        "async with a.session() as s:\n  async with http.get(url) as response: pass",
        "async with a.session() as s:\n  async for part in read(s):\n    await response.write(part)",
        "async with a.session() as s:\n  await asyncio.gather(s.exec(query), sleep(1))",
        "async def f(session: AsyncSession):\n  await asyncio.sleep(1)",
        "async def f(session: AsyncSession):\n  yield await session.exec(query)",
        "class Held:\n  session: AsyncSession\n  async def f(self):\n    await asyncio.sleep(1)",
        "class Held:\n  session: AsyncSession\nasync def f(held: Held):\n  await asyncio.sleep(1)",
        "@asynccontextmanager\nasync def held(a):\n  async with a.session() as s:\n    yield s\n"
        "async def f():\n  async with held(a) as s:\n    await sleep(1)",
    ],
)
def test_another_wait_is_found(waiting: str) -> None:
    assert len(found_in_text(waiting)) == 1


def test_what_uses_the_session_is_allowed() -> None:
    allowed = """
async def f(database):
    async with database.session() as session:
        connection = await session.connection()
        await connection.execute(query)
        await store(rows=rows, session=session)
        rows = (await (await session.connection()).execute(query)).all()
        async def later():
            await asyncio.sleep(1)
    await asyncio.sleep(1)
"""
    assert found_in_text(allowed) == []
