from datetime import timedelta
from random import Random
from typing import Any

from storage.tables.columns import UNSURE
from storage.tables.people import Person
from sync.domain.changes import ClearPresence, SetPresence
from sync.domain.presence import Presence
from sync.presence import plan
from tests.support.clocks import NOON
from tests.support.stores import integration, person

CALL = Presence.IN_A_CALL
HOUR = timedelta(hours=1)


def shown(**values: Any) -> Person:
    """Somebody whose call Teams shows since now."""
    given: dict[str, Any] = {
        "desired": CALL.value,
        "desired_at": NOON,
        "applied": CALL.value,
        "applied_user_id": "teams p1",
        "applied_at": NOON,
        "applied_until": NOON + HOUR,
    }
    return person(**{**given, **values})


def test_a_difference_is_sent_with_the_expiry_of_its_kind() -> None:
    calling = person(desired=CALL.value, desired_at=NOON)
    assert plan.change_for(calling, integration(), NOON) == SetPresence("teams p1", CALL, 3600)
    busy = person(desired="DoNotDisturb/Presenting", desired_at=NOON)
    assert plan.change_for(busy, integration(), NOON) == SetPresence("teams p1", Presence.PRESENTING, 14400)


def test_what_teams_shows_from_us_is_not_sent_again_before_it_is_nearly_half_over() -> None:
    assert plan.change_for(shown(), integration(), NOON + timedelta(minutes=26)) is None
    renewal = plan.change_for(shown(), integration(), NOON + timedelta(minutes=28))
    assert renewal == SetPresence("teams p1", CALL, 3600)


def test_nothing_desired_clears() -> None:
    assert plan.change_for(shown(desired=None), integration(), NOON) == ClearPresence("teams p1")


def test_disabled_removing_excluded_and_unmatched_are_cleared() -> None:
    clear = ClearPresence("teams p1")
    assert plan.change_for(shown(), integration(enabled=False), NOON) == clear
    assert plan.change_for(shown(), integration(removing_since=NOON), NOON) == clear
    assert plan.change_for(shown(excluded=True), integration(), NOON) == clear
    assert plan.change_for(shown(teams_user_id=None), integration(), NOON) == clear


def test_what_ran_out_by_itself_needs_no_clearing() -> None:
    assert plan.change_for(shown(desired=None), integration(), NOON + HOUR) is None


def test_somebody_matched_anew_is_cleared_at_the_old_place_first() -> None:
    moved = shown(teams_user_id="another")
    assert plan.change_for(moved, integration(), NOON) == ClearPresence("teams p1")
    plan.mark_accepted(moved, ClearPresence("teams p1"), NOON)
    assert plan.change_for(moved, integration(), NOON) == SetPresence("another", CALL, 3600)


def test_who_is_under_way_when_we_die_is_sent_or_cleared_again() -> None:
    calling = person(desired=CALL.value, desired_at=NOON)
    plan.mark_under_way(calling, SetPresence("teams p1", CALL, 3600), NOON)
    assert calling.applied == UNSURE
    assert plan.change_for(calling, integration(), NOON) == SetPresence("teams p1", CALL, 3600)
    calling.desired = None
    assert plan.change_for(calling, integration(), NOON) == ClearPresence("teams p1")
    at_the_end = NOON + HOUR
    assert plan.change_for(calling, integration(polled_at=at_the_end), at_the_end) == ClearPresence("teams p1")


def test_a_clear_under_way_is_not_mistaken_for_the_presence_it_clears() -> None:
    hung_up = shown(desired=None)
    plan.mark_under_way(hung_up, ClearPresence("teams p1"), NOON)
    hung_up.desired = CALL.value
    assert plan.change_for(hung_up, integration(), NOON) == SetPresence("teams p1", CALL, 3600)


def test_a_renewal_under_way_still_counts_as_shown() -> None:
    calling = shown()
    plan.mark_under_way(calling, SetPresence("teams p1", CALL, 3600), NOON + timedelta(minutes=30))
    assert calling.applied == CALL


def test_a_state_that_nobody_confirmed_for_long_is_not_told_any_more() -> None:
    later = NOON + timedelta(hours=2)
    assert plan.change_for(shown(applied_until=later), integration(), later) is None
    assert plan.change_for(shown(applied_until=later), integration(polled_at=later), later) is not None
    assert plan.change_for(shown(applied_until=later, desired=None), integration(), NOON) is not None


def test_the_next_look_is_now_for_what_changed_and_about_half_of_life_for_what_is_shown() -> None:
    random = Random(1)
    assert plan.next_look(shown(desired="Busy/InAConferenceCall"), integration(), NOON, random) == NOON
    looks = [plan.next_look(shown(), integration(), NOON, random) for _ in range(50)]
    minutes = [(look - NOON).total_seconds() / 60 for look in looks if look]
    assert len(set(minutes)) > 40
    assert min(minutes) >= 27
    assert max(minutes) <= 30
    assert plan.next_look(person(), integration(), NOON, random) is None
    assert (
        plan.next_look(person(desired=CALL.value, desired_at=NOON, refusal="404"), integration(), NOON, random)
        is None
    )
