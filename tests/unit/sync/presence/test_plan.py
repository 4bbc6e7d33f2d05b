from datetime import timedelta
from random import Random
from typing import Any

from storage.tables.columns import UNSURE
from storage.tables.people import Person
from sync.domain.changes import ClearPresence, SetPresence
from sync.domain.presence import Presence
from sync.presence import plan
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person

CALL = Presence.IN_A_CALL
SESSION = timedelta(seconds=plan.SESSION_SECONDS)


def shown(**values: Any) -> Person:
    """A person whose call Teams shows since ``NOON``."""
    given: dict[str, Any] = {
        "desired": CALL.value,
        "desired_at": NOON,
        "applied": CALL.value,
        "applied_user_id": "teams p1",
        "applied_at": NOON,
        "applied_until": NOON + SESSION,
    }
    return person(**{**given, **values})


def test_a_difference_is_sent_with_the_duration_of_its_presence() -> None:
    calling = person(desired=CALL.value, desired_at=NOON)
    assert plan.change_for(calling, integration(), NOON) == SetPresence("teams p1", CALL, 14_400)
    busy = person(desired="DoNotDisturb/Presenting", desired_at=NOON)
    assert plan.change_for(busy, integration(), NOON) == SetPresence("teams p1", Presence.PRESENTING, 14_400)


def test_a_shown_presence_is_renewed_well_before_its_session_ends() -> None:
    before = NOON + timedelta(minutes=167)
    assert plan.change_for(shown(heard_at=before), integration(), before) is None
    later = NOON + timedelta(minutes=169)
    assert plan.next_due(shown(heard_at=later), integration(), later, Random(1)) == later
    renewal = plan.change_for(shown(heard_at=later), integration(), later)
    assert renewal == SetPresence("teams p1", CALL, 14_400)


def test_a_presence_that_is_not_desired_any_more_is_cleared() -> None:
    assert plan.change_for(shown(desired=None), integration(), NOON) == ClearPresence("teams p1")


def test_disabled_removing_excluded_and_unmatched_are_cleared() -> None:
    clear = ClearPresence("teams p1")
    assert plan.change_for(shown(), integration(enabled=False), NOON) == clear
    assert plan.change_for(shown(), integration(removing_since=NOON), NOON) == clear
    assert plan.change_for(shown(excluded=True), integration(), NOON) == clear
    assert plan.change_for(shown(teams_user_id=None), integration(), NOON) == clear


def test_an_expired_presence_is_not_cleared() -> None:
    assert plan.change_for(shown(desired=None), integration(), NOON + SESSION) is None


def test_the_presence_of_a_former_user_is_cleared_before_another_is_set() -> None:
    moved = shown(teams_user_id="another")
    assert plan.change_for(moved, integration(), NOON) == ClearPresence("teams p1")
    plan.mark_accepted(moved, ClearPresence("teams p1"), NOON, NOON)
    assert plan.change_for(moved, integration(), NOON) == SetPresence("another", CALL, 14_400)


def test_a_change_that_a_crash_interrupted_is_sent_or_cleared_again() -> None:
    calling = person(desired=CALL.value, desired_at=NOON)
    plan.mark_sending(calling, SetPresence("teams p1", CALL, 14_400), NOON)
    assert calling.applied == UNSURE
    assert plan.change_for(calling, integration(), NOON) == SetPresence("teams p1", CALL, 14_400)
    calling.desired = None
    assert plan.change_for(calling, integration(), NOON) == ClearPresence("teams p1")
    at_expiry = NOON + SESSION
    calling.heard_at = at_expiry
    assert plan.change_for(calling, integration(), at_expiry) == ClearPresence("teams p1")


def test_while_a_clear_is_being_sent_the_presence_does_not_count_as_shown() -> None:
    hung_up = shown(desired=None)
    plan.mark_sending(hung_up, ClearPresence("teams p1"), NOON)
    hung_up.desired = CALL.value
    assert plan.change_for(hung_up, integration(), NOON) == SetPresence("teams p1", CALL, 14_400)


def test_while_a_renewal_is_being_sent_the_presence_counts_as_shown() -> None:
    calling = shown()
    plan.mark_sending(calling, SetPresence("teams p1", CALL, 14_400), NOON + timedelta(minutes=30))
    assert calling.applied == CALL


