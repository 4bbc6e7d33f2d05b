"""The last few changes sent to Teams for each person, and Graph's answers: for ``why`` and for support. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync.domain.changes import Done, Failed, Outcome, Refused, Throttled
from sync.domain.people import SentChange
from sync.presence.outcomes import PendingChange

KEPT = 5


def kept(
    sent: Sequence[tuple[PendingChange, Outcome]], known: Mapping[str, Sequence[Mapping[str, Any]]], now: datetime
) -> dict[str, list[Mapping[str, Any]]]:
    """The entries of these people, newest first, with what was ``sent`` now; ``known`` are those so far."""
    at = now.isoformat()
    new = {each.person_id: _entry(each, outcome, at) for each, outcome in sent}
    return {name: [each, *_without_repeat(known.get(name, ()), each)][:KEPT] for name, each in new.items()}


def read(entries: Sequence[Mapping[str, Any]]) -> tuple[SentChange, ...]:
    """The stored entries as values, newest first."""
    return tuple(SentChange(**{**entry, "at": datetime.fromisoformat(entry["at"])}) for entry in entries)


def is_renewal(pending: PendingChange, outcome: Outcome) -> bool:
    """Whether it was accepted and changes nothing: that is not kept."""
    return isinstance(outcome, Done) and pending.previous.applied == pending.shown


def _entry(pending: PendingChange, outcome: Outcome, at: str) -> dict[str, str]:
    """A ``SentChange`` as it is stored."""
    result, detail, request_id = _outcome(outcome)
    return {
        "at": at,
        "presence": pending.shown or "",
        "result": result,
        "detail": detail,
        "cause": pending.change.cause,
        "request_id": request_id,
    }


def _outcome(outcome: Outcome) -> tuple[str, str, str]:
    match outcome:
        case Done():
            return "done", "", ""
        case Throttled(retry_after):
            return "throttled", str(int(retry_after)), ""
        case Refused(status, code, request_id):
            return "refused", f"{status} {code}".rstrip(), request_id
        case Failed(error, request_id):
            return "failed", error.fault.value, request_id


def _without_repeat(entries: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What failed again in the same way takes the place of what failed before."""
    if new["result"] == "done" or not entries:
        return entries
    is_repeat = all(entries[0][name] == new[name] for name in ("presence", "result", "detail"))
    return entries[1:] if is_repeat else entries
