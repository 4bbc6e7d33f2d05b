"""Quiet hours, in a person's own time zone."""

from datetime import UTC, datetime

import pytest

from bot.languages import Language
from bot.languages.quiet_hours import ZONES, is_time, quiet_until, zone_of


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "begin", "end", "zone", "expected"),
    [
        ("2026-11-22 23:00", "22:00", "07:00", "UTC", "2026-11-23 07:00"),
        ("2026-11-23 06:59", "22:00", "07:00", "UTC", "2026-11-23 07:00"),
        ("2026-11-23 07:00", "22:00", "07:00", "UTC", None),
        ("2026-11-22 21:59", "22:00", "07:00", "UTC", None),
        ("2026-11-22 22:00", "22:00", "07:00", "UTC", "2026-11-23 07:00"),
        ("2026-11-22 13:00", "12:30", "14:00", "UTC", "2026-11-22 14:00"),
        ("2026-11-22 12:00", "12:30", "14:00", "UTC", None),
        ("2026-07-01 21:30", "22:00", "07:00", "Europe/Lisbon", "2026-07-02 06:00"),
        ("2026-11-22 03:00", "22:00", "07:00", "America/New_York", "2026-11-22 12:00"),
        ("2026-03-28 23:30", "22:00", "07:00", "Europe/Lisbon", "2026-03-29 06:00"),
        ("2026-10-24 22:30", "22:00", "07:00", "Europe/Lisbon", "2026-10-25 07:00"),
        ("2026-11-22 23:00", "", "", "UTC", None),
        ("2026-11-22 23:00", "22:00", "", "UTC", None),
        ("2026-11-22 23:00", "22:00", "22:00", "UTC", None),
        ("2026-11-22 23:00", "22:00", "07:00", "Nowhere/Town", "2026-11-23 07:00"),
    ],
)
def test_quiet_hours_end(now: str, begin: str, end: str, zone: str, expected: str | None) -> None:
    assert quiet_until(at(now), begin, end, zone) == (at(expected) if expected else None)


@pytest.mark.parametrize("typed", ["00:00", "23:59", "07:30"])
def test_a_time_of_day(typed: str) -> None:
    assert is_time(typed)


@pytest.mark.parametrize("typed", ["", "24:00", "7:30", "07:60", "07:30:00", "now", "07:30\n"])
def test_no_time_of_day(typed: str) -> None:
    assert not is_time(typed)


@pytest.mark.parametrize(
    ("chosen", "client_zone", "language", "expected"),
    [
        ("Asia/Tokyo", "Europe/Paris", Language.ENGLISH, "Asia/Tokyo"),
        ("", "Europe/Paris", Language.ENGLISH, "Europe/Paris"),
        ("", "../etc/passwd", Language.PORTUGUESE, "Europe/Lisbon"),
        ("gone", "", Language.ENGLISH, "UTC"),
    ],
)
def test_a_persons_time_zone(chosen: str, client_zone: str, language: Language, expected: str) -> None:
    assert zone_of(chosen, client_zone, language) == expected


def test_every_zone_on_offer_is_known_here() -> None:
    assert [zone for zone in ZONES if zone_of(zone, "", Language.ENGLISH) != zone] == []
