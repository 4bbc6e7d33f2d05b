"""Reads fields of an untrusted JSON object: checks type and length, raises ``Refused`` (400)."""

from collections.abc import Mapping
from typing import Any

from bot.hosting.refusals import Refused

Json = Mapping[str, Any]

MAX_ID = 1024


def obj(source: Json, name: str) -> Json:
    """An object; empty when absent or null."""
    value = source.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(400, f"field_{name}")
    return value


def objects(source: Json, name: str, limit: int = 100) -> list[Json]:
    """A list of objects; empty when absent or null."""
    value = source.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > limit or not all(isinstance(item, dict) for item in value):
        raise Refused(400, f"field_{name}")
    return value


def text(source: Json, name: str) -> str:
    """A string of any length without the null character, which databases reject; empty when absent or null."""
    value = source.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise Refused(400, f"field_{name}")
    return value


def identifier(source: Json, name: str) -> str:
    """A string of at most ``MAX_ID`` printable characters; empty when absent or null."""
    value = text(source, name)
    if len(value) > MAX_ID or not value.isprintable():
        raise Refused(400, f"field_{name}")
    return value


def required(source: Json, name: str, path: str = "") -> str:
    """A required identifier; ``path`` names it in the log when ``name`` alone is ambiguous."""
    value = identifier(source, name)
    if not value:
        raise Refused(400, f"field_{path or name}")
    return value


def flag(source: Json, name: str) -> bool:
    """A boolean; False when absent or null."""
    value = source.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(400, f"field_{name}")
    return value
