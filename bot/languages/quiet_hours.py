"""Quiet hours: whether a time is within them, and when they end. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.languages import Language

ZONES: Sequence[str] = (
    "Europe/Lisbon",
    "Atlantic/Azores",
    "Atlantic/Madeira",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Athens",
    "UTC",
    "Africa/Luanda",
    "Africa/Maputo",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)
"""The time zones to choose from; a client's own is offered too."""

_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def is_time(typed: str) -> bool:
    """Whether it is a time of day as ``Input.Time`` sends it: ``HH:MM``."""
    return _HOURS.fullmatch(typed) is not None


def is_zone(name: str) -> bool:
    """Whether it is the name of a known time zone."""
    return bool(name) and _zone(name) is not None


def zone_of(chosen: str, client_zone: str, language: Language) -> str:
    """A person's time zone: the chosen one, their client's, or the default of their language."""
    for name in (chosen, client_zone):
        if is_zone(name):
            return name
    return "Europe/Lisbon" if language is Language.PORTUGUESE else "UTC"


def local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(_zone(zone) or UTC)


def quiet_until(now: datetime, begin: str, end: str, zone: str) -> datetime | None:
    """When the quiet hours that contain ``now`` end; None outside them. ``begin`` is part of them, ``end`` is not.

    They may span midnight, and daylight saving is respected.
    """
    if not (is_time(begin) and is_time(end)) or begin == end:
        return None
    here = local(now, zone)
    first, last, this = time.fromisoformat(begin), time.fromisoformat(end), here.time()
    is_quiet = first <= this < last if first < last else this >= first or this < last
    if not is_quiet:
        return None
    day = here.date() + timedelta(days=1 if first > last and this >= first else 0)
    return datetime.combine(day, last, here.tzinfo).astimezone(UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
