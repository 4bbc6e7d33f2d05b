"""When an integration shows calls: hours of each weekday in a time zone, without holidays. Pure.

A period is one stretch of time, whatever the clock does meanwhile. Where the clock skips its begin or end, that is
the moment of the skip; where the clock shows a time twice, it begins at the first and ends at the second: so no
change of the clock opens or closes anything twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

HORIZON = 800
"""Days within which the next change is looked for: more than ``MAX_HOLIDAYS`` and a week."""

MAX_HOLIDAYS = 400
MAX_PERIODS = 6
"""Periods of one day."""

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From ``begin``, which is part of it, until ``end``: on the next day, unless that is after ``begin``."""

    begin: time
    end: time


Week = tuple[tuple[Period, ...], ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """``week`` holds the periods of each weekday, Monday first; none begins on one of ``holidays``.

    ``zone`` is an IANA time zone.
    """

    zone: str
    week: Week
    holidays: frozenset[date] = field(default_factory=frozenset)


class Preset(StrEnum):
    """The hours to choose from."""

    ALWAYS = "always"
    OFFICE = "office"
    OWN = "own"


ALL_DAY = Period(time(0), time(0))
WEEKS: Final[Mapping[Preset, Week]] = {
    Preset.ALWAYS: ((ALL_DAY,),) * 7,
    Preset.OFFICE: ((Period(time(9), time(18)),),) * 5 + ((), ()),
}


def preset_of(schedule: Schedule | None) -> Preset:
    if schedule is None:
        return Preset.ALWAYS
    return next((preset for preset, week in WEEKS.items() if week == schedule.week), Preset.OWN)


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether calls are shown at ``now``."""
    return any(begin <= now < end for begin, end in _stretches(schedule, now, 3))


def next_change(schedule: Schedule, now: datetime) -> datetime | None:
    """When ``is_open`` changes next, in UTC; None for never."""
    until = now if is_open(schedule, now) else None
    for begin, end in _stretches(schedule, now, HORIZON):
        if until is None and begin > now and end > begin:
            return begin
        if until is not None and begin > until:
            return until
        if until is not None and end > until:
            until = end
    return until if until and until < now + DAY * (HORIZON - 4) else None


def as_stored(schedule: Schedule) -> dict[str, Any]:
    return {
        "zone": schedule.zone,
        "week": [[[f"{one.begin:%H:%M}", f"{one.end:%H:%M}"] for one in day] for day in schedule.week],
        "holidays": [day.isoformat() for day in sorted(schedule.holidays)],
    }


def of_stored(stored: Mapping[str, Any]) -> Schedule | None:
    """None, for always, if nothing is stored."""
    if not stored:
        return None
    return Schedule(
        zone=stored["zone"],
        week=tuple(tuple(Period(*map(time.fromisoformat, pair)) for pair in day) for day in stored["week"]),
        holidays=frozenset(map(date.fromisoformat, stored["holidays"])),
    )


def _stretches(schedule: Schedule, now: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
    """The periods from two days before ``now`` on, in the order of their begins, in UTC."""
    zone = ZoneInfo(schedule.zone)
    first = now.astimezone(zone).date() - 2 * DAY
    for day in (first + DAY * count for count in range(days)):
        for period in _periods(schedule, day):
            last = day if period.end > period.begin else day + DAY
            begin = _moment(datetime.combine(day, period.begin), zone, fold=0)
            yield begin, _moment(datetime.combine(last, period.end), zone, fold=1)


def _periods(schedule: Schedule, day: date) -> Sequence[Period]:
    return () if day in schedule.holidays else sorted(schedule.week[day.weekday()])


def _moment(local: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """When the clock of ``zone`` shows ``local``: of two times the first or second; of a skipped one, the skip."""
    moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local:
        return moment
    before, after = sorted(local.replace(tzinfo=zone, fold=each).astimezone(UTC) for each in (0, 1))
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
