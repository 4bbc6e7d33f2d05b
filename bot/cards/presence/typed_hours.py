"""Hours and holidays as they are typed, read and shown again. Pure.

Tolerant where the meaning is clear: "9-18", "9h30 - 18h", "09:00–12:30, 13:30–18:00", "9am to 6pm", "22:00-06:00".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta

from bot.cards.field_errors import FormError
from bot.languages import Texts
from bot.languages.zone_names import nearest_zones, zone_named
from sync.domain.schedule import (
    ALL_DAY,
    MAX_HOLIDAYS,
    MAX_PERIODS,
    WEEKS,
    Period,
    Preset,
    Schedule,
    Week,
    preset_of,
)

HOLIDAYS, PRESET, ZONE = "holidays", "preset", "time_zone"
DAYS = tuple(f"day_{number}" for number in range(7))
MAX_TYPED_DAY, MAX_TYPED_HOLIDAYS = 120, 6000
ERRORS_SHOWN = 3
ZONE_EXAMPLE = "Europe/Lisbon"
YEARS_AHEAD = 5
IN_A_ROW = 3

_CLOCK = r"(\d{1,2})(?:[:.h](\d{2})|h)?\s*(am|pm)?"
_PERIOD = re.compile(rf"{_CLOCK}\s*(?:[-–—~]|to|until|até|as|às|a)\s*{_CLOCK}")
_BETWEEN = re.compile(r"[,;/\n]|\band\b|\be\b")
_ALL_DAY = {"24h", "24", "always", "all day", "sempre", "todo o dia", "dia inteiro"}
_CLOSED = {"", "-", "–", "—", "closed", "fechado", "none", "nenhum"}
_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})"
_RANGE = re.compile(rf"({_DATE})\s*(?:[-–—~]|to|until|até|a)\s*({_DATE})", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")


def typed_of(schedule: Schedule | None, zone: str, today: date) -> dict[str, str]:
    """The inputs that say ``schedule``; ``zone`` is the one to begin with. Holidays of past days are left out."""
    week = schedule.week if schedule and preset_of(schedule) is Preset.OWN else WEEKS[Preset.OFFICE]
    holidays = _rows(sorted(day for day in schedule.holidays if day >= today) if schedule else [])
    return {
        PRESET: preset_of(schedule).value,
        ZONE: schedule.zone if schedule else zone,
        HOLIDAYS: "\n".join(holidays),
        **{field: _shown(periods) for field, periods in zip(DAYS, week, strict=True)},
    }


def schedule_of(texts: Texts, typed: Mapping[str, str], today: date) -> tuple[Schedule | None, list[FormError]]:
    """What the inputs say, and an error for each that cannot be read: then it must not be used."""
    zone, errors = _zone(texts, typed.get(ZONE, ""))
    if typed.get(PRESET, "") not in set(Preset):
        return None, [*errors, FormError(texts("schedule.unknown_preset"), field=PRESET)]
    preset = Preset(typed[PRESET])
    week, of_week = _week(texts, typed) if preset is Preset.OWN else (WEEKS[preset], [])
    holidays, of_holidays = _holidays(texts, typed.get(HOLIDAYS, ""), today)
    is_always = preset is Preset.ALWAYS and not holidays
    return None if is_always else Schedule(zone, week, holidays), [*errors, *of_week, *of_holidays]


def _zone(texts: Texts, typed: str) -> tuple[str, list[FormError]]:
    if zone := zone_named(typed):
        return zone, []
    nearest = ", ".join(nearest_zones(typed)) or ZONE_EXAMPLE
    return "", [FormError(texts("schedule.unknown_zone"), texts("schedule.zones", zones=nearest), field=ZONE)]


def _shown(periods: Sequence[Period]) -> str:
    return ", ".join(f"{one.begin:%H:%M}-{'24:00' if one == ALL_DAY else f'{one.end:%H:%M}'}" for one in periods)


def _week(texts: Texts, typed: Mapping[str, str]) -> tuple[Week, list[FormError]]:
    found: list[tuple[Period, ...]] = []
    errors: list[FormError] = []
    for number, field in enumerate(DAYS):
        try:
            found.append(_periods(typed.get(field, "")))
        except ValueError:
            unread = texts("schedule.unread", day=texts.weekday(number))
            errors.append(FormError(unread, "" if errors else texts("schedule.unread.remedy"), field=field))
    if not errors and not any(found):
        errors.append(FormError(texts("schedule.no_hours"), texts("schedule.no_hours.remedy"), field=DAYS[0]))
    return tuple(found), errors


def _periods(typed: str) -> tuple[Period, ...]:
    """Raises ``ValueError`` if it cannot be read."""
    words = " ".join(typed.casefold().split())
    if words in _CLOSED:
        return ()
    if words in _ALL_DAY:
        return (ALL_DAY,)
    parts = [part.strip() for part in _BETWEEN.split(words) if part.strip()]
    found = tuple(sorted({_period(part) for part in parts}))
    if not 0 < len(found) <= MAX_PERIODS:
        raise ValueError
    return found


def _period(typed: str) -> Period:
    match = _PERIOD.fullmatch(typed)
    if match is None:
        raise ValueError
    groups = match.groups()
    period = Period(_clock(*groups[:3]), _clock(*groups[3:]))
    if period.begin == period.end and period != ALL_DAY:
        raise ValueError
    return period


def _clock(hour: str, minute: str | None, half: str | None) -> time:
    """``24:00`` is midnight. Raises ``ValueError`` for a time that no clock shows."""
    number = int(hour)
    if half:
        if not 1 <= number <= 12:
            raise ValueError
        number = number % 12 + (12 if half == "pm" else 0)
    elif number == 24 and not int(minute or 0):
        number = 0
    return time(number, int(minute or 0))


def _holidays(texts: Texts, typed: str, today: date) -> tuple[frozenset[date], list[FormError]]:
    """The dates, one or a range a line, and the first errors, each with the number of its line.

    Beyond what there may be nothing more is read: each of two hundred ranges could be five years.
    """
    found: list[date] = []
    wrong: list[str] = []
    for number, part in _parts(typed):
        try:
            found += _dates(part, today)
        except ValueError:
            wrong.append(texts("schedule.no_date", line=texts.number(number), typed=part[:40]))
        if len(found) > MAX_HOLIDAYS:
            wrong.append(texts("schedule.many_holidays", most=texts.number(MAX_HOLIDAYS)))
        if len(found) > MAX_HOLIDAYS or len(wrong) > ERRORS_SHOWN:
            break
    said = [*wrong[:ERRORS_SHOWN], *([texts("schedule.more_wrong")] if len(wrong) > ERRORS_SHOWN else [])]
    errors = [FormError(one, field=HOLIDAYS) for one in said[:-1]]
    if said:
        errors.append(FormError(said[-1], texts("schedule.no_date.remedy"), field=HOLIDAYS))
    return frozenset(found), errors


def _parts(typed: str) -> Iterator[tuple[int, str]]:
    """What is between separators, with the number of its line."""
    for number, line in enumerate(typed.splitlines(), 1):
        for part in re.split(r"[,;]", line):
            if part.strip():
                yield number, part.strip()


def _dates(typed: str, today: date) -> list[date]:
    """A date, or all from one until another. Raises ``ValueError``."""
    match = _RANGE.fullmatch(typed)
    if match is None:
        return [_date(typed, today)]
    first, last = (_date(one, today) for one in match.groups())
    if last < first:
        raise ValueError
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _rows(days: Sequence[date]) -> list[str]:
    """Days as they are shown: ``IN_A_ROW`` and more of them as a range."""
    rows: list[list[date]] = []
    for day in days:
        if rows and day - rows[-1][-1] == timedelta(days=1):
            rows[-1].append(day)
        else:
            rows.append([day])
    return [
        line
        for row in rows
        for line in (
            [f"{row[0].isoformat()} – {row[-1].isoformat()}"]
            if len(row) >= IN_A_ROW
            else [day.isoformat() for day in row]
        )
    ]


def _date(typed: str, today: date) -> date:
    """Raises ``ValueError`` for what is no date, or too far from ``today`` to be meant."""
    iso, day_first = _ISO.fullmatch(typed), _DAY_FIRST.fullmatch(typed)
    match = iso or day_first
    if match is None:
        raise ValueError
    year, month, day = map(int, match.groups() if iso else match.groups()[::-1])
    if not today.year <= year <= today.year + YEARS_AHEAD:
        raise ValueError
    return date(year, month, day)
