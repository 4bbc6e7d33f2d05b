"""What a report says of an integration over a time: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter


class Figure(StrEnum):
    """What is counted by the hour, besides delays: calls that Teams began to show, calls for which it was read to
    show something else that counts for more, and changes that Graph refused."""

    SHOWN = "shown"
    OVERRULED = "overruled"
    REFUSED = "refused"


class Cadence(StrEnum):
    """How often a person gets the digest."""

    NEVER = ""
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Hour:
    """The figures of the hour from ``at`` on, or of several from there; delays in seconds, None without any."""

    at: datetime
    shown: int = 0
    overruled: int = 0
    refused: int = 0
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """How many people, and the names of the first few of them."""

    count: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """A fault within the time of a report: ``ended_at`` is None while it lasts; ``service`` may be one of ours."""

    service: str
    fault: str
    lasting: bool
    since: datetime
    ended_at: datetime | None
    context: Mapping[str, str | int]


OFTEN, OFTEN_SHARE = 5, 0.1
"""So many overruled calls, and so large a share of those shown, are worth a line."""

SLOW_SECONDS = 5.0
"""A slowest hour with a p95 below this is no news."""

SECRET_DAYS = 30
"""From so many days before its end on, a secret is worth a line."""


@dataclass(frozen=True, slots=True)
class Report:
    """What changed and what failed from ``since`` to ``until``, and the figures of that time.

    ``left_out`` and ``newly_shown`` are people for whom that changed in this time and still is so; ``refused`` are
    those whom Graph has refused since then. ``secret_days`` are the days until the secret or certificate
    expires, None if that is not near, or Entra refuses it already.
    """

    since: datetime
    until: datetime
    total: Hour
    slowest: Hour | None = None
    faults: tuple[FaultSeen, ...] = ()
    left_out: Named = Named()
    newly_shown: Named = Named()
    refused: Named = Named()
    secret_days: int | None = None

    @property
    def is_overruled_often(self) -> bool:
        overruled = self.total.overruled
        return overruled >= OFTEN and overruled >= OFTEN_SHARE * self.total.shown

    @property
    def is_slow(self) -> bool:
        return self.slowest is not None and (self.slowest.p95 or 0) >= SLOW_SECONDS

    @property
    def has_news(self) -> bool:
        """Whether there is anything to say: a change or a fault."""
        people = self.left_out.count or self.newly_shown.count or self.refused.count
        return bool(
            self.faults or people or self.is_overruled_often or self.is_slow or self.secret_days is not None
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """The figures hour by hour, and the faults."""

    hours: tuple[Hour, ...]
    faults: tuple[FaultSeen, ...]


_JSON: Final = TypeAdapter(Report)
_FIELDS: Final = frozenset(field.name for field in fields(Report))


def facts_of(report: Report) -> dict[str, Any]:
    """As a notice keeps it: without names."""
    nameless = replace(
        report,
        left_out=Named(report.left_out.count),
        newly_shown=Named(report.newly_shown.count),
        refused=Named(report.refused.count),
    )
    found: dict[str, Any] = _JSON.dump_python(nameless, mode="json")
    return found


def report_in(facts: Mapping[str, Any]) -> Report:
    """The report that ``facts_of`` wrote."""
    found: Report = _JSON.validate_python({name: value for name, value in facts.items() if name in _FIELDS})
    return found
