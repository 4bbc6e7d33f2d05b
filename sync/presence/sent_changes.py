"""The last few changes sent to Teams for each person, and Graph's answers: for ``why`` and for support. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from sync.domain.changes import Done, Failed, Outcome, Refused, Throttled
from sync.domain.errors import detail_of
from sync.domain.people import SentChange
from sync.presence.outcomes import PendingChange


def entry(pending: PendingChange, outcome: Outcome, at: str) -> dict[str, str]:
    """A ``SentChange`` as it is stored. What it begins with says whether it is a repeat."""
    result, detail, request_id = _outcome(outcome)
    return {
        "presence": pending.shown or "",
        "result": result,
        "detail": detail,
        "at": at,
        "cause": pending.change.cause,
        "request_id": request_id,
    }


def repeated(entry: Mapping[str, str]) -> str:
    """How the stored entry begins that ``entry`` repeats: what failed again in the same way takes its place."""
    return orjson.dumps({name: entry[name] for name in ("presence", "result", "detail")}).decode()[:-1]


def read(entries: Sequence[Mapping[str, Any]]) -> tuple[SentChange, ...]:
    """The stored entries as values, newest first."""
    return tuple(SentChange(**{**entry, "at": datetime.fromisoformat(entry["at"])}) for entry in entries)


def _outcome(outcome: Outcome) -> tuple[str, str, str]:
    match outcome:
        case Done():
            return "done", "", ""
        case Throttled(retry_after):
            return "throttled", str(int(retry_after)), ""
        case Refused(status, code, request_id):
            return "refused", f"{status} {code}".rstrip(), request_id
        case Failed(error, request_id):
            return "failed", detail_of(error), request_id
