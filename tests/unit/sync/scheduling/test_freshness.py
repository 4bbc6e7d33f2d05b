from datetime import timedelta

import pytest

from storage.tables.integrations import Integration
from sync.domain.model import Freshness
from sync.scheduling.freshness import GRACE, MAX_UNREPORTED, MISTRUST, event_arrived, freshness_of, poll_found
from sync.scheduling.freshness import mark_subscribed as subscribe
from tests.support.clocks import NOON, FakeClock
from tests.support.storage.stores import integration

IDLE, CALL = {"p1": "idle", "p2": "idle"}, {"p1": "on_call", "p2": "idle"}


def subscribed(**values: object) -> Integration:
    return integration(**{"subscription_id": "s", "live_since": NOON, "last_webhook_at": NOON, **values})


def state(row: Integration, clock: FakeClock) -> Freshness:
    return freshness_of(row, clock(), public=True)


def test_without_a_url_a_subscription_or_an_event_nobody_is_called_live() -> None:
    assert freshness_of(subscribed(), NOON, public=False) is Freshness.NO_URL
    assert freshness_of(subscribed(subscription_id=""), NOON, public=True) is Freshness.NOT_SUBSCRIBED
    row = subscribed(live_since=None)
    assert freshness_of(row, NOON, public=True) is Freshness.NO_EVENT
    event_arrived(row, set(), NOON)
    assert freshness_of(row, NOON, public=True) is Freshness.LIVE


def test_an_event_of_an_earlier_subscription_proves_nothing() -> None:
    row = subscribed()
    subscribe(row)
    assert freshness_of(row, NOON, public=True) is Freshness.NO_EVENT


def test_a_call_found_by_a_poll_whose_event_comes_soon_after_it_is_no_miss() -> None:
    row, clock = subscribed(), FakeClock()
    poll_found(row, IDLE, CALL, clock())
    clock.advance(seconds=GRACE.total_seconds() - 1)
    event_arrived(row, {"p1"}, clock())
    clock.advance(minutes=5)
    poll_found(row, CALL, CALL, clock())
    assert (state(row, clock), row.missed) == (Freshness.LIVE, 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [("idle", "on_call"), ("on_call", "idle"), ("idle", "ringing"), ("in_conference", "offline")],
)
def test_a_call_whose_event_never_comes_ends_the_trust(before: str, after: str) -> None:
    row, clock = subscribed(), FakeClock()
    poll_found(row, {"p1": before}, {"p1": after}, clock())
    assert state(row, clock) is Freshness.LIVE
    clock.advance(seconds=GRACE.total_seconds())
    event_arrived(row, {"p2"}, clock())
    assert state(row, clock) is Freshness.MISSED
    poll_found(row, {}, {}, clock())
    assert (state(row, clock), row.missed, row.unreported) == (Freshness.MISSED, 1, {})


@pytest.mark.parametrize(
    ("before", "after"), [("unknown", "on_call"), ("idle", "offline"), ("idle", "do_not_disturb"), ("idle", "idle")]
)
def test_what_is_no_change_of_a_known_call_is_no_miss(before: str, after: str) -> None:
    row = subscribed()
    poll_found(row, {"p1": before}, {"p1": after}, NOON)
    assert row.unreported == {}


@pytest.mark.parametrize("values", [{"subscription_id": ""}, {"catch_up_since": NOON}])
def test_what_events_could_not_report_is_no_miss(values: dict[str, object]) -> None:
    row = subscribed(**values)
    poll_found(row, IDLE, CALL, NOON)
    assert row.unreported == {}


def test_trust_returns_after_an_hour_without_a_miss_once_an_event_has_come() -> None:
    row, clock = subscribed(), FakeClock()
    poll_found(row, IDLE, CALL, clock())
    clock.advance(minutes=1)
    poll_found(row, {}, {}, clock())
    event_arrived(row, set(), clock())
    clock.advance(seconds=MISTRUST.total_seconds())
    assert state(row, clock) is Freshness.MISSED
    event_arrived(row, set(), clock())
    assert state(row, clock) is Freshness.LIVE


def test_misses_are_counted_from_the_first_of_a_series() -> None:
    row, clock = subscribed(), FakeClock()
    for _ in range(3):
        poll_found(row, IDLE, CALL, clock())
        clock.advance(minutes=5)
        poll_found(row, {}, {}, clock())
    assert (row.missed, row.missed_since) == (3, NOON + timedelta(minutes=5))
    clock.advance(hours=2)
    poll_found(row, IDLE, CALL, clock())
    clock.advance(minutes=5)
    poll_found(row, {}, {}, clock())
    assert (row.missed, row.missed_since) == (1, clock())


def test_no_more_people_are_remembered_than_there_is_room_for() -> None:
    row = subscribed()
    people = [f"p{number}" for number in range(2 * MAX_UNREPORTED)]
    poll_found(row, dict.fromkeys(people, "idle"), dict.fromkeys(people, "on_call"), NOON)
    assert len(row.unreported) == MAX_UNREPORTED
