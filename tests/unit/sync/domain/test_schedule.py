"""Hours in a time zone, also where its clock is changed: against the clock itself, over whole years and zones."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.domain.schedule import Period, Schedule, as_stored, is_open, next_change, of_stored
from tests.support.properties import unhurried

ZONES = (
    *("Europe/Lisbon", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe"),
    *("Asia/Kolkata", "Africa/Cairo", "America/Havana", "Pacific/Apia", "UTC"),
)
"""With gaps and folds of an hour and of half an hour, at night and at midnight, and none."""

MINUTE = timedelta(minutes=1)


def schedule(zone: str = "Europe/Lisbon", **days: str) -> Schedule:
    """The periods of the named days: ``mon="09:00-12:00 13:00-18:00"``."""
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return Schedule(zone, tuple(_periods(days.get(name, "")) for name in names))


def _periods(said: str) -> tuple[Period, ...]:
    return tuple(Period(*map(time.fromisoformat, each.split("-"))) for each in said.split())


def every_day(zone: str, said: str) -> Schedule:
    return Schedule(zone, (_periods(said),) * 7)


def at(said: str, zone: str = "Europe/Lisbon", fold: int = 0) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def changes(given: Schedule, since: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count and (moment := next_change(given, found[-1] if found else since)):
        found.append(moment)
    return found


def test_office_hours_with_a_pause_a_weekend_and_a_holiday() -> None:
    week = (_periods("09:00-12:30 13:30-18:00"),) * 5 + ((), ())
    given = Schedule("Europe/Lisbon", week, frozenset({date(2026, 12, 8)}))
    assert changes(given, at("2026-12-07T08:00"), 6) == [
        *map(at, ("2026-12-07T09:00", "2026-12-07T12:30", "2026-12-07T13:30", "2026-12-07T18:00")),
        *map(at, ("2026-12-09T09:00", "2026-12-09T12:30")),
    ]
    assert next_change(given, at("2026-12-11T18:00")) == at("2026-12-14T09:00")
    assert (is_open(given, at("2026-12-07T09:00")), is_open(given, at("2026-12-07T18:00"))) == (True, False)


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    given = Schedule("Europe/Lisbon", schedule(fri="22:00-06:00").week, frozenset({date(2026, 12, 5)}))
    assert changes(given, at("2026-12-04T12:00"), 2) == [at("2026-12-04T22:00"), at("2026-12-05T06:00")]
    holiday = Schedule(given.zone, given.week, frozenset({date(2026, 12, 4)}))
    assert next_change(holiday, at("2026-12-03T12:00")) == at("2026-12-11T22:00")


def test_periods_that_meet_or_overlap_are_one() -> None:
    given = schedule(mon="09:00-13:00 12:00-15:00 15:00-18:00")
    assert changes(given, at("2026-12-07T08:00"), 2) == [at("2026-12-07T09:00"), at("2026-12-07T18:00")]


@pytest.mark.parametrize("zone", ZONES)
def test_always_and_never_do_not_change(zone: str) -> None:
    assert next_change(every_day(zone, "00:00-00:00"), at("2026-03-01T00:00")) is None
    assert next_change(schedule(zone), at("2026-03-01T00:00")) is None


@pytest.mark.parametrize(
    ("zone", "said", "begin", "end"),
    [
        ("Europe/Lisbon", "01:30-05:00", "2026-03-29T01:00Z", "2026-03-29T04:00Z"),
        ("Europe/Lisbon", "00:00-01:30", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        ("Europe/Lisbon", "01:30-05:00", "2026-10-25T00:30Z", "2026-10-25T05:00Z"),
        ("Europe/Lisbon", "00:00-01:30", "2026-10-24T23:00Z", "2026-10-25T01:30Z"),
        ("America/Havana", "00:00-00:30", "2026-03-09T04:00Z", "2026-03-09T04:30Z"),
        ("Australia/Lord_Howe", "01:45-03:00", "2026-04-04T14:45Z", "2026-04-04T16:30Z"),
    ],
)
def test_where_the_clock_is_changed(zone: str, said: str, begin: str, end: str) -> None:
    """A skipped time is when it is skipped; of a repeated one a begin is the first, an end the second."""
    opens, closes = datetime.fromisoformat(begin), datetime.fromisoformat(end)
    assert changes(every_day(zone, said), opens - timedelta(hours=3), 2) == [opens, closes]


@pytest.mark.parametrize("zone", ZONES)
def test_over_whole_years_it_is_open_when_the_clock_says_so(zone: str) -> None:
    """At hours that no clock skips or repeats, each quarter of an hour around each change of the clock."""
    here, given = ZoneInfo(zone), every_day(zone, "04:00-12:00 13:00-22:00")
    for moment in _clock_changes(here):
        for count in range(-100, 100):
            now = moment + count * 15 * MINUTE
            shown = now.astimezone(here).time()
            assert is_open(given, now) == (time(4) <= shown < time(12) or time(13) <= shown < time(22)), now


def _clock_changes(zone: ZoneInfo) -> list[datetime]:
    """The days of the years around 2026 on which the zone's offset changes; one without any stands for none."""
    days = [datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=count) for count in range(4 * 366)]
    found = [day for day in days if day.astimezone(zone).utcoffset() != _before(day, zone)]
    return found or days[:1]


def _before(day: datetime, zone: ZoneInfo) -> timedelta | None:
    return (day - timedelta(days=1)).astimezone(zone).utcoffset()


CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 45)))
DAYS = st.lists(st.builds(Period, CLOCKS, CLOCKS), max_size=3).map(tuple)
SCHEDULES = st.builds(
    Schedule,
    st.sampled_from(ZONES),
    st.tuples(*[DAYS] * 7),
    st.frozensets(st.dates(date(2026, 3, 1), date(2026, 4, 30)), max_size=4),
)
MOMENTS = st.integers(0, 60 * 24 * 60).map(lambda minutes: at("2026-03-01T00:00", "UTC") + minutes * MINUTE)


@settings(unhurried, max_examples=30)
@given(SCHEDULES, MOMENTS)
def test_between_two_changes_nothing_changes(given: Schedule, now: datetime) -> None:
    edge = next_change(given, now)
    last = edge or now + timedelta(days=3)
    assert last > now
    assert {is_open(given, now + (last - now) * part / 20) for part in range(20)} == {is_open(given, now)}
    if edge:
        assert is_open(given, edge) != is_open(given, edge - timedelta(microseconds=1))
        assert is_open(given, edge - timedelta(microseconds=1)) == is_open(given, now)


@settings(unhurried, max_examples=40)
@given(SCHEDULES)
def test_it_is_stored_and_read(given: Schedule) -> None:
    assert of_stored(as_stored(given)) == given


def test_nothing_stored_is_no_schedule() -> None:
    assert of_stored({}) is None
