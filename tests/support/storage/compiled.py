"""A statement is compiled once in a test process, not once in each store: that took a quarter of many tests."""

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import Compiled, Dialect
from sqlalchemy.util import LRUCache

_compiled = LRUCache[object, Compiled](5_000)


def share_compiled_statements(*dialects: type[Dialect]) -> None:
    """Stores with these dialects use one cache. Its keys name the dialect, so equal ones are made equal."""
    for dialect in dialects:
        dialect.__eq__ = _is_alike  # type: ignore[method-assign,assignment]
        dialect.__hash__ = _hash_of_kind  # type: ignore[method-assign,assignment]
    event.listen(Engine, "engine_connect", _use_shared)


def _is_alike(one: Dialect, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(dialect: Dialect) -> int:
    return hash(type(dialect))


def _use_shared(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_compiled)
