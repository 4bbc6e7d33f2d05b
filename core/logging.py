"""The log: one line for each event. Values from outside cannot forge a line, flood the log, or show a secret.

The code that logs keeps secrets out; this module is the last line of defence. Libraries that use Python's own
logging are treated alike. Of an exception only type, code and place are logged: its text may contain a secret.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence, Set
from datetime import date, datetime
from errno import errorcode
from functools import lru_cache
from itertools import islice
from math import isfinite
from types import TracebackType
from typing import Any, TextIO
from uuid import UUID

import orjson
import structlog

Fields = MutableMapping[str, Any]

LONGEST_TEXT = 300
LONGEST_NAME = 60
LONGEST_SEARCHED = 20_000
"""A text longer than this is not searched for secrets, and is left out."""

MAX_ITEMS = 50
DEEPEST = 4
LARGEST_NUMBER = 2**63

HIDDEN = "[hidden]"
TOO_LONG = "[too long]"

_SECRET_NAME = re.compile(
    r"secret|passw|token|authori[sz]ation|cookie|assertion|private_?key|api_?key|credential|signature|\bvalue\b"
    r"|database_?url|connection_?string",
    re.IGNORECASE,
)
_SECRET_TEXTS = (
    re.compile(r"()eyJ[\w-]{4,}(?:\.[\w-]*)*"),
    re.compile(r"(\b(?:bearer|basic)\s+)[^\s\"',;]{4,}", re.IGNORECASE),
    re.compile(r"()(?:gAAAA|v2\.[0-9a-f]{16}\.)[\w-]{16,}=*"),
    re.compile(r"(/(?:webhooks/cloudlink|exports)/)[^\s\"'?#<>]+"),
    re.compile(r"(://)[^\s/@\"']+(?=@)"),
    re.compile(
        r"""((?<![\w-])["']?[\w-]*(?:secret|passw|token|assertion|signature)[\w-]*["']?\s*[=:]\s*)"""
        r"""(?:"[^"]*"|'[^']*'|[^\s"',;&}\])]+)""",
        re.IGNORECASE,
    ),
)
_MAY_HOLD_SECRET = re.compile(
    r"eyJ|gAAAA|v2\.|bearer|basic|webhooks/|exports/|://|secret|passw|token|assertion|signature", re.IGNORECASE
)
"""Every text in which one of ``_SECRET_TEXTS`` finds something holds one of these: one search instead of six."""
_OPAQUE = re.compile(r"(?<![\w~-])[\w~-]{3,}[\w~.-]{32,}=*")
SHORTEST_OPAQUE = 35
"""Characters of the shortest word that ``_OPAQUE`` finds."""
_ID = re.compile(r"[0-9a-f-]{1,36}")
"""No pattern finds a secret in it."""
LONGEST_KNOWN = 32
"""Characters of a text whose result is kept."""

_KINDS = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))

_ERROR_CODE = re.compile(r"[0-9A-Z]{5}|SQLITE_[A-Z_]{2,40}")
_CONNECTION_FAILURES = {
    "connection refused": "connection_refused",
    "no such file": "connection_refused",
    "timeout": "connection_timeout",
    "timed out": "connection_timeout",
    "resolve host": "host_unknown",
    "translate host": "host_unknown",
    "password": "authentication_failed",
    "authentication": "authentication_failed",
    "pg_hba": "authentication_failed",
    "does not exist": "database_or_role_missing",
    "too many": "too_many_connections",
    "starting up": "database_starting",
    "shutting down": "database_stopping",
    "ssl": "tls_failed",
    "connection": "connection_lost",
}
"""A phrase of a failed connection's message (libpq, psycopg and the server, in English) and the kind it means."""

log = structlog.get_logger()


def configure_logging(level: str, log_format: str, stream: TextIO | None = None) -> None:
    """Log to ``stream`` (default: standard output) from now on. ``log_format`` is ``json`` or ``text``."""
    target = stream or sys.stdout
    renderer: Any = structlog.processors.JSONRenderer(_json)
    if log_format == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            summarize_exception,
            sanitize,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


def _json(fields: Fields, **options: Any) -> str:
    """In ASCII, which every console and collector takes."""
    line = orjson.dumps(fields).decode()
    return line if line.isascii() else json.dumps(fields, **options)


class _ToStructlog(logging.Handler):
    """Logs what libraries log, as an event of our own."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
        except Exception:
            event = str(record.msg)
        problem = {"exc_info": record.exc_info} if record.exc_info else {}
        log.log(record.levelno, event, logger=record.name, **problem)


def summarize_exception(_logger: Any, _name: str, fields: Fields) -> Fields:
    """A structlog processor: replaces an exception by its type, its code and where it was raised."""
    given = fields.pop("exc_info", None)
    fields.pop("stack_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        fields["error"] = describe_error(error)
        fields["where"] = where(error.__traceback__)
    return fields


_DISK_FAULTS = frozenset({"SQLITE_FULL", "ENOSPC", "EDQUOT", "EROFS", "EIO", "53100", "58030"})
"""SQLite's, the system's, and PostgreSQL's (disk_full, io_error)."""


