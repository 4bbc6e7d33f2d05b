from datetime import date, time

import pytest

from bot.cards.presence.typed_hours import DAYS, HOLIDAYS, PRESET, ZONE, schedule_of, typed_of
from bot.languages.zone_names import nearest_zones, zone_named
from sync.domain.schedule import ALL_DAY, MAX_HOLIDAYS, WEEKS, Period, Preset, Schedule
from tests.support.bot.texts import EN

TODAY = date(2026, 11, 23)


RANGES = (
    *("30/12/2026-01/01/2027", "2026-12-30 - 2027-01-01", "2026-12-30-2027-01-01", "30.12.2026 – 1.1.2027"),
    *("30/12/2026 to 01/01/2027", "30/12/2026 até 01/01/2027", "30/12/2026 a 1/1/2027", "2026-12-30 – 01/01/2027"),
)
NO_RANGES = ("01/01/2027-24/12/2026", "24/12/2026-", "24/12/2026-31/02/2027", "2026-12-24 - 2040-01-01")


def read(monday: str = "", holidays: str = "", preset: str = "own") -> tuple[Schedule | None, list[str]]:
    typed = {PRESET: preset, ZONE: "Europe/Lisbon", DAYS[0]: monday, HOLIDAYS: holidays}
    schedule, errors = schedule_of(EN, typed, TODAY)
    return schedule, [one.field for one in errors]


@pytest.mark.parametrize(
    ("typed", "periods"),
    [
        ("09:00-18:00", ["09:00-18:00"]),
        ("9-18", ["09:00-18:00"]),
        ("9h30 - 18h", ["09:30-18:00"]),
        ("9.15–12.00 ; 13.00–18.00", ["09:15-12:00", "13:00-18:00"]),
        ("13:00-18:00, 09:00-12:30", ["09:00-12:30", "13:00-18:00"]),
        ("9am to 6pm", ["09:00-18:00"]),
        ("12am-12pm", ["00:00-12:00"]),
        ("22:00-06:00", ["22:00-06:00"]),
        ("18:00 - 24:00", ["18:00-00:00"]),
        ("9 às 18", ["09:00-18:00"]),
        ("9:00 até 12:00 e 14:00 até 18:00", ["09:00-12:00", "14:00-18:00"]),
        ("24h", ["00:00-00:00"]),
        ("0-24", ["00:00-00:00"]),
    ],
)
def test_hours_are_read_as_people_write_them(typed: str, periods: list[str]) -> None:
    schedule, errors = read(typed)
    assert schedule
    assert not errors
    assert schedule.week[0] == tuple(Period(*map(time.fromisoformat, one.split("-"))) for one in periods)


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "nine to five",
            "9",
            "25:00-26:00",
            "09:60-10:00",
            "09:00-09:00",
            "13am-2pm",
            "9-12-18",
            "9-12 x",
            "x" * 500,
        ),
        ", ".join(f"{hour}:00-{hour}:30" for hour in range(10, 20)),
    ],
)
def test_what_is_no_time_is_refused_at_its_day(typed: str) -> None:
    assert read(typed)[1] == [DAYS[0]]


def test_a_week_without_any_hours_is_refused() -> None:
    assert read("closed")[1] == [DAYS[0]]


@pytest.mark.parametrize(
    ("typed", "days"),
    [
        ("2026-12-25", [date(2026, 12, 25)]),
        ("25/12/2026\n 1.1.2027 \n\n2026-12-25", [date(2026, 12, 25), date(2027, 1, 1)]),
        ("2026-12-24, 2026-12-25; 2026/12/26", [date(2026, 12, day) for day in (24, 25, 26)]),
        *((typed, [date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1)]) for typed in RANGES),
        ("2026-12-24 to 2026-12-24", [date(2026, 12, 24)]),
    ],
)
def test_holidays_are_read(typed: str, days: list[date]) -> None:
    schedule, errors = read("9-18", typed)
    assert schedule
    assert not errors
    assert sorted(schedule.holidays) == days