def test_a_stale_state_is_not_sent_but_cleared() -> None:
    later = NOON + timedelta(hours=1)
    nothing_shown: dict[str, Any] = dict.fromkeys(("applied", "applied_user_id", "applied_at", "applied_until"))
    clear = ClearPresence("teams p1")
    assert plan.change_for(shown(), integration(), later - timedelta(seconds=1)) is None
    assert plan.change_for(shown(), integration(), later) == clear
    polled_without_this_person = integration(polled_at=later)
    assert plan.change_for(shown(), polled_without_this_person, later) == clear
    assert plan.change_for(shown(**nothing_shown), integration(), later) is None
    after_a_gap = integration(catch_up_since=later - timedelta(minutes=9))
    assert plan.change_for(shown(), after_a_gap, later) is None
    assert plan.change_for(shown(**nothing_shown), after_a_gap, later) is None
    assert plan.change_for(shown(), after_a_gap, later + timedelta(minutes=1)) == clear
    heard_of_again = shown(**nothing_shown, heard_at=later)
    assert plan.change_for(heard_of_again, integration(), later) == SetPresence("teams p1", CALL, 14_400)


def test_a_wish_that_changed_makes_no_state_newer() -> None:
    """An answer of an hour ago that arrives now, as when a machine slept, or another mapping."""
    later = NOON + timedelta(minutes=90)
    wished = person(desired=CALL.value, desired_at=later, heard_at=NOON)
    assert plan.change_for(wished, integration(), later) is None
    before = shown(desired_at=later, heard_at=NOON)
    assert plan.change_for(before, integration(), later) == ClearPresence("teams p1")


def test_a_shown_presence_is_looked_at_when_the_phone_was_not_heard_of_for_an_hour() -> None:
    later = NOON + timedelta(hours=1)
    assert plan.next_due(shown(), integration(), NOON, Random(1)) == later
    assert plan.next_due(shown(heard_at=later), integration(), later, Random(1)) == later + timedelta(hours=1)
    assert plan.next_due(shown(applied=None), integration(), later, Random(1)) == later + plan.RECHECK


def test_next_due_is_now_after_a_change_and_before_the_end_for_a_shown_presence() -> None:
    random = Random(1)
    assert plan.next_due(shown(desired="Busy/InAConferenceCall"), integration(), NOON, random) == NOON
    heard = shown(heard_at=NOON + timedelta(hours=3))
    times = [plan.next_due(heard, integration(), NOON, random) for _ in range(50)]
    minutes = [(at - NOON).total_seconds() / 60 for at in times if at]
    assert len(set(minutes)) > 40
    assert min(minutes) >= 168
    assert max(minutes) <= 192
    assert plan.next_due(person(), integration(), NOON, random) is None


def test_what_is_refused_for_one_person_is_tried_again_ever_more_rarely() -> None:
    calling = person(desired=CALL.value, desired_at=NOON)
    waits, now = [], NOON
    while now < NOON + timedelta(hours=3):
        plan.mark_refused(calling, "403 Forbidden", now)
        assert plan.change_for(calling, integration(), now) is None
        due_at = plan.next_due(calling, integration(), now, Random(7))
        assert due_at
        calling.heard_at = due_at
        assert plan.change_for(calling, integration(), due_at) is not None
        waits.append(due_at - now)
        now = due_at
    assert waits[:4] == [timedelta(seconds=each) for each in (5, 5, 10, 20)]
    assert max(waits) == timedelta(hours=1)
    plan.mark_accepted(calling, SetPresence("teams p1", CALL, 14_400), now, now)
    assert (calling.refusal, calling.refused_since, calling.refused_until) == ("", None, None)


def test_a_refused_renewal_does_not_delay_clearing_what_is_shown() -> None:
    hanging_up = shown(desired=None)
    plan.mark_refused(hanging_up, "403 Forbidden", NOON)
    assert plan.change_for(hanging_up, integration(), NOON) == ClearPresence("teams p1")


def test_a_refused_clear_is_tried_again_until_the_session_has_ended() -> None:
    hanging_up = shown(desired=None, applied=UNSURE)
    plan.mark_refused(hanging_up, "403 Forbidden", NOON)
    assert plan.change_for(hanging_up, integration(), NOON) is None
    due_at = plan.next_due(hanging_up, integration(), NOON, Random(7))
    assert due_at == NOON + timedelta(seconds=5)
    assert plan.change_for(hanging_up, integration(), due_at) == ClearPresence("teams p1")
    assert plan.change_for(hanging_up, integration(), NOON + SESSION) is None