def describe_error(error: BaseException) -> str:
    """The error's type and the code of its cause, if any: ``OperationalError(SQLITE_FULL)``. Never its text.

    The code is PostgreSQL's SQLSTATE, SQLite's name of the error, the system's name (``ECONNREFUSED``), or the kind
    of a failed connection to PostgreSQL, for which there is no SQLSTATE; without any, the type of what caused it.
    """
    causes = _causes(error)
    code = next(filter(None, map(_error_code, causes)), type(causes[-1]).__name__ if causes[1:] else "")
    return f"{type(error).__name__}({code})" if code else type(error).__name__


def is_disk_fault(error: BaseException) -> bool:
    """Whether the error, or its cause, says that the disk takes nothing: full, over quota, read-only, broken."""
    codes = [_error_code(each) for each in _causes(error)]
    return any(code in _DISK_FAULTS or code.startswith(("SQLITE_READONLY", "SQLITE_IOERR")) for code in codes)


def _causes(error: BaseException) -> list[BaseException]:
    """The error, and what it wraps: SQLAlchemy keeps a driver's error as ``orig``."""
    found = [error]
    while len(found) < DEEPEST:
        cause = getattr(found[-1], "orig", None) or found[-1].__cause__
        if not isinstance(cause, BaseException):
            break
        found.append(cause)
    return found


def _error_code(error: BaseException) -> str:
    for name in ("sqlstate", "sqlite_errorname"):
        code = getattr(error, name, None)
        if isinstance(code, str) and _ERROR_CODE.fullmatch(code):
            return code
    if isinstance(error, OSError) and error.errno:
        return errorcode.get(error.errno, "")
    if type(error).__module__.startswith("psycopg"):
        text = str(error).lower()
        return next((kind for phrase, kind in _CONNECTION_FAILURES.items() if phrase in text), "")
    return ""


def where(trace: TracebackType | None) -> str:
    """The last four frames, each as ``file:line``."""
    frames = traceback.extract_tb(trace)[-4:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)


def sanitize(_logger: Any, _name: str, fields: Fields) -> Fields:
    """A structlog processor: hides, or cleans and truncates, every field and every field name."""
    return _fields(fields, 0)


def _fields(fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {_name(key): _field(key, value, depth) for key, value in islice(fields.items(), MAX_ITEMS)}


@lru_cache(maxsize=1000, typed=True)
def _name(name: Any) -> str:
    return _text(str(name))[:LONGEST_NAME]


@lru_cache(maxsize=1000, typed=True)
def _is_secret(name: Any) -> bool:
    return _SECRET_NAME.search(str(name)) is not None


def _field(name: Any, value: Any, depth: int) -> Any:
    if _is_secret(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    return _text(value) if type(value) is str else _value(value, depth)


def _value(value: Any, depth: int) -> Any:
    match value:
        case str():
            return _text(value)
        case None | bool():
            return value
        case int():
            return value if abs(value) < LARGEST_NUMBER else "[int]"
        case float():
            return value if isfinite(value) else str(value)
        case datetime() | date() | UUID():
            return str(value)
    return _structure(value, depth)


def _structure(value: Any, depth: int) -> Any:
    """A mapping or sequence, part by part; of any other object its type, for its text may contain anything."""
    if depth < DEEPEST and isinstance(value, Mapping):
        return _fields(value, depth + 1)
    if depth < DEEPEST and isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
        return [_value(each, depth + 1) for each in list(value)[:MAX_ITEMS]]
    return f"[{type(value).__name__}]"


def _text(text: str) -> str:
    if len(text) <= LONGEST_KNOWN:
        return _known(text)
    if _ID.fullmatch(text):
        return text
    return _searched(text) if len(text) <= LONGEST_SEARCHED else TOO_LONG


def _searched(text: str) -> str:
    shown = _without_secrets(text)[:LONGEST_TEXT]
    return shown if shown.isprintable() else "".join(c if c.isprintable() else "�" for c in shown)


_known = lru_cache(maxsize=4096)(_searched)
"""Most of what is logged are ids and words that were logged before."""


def _without_secrets(text: str) -> str:
    if _MAY_HOLD_SECRET.search(text):
        for pattern in _SECRET_TEXTS:
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text if len(text) < SHORTEST_OPAQUE else _OPAQUE.sub(_hidden_if_random, text)


def _hidden_if_random(found: re.Match[str]) -> str:
    """A long word with lower case, upper case and digits is a key, a token or a secret; ids do not look so."""
    return HIDDEN if all(kind.search(found[0]) for kind in _KINDS) else found[0]
