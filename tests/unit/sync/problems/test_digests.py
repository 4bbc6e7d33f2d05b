"""When a digest is due, and what it covers. Pure."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from storage.queries.health.notices import State
from sync.domain.reports import Cadence
from sync.problems.digests import LATEST, Period, Wish, period_due
from sync.problems.notice_plan import DIGEST, PlanInput, Recipient, digests_due, plan
from tests.support.storage.stores import integration

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LISBON, KOLKATA, NEW_YORK = "Europe/Lisbon", "Asia/Kolkata", "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def wish(cadence: Cadence = Cadence.DAILY, zone: str = "UTC", chosen_at: datetime = LONG_AGO) -> Wish:
    return Wish(cadence, chosen_at, zone)


@pytest.mark.parametrize(
    ("wanted", "now", "stage", "since", "until"),
    [
        (wish(), "2026-11-22 08:00", "daily/2026-11-22", "2026-11-21 08:00", "2026-11-22 08:00"),
        (wish(), "2026-11-23 06:59", "daily/2026-11-22", "2026-11-21 08:00", "2026-11-22 08:00"),
        (wish(zone=KOLKATA), "2026-11-22 02:30", "daily/2026-11-22", "2026-11-21 02:30", "2026-11-22 02:30"),
        (wish(zone=NEW_YORK), "2026-11-22 11:59", "daily/2026-11-21", "2026-11-20 13:00", "2026-11-21 13:00"),
        (wish(zone="nowhere"), "2026-11-22 08:00", "daily/2026-11-22", "2026-11-21 08:00", "2026-11-22 08:00"),
        (
            wish(Cadence.WEEKLY, LISBON),
            *("2026-10-26 09:00", "weekly/2026-10-26", "2026-10-19 07:00", "2026-10-26 08:00"),
        ),
    ],
)
def test_a_digest_covers_the_time_before_a_local_morning_whenever_it_is_made(
    wanted: Wish, now: str, stage: str, since: str, until: str
) -> None:
    """The last one is a week of 169 hours: summer time ended."""
    assert period_due(wanted, at(now)) == Period(stage, at(since), at(until))


@pytest.mark.parametrize(
    ("wanted", "now"),
    [
        (wish(Cadence.NEVER), "2026-11-22 08:00"),
        (wish(), "2026-11-23 07:00"),
        (wish(Cadence.WEEKLY), "2026-11-22 12:00"),
        (wish(chosen_at=at("2026-11-22 08:01")), "2026-11-22 12:00"),
    ],
)
def test_none_is_due_for_who_wants_none_nor_too_late_nor_for_a_time_before_it_was_chosen(
    wanted: Wish, now: str
) -> None:
    assert period_due(wanted, at(now)) is None


def test_over_a_month_every_hour_is_in_one_digest_of_each_kind() -> None:
    for cadence in (Cadence.DAILY, Cadence.WEEKLY):
        found = {period_due(wish(cadence, LISBON), at("2026-10-05 00:00") + timedelta(hours=n)) for n in range(800)}
        periods = sorted((one for one in found if one), key=lambda one: one.since)
        assert all(one.until == after.since for one, after in pairwise(periods))
        assert len({one.stage for one in periods}) == len(periods)
        assert len(periods) == {Cadence.DAILY: 34, Cadence.WEEKLY: 5}[cadence]


def given(now: str, **changed: object) -> PlanInput:
    recipients = [Recipient("ada", digest=wish()), Recipient("ben"), Recipient("eve", is_muted=True, digest=wish())]
    values = {"integration": integration(), "recipients": recipients, "now": at(now), "notices": [], **changed}
    return PlanInput(**{"problems": [], "rotations": [], "last_act": None, "update": None, **values})  # type: ignore[arg-type]


def test_a_digest_goes_once_to_who_wants_it_and_waits_while_it_is_not_too_late() -> None:
    first = given("2026-11-22 08:00")
    (period,) = digests_due(first)
    made = plan(given("2026-11-22 08:00", digests={period: {"faults": 1}}))
    assert [(one.topic, one.audience, one.state) for one in made.new] == [(DIGEST, "ada", State.WAITING)]
    later = given("2026-11-22 20:00", notices=made.new)
    assert (digests_due(later), plan(later).new, plan(later).dropped) == (set(), [], [])
    too_late = given("2026-11-23 07:30", notices=made.new)
    assert plan(too_late).dropped == [made.new[0].id]


def test_with_nothing_to_say_it_is_made_once_and_not_sent() -> None:
    (period,) = digests_due(given("2026-11-22 08:00"))
    made = plan(given("2026-11-22 08:00", digests={period: None}))
    assert [one.state for one in made.new] == [State.DROPPED]
    again = given("2026-11-22 09:00", notices=made.new)
    assert (digests_due(again), plan(again).new) == (set(), [])


def test_one_that_a_crash_left_half_sent_is_not_sent_again() -> None:
    (period,) = digests_due(given("2026-11-22 08:00"))
    made = plan(given("2026-11-22 08:00", digests={period: {"faults": 1}}))
    made.new[0].state = State.SENDING
    for hours in range(1, 50):
        now = at("2026-11-22 08:00") + timedelta(hours=hours)
        new = plan(given(now.isoformat(sep=" ")[:19], notices=made.new, digests={})).new
        assert [one.stage for one in new if one.stage.startswith(period.stage)] == []
    assert timedelta(days=1) > LATEST
