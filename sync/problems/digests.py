"""When a person's digest is due, and which time it covers. Pure.

A digest is about the day, or the seven days, before a morning in the person's time zone. Each time is covered once,
whenever the digest is made.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.domain.reports import Cadence

MORNING = time(8)

LATEST = timedelta(hours=23)
"""A digest that could not be sent for so long is not sent any more: the next one follows."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How often a person wants the digest, since when, and their time zone."""

    cadence: Cadence
    chosen_at: datetime
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Period:
    """What a digest covers; ``stage`` names it: the same for a person whatever process, and clock, makes it."""

    stage: str
    since: datetime
    until: datetime


def period_due(wish: Wish, now: datetime) -> Period | None:
    """The digest of the last morning, unless it is too late for it or the wish is newer."""
    zone = _zone(wish.zone)
    here = now.astimezone(zone)
    day = here.date() - timedelta(days=0 if here.time() >= MORNING else 1)
    days = 7 if wish.cadence is Cadence.WEEKLY else 1
    if wish.cadence is Cadence.WEEKLY:
        day -= timedelta(days=day.weekday())
    until = _morning(day, zone)
    if wish.cadence is Cadence.NEVER or not wish.chosen_at <= until <= now < until + LATEST:
        return None
    return Period(f"{wish.cadence}/{day.isoformat()}", _morning(day - timedelta(days=days), zone), until)


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