@pytest.mark.parametrize(
    "typed", ["2025-12-25", "2032-01-01", "2026-02-30", "Christmas", "12/25/2026", "2026", *NO_RANGES]
)
def test_what_is_no_coming_date_is_refused(typed: str) -> None:
    assert read("9-18", typed)[1] == [HOLIDAYS]


def test_of_many_wrong_lines_the_first_are_named() -> None:
    typed = {PRESET: "office", ZONE: "UTC", HOLIDAYS: "\n".join("x" * 50 for _ in range(9))}
    errors = schedule_of(EN, typed, TODAY)[1]
    assert [one.sentence[:7] for one in errors] == ["Line 1:", "Line 2:", "Line 3:", "More li"]
    days = [f"{2027 + count // 336}-{count % 336 // 28 + 1}-{count % 28 + 1}" for count in range(MAX_HOLIDAYS + 1)]
    assert read("9-18", "\n".join(days))[1] == [HOLIDAYS]


def test_of_more_holidays_than_there_may_be_the_rest_is_not_read() -> None:
    year = "2027-01-01 - 2027-12-31"
    assert read("9-18", year)[1] == []
    typed = {PRESET: "office", ZONE: "UTC", HOLIDAYS: "\n".join([year, year, "no date"])}
    errors = [one.sentence for one in schedule_of(EN, typed, TODAY)[1]]
    assert errors == [EN("schedule.many_holidays", most=str(MAX_HOLIDAYS))]


def test_always_with_holidays_is_a_schedule() -> None:
    assert read(preset="always") == (None, [])
    schedule, _ = read(holidays="2026-12-25", preset="always")
    assert schedule == Schedule("Europe/Lisbon", ((ALL_DAY,),) * 7, frozenset({date(2026, 12, 25)}))


@pytest.mark.parametrize("preset", ["", "never", "x" * 500])
def test_an_unknown_preset_is_refused(preset: str) -> None:
    assert read("9-18", preset=preset)[1] == [PRESET]


@pytest.mark.parametrize(
    "given",
    [
        None,
        Schedule("Asia/Tokyo", WEEKS[Preset.OFFICE], frozenset({date(2026, 12, 25)})),
        Schedule("UTC", WEEKS[Preset.ALWAYS], frozenset({date(2026, 12, 25)})),
        Schedule("UTC", ((ALL_DAY,), (Period(time(9), time(12)), Period(time(22), time(6)))) + ((),) * 5),
    ],
)
def test_what_is_shown_again_says_the_same(given: Schedule | None) -> None:
    assert schedule_of(EN, typed_of(given, "UTC", TODAY), TODAY) == (given, [])


def test_holidays_of_past_days_are_left_out() -> None:
    old = Schedule("UTC", WEEKS[Preset.OFFICE], frozenset({date(2025, 12, 25), date(2026, 12, 25)}))
    assert typed_of(old, "UTC", TODAY)[HOLIDAYS] == "2026-12-25"


def test_days_in_a_row_are_shown_as_a_range() -> None:
    days = frozenset({date(2026, 12, 25), date(2027, 1, 1), *(date(2027, 8, day) for day in range(2, 16))})
    shown = typed_of(Schedule("UTC", WEEKS[Preset.OFFICE], days), "UTC", TODAY)[HOLIDAYS]
    assert shown.splitlines() == ["2026-12-25", "2027-01-01", "2027-08-02 – 2027-08-15"]
    assert read("9-18", shown)[0] == Schedule("Europe/Lisbon", read("9-18")[0].week, days)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("Europe/Lisbon", "Europe/Lisbon"),
        (" europe/lisbon ", "Europe/Lisbon"),
        ("sao paulo", "America/Sao_Paulo"),
        ("Warsaw", "Europe/Warsaw"),
        ("utc", "UTC"),
        ("", None),
        ("Europe", None),
        ("../etc/passwd", None),
        ("Mars/Base", None),
        ("x" * 5000, None),
    ],
)
def test_a_zone_is_found_by_its_name_or_city(typed: str, zone: str | None) -> None:
    assert zone_named(typed) == zone


def test_the_nearest_zones_are_named() -> None:
    assert "Europe/Lisbon" in nearest_zones("Lisbn")
    assert nearest_zones("") == []
