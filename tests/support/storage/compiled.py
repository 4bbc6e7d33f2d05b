"""A statement is compiled once in a test process, not once in each store: that took a quarter of many tests."""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import Compiled, Dialect
from sqlalchemy.util import LRUCache

_compiled = LRUCache[object, Compiled](5_000)
_make_engine = Engine.__init__


def share_compiled_statements(*dialects: type[Dialect]) -> None:
    """Stores with these dialects use one cache. Its keys name the dialect, so equal ones are made equal.

    No listener: with one, SQLAlchemy looks for listeners at each statement.
    """
    for dialect in dialects:
        dialect.__eq__ = _is_alike  # type: ignore[method-assign,assignment]
        dialect.__hash__ = _hash_of_kind  # type: ignore[method-assign,assignment]
    Engine.__init__ = _make_sharing_engine  # type: ignore[method-assign,assignment]


def _is_alike(one: Dialect, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(dialect: Dialect) -> int:
    return hash(type(dialect))


def _make_sharing_engine(engine: Engine, *values: Any, **options: Any) -> None:
    _make_engine(engine, *values, **options)
    engine._compiled_cache = _compiled
