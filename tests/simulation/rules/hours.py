"""When a schedule is open, read off a clock that is looked at each minute: the oracle's part of the rules."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class WallClock:
    """What the clock of a zone shows, minute by minute, and when it shows a time."""

    shown: list[tuple[datetime, datetime]] = field(default_factory=list)
    times: defaultdict[datetime, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def begins(self, local: datetime) -> datetime:
        """The first time that the clock shows this, or is beyond it."""
        return self.times[local][0] if self.times[local] else self._skipped(local)

    def ends(self, local: datetime) -> datetime:
        return self.times[local][-1] if self.times[local] else self._skipped(local)

    def _skipped(self, local: datetime) -> datetime:
        return next(at for at, shown in self.shown if shown > local)


@lru_cache(maxsize=50)
def _wall_clock(zone: str, noon: datetime) -> WallClock:
    clock = WallClock()
    for minutes in range(-4 * 24 * 60, 4 * 24 * 60):
        at = noon + MINUTE * minutes
        shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        clock.shown.append((at, shown))
        clock.times[shown].append(at)
    return clock


def is_open(schedule: Mapping[str, Any], now: datetime) -> bool:
    """``schedule`` is as the product stores it; an empty one is always open."""
    if not schedule:
        return True
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    clock = _wall_clock(schedule["zone"], noon)
    today = now.astimezone(ZoneInfo(schedule["zone"])).date()
    return any(_covers(schedule, clock, today + DAY * days, now) for days in (-1, 0, 1))


def _covers(schedule: Mapping[str, Any], clock: WallClock, day: date, now: datetime) -> bool:
    if day.isoformat() in schedule["holidays"]:
        return False
    for begin, end in schedule["week"][day.weekday()]:
        last = day if end > begin else day + DAY
        begins = clock.begins(datetime.combine(day, time.fromisoformat(begin)))
        if begins <= now < clock.ends(datetime.combine(last, time.fromisoformat(end))):
            return True
    return False


def turned_lately(schedule: Mapping[str, Any], now: datetime, seconds: float) -> bool:
    """Whether it opened or closed within less than a minute: the product looks at its schedules now and then."""
    return is_open(schedule, now) != is_open(schedule, now - timedelta(seconds=seconds))
