from datetime import timedelta
from typing import Any

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.changes import ClearMessage, SetMessage
from sync.domain.presence import Presence
from sync.presence import status_message_plan as plan
from tests.support.clocks import NOON
from tests.support.stores import integration, person

WORDS = "On the phone"
OWN = "Back at three"
HOUR = timedelta(hours=1)


def talking(**values: Any) -> Person:
    return person(**{"desired": Presence.IN_A_CALL.value, "desired_at": NOON, **values})


def telling(**values: Any) -> Person:
    """Somebody beside whose presence our words stand since now."""
    given = {"status_message": WORDS, "status_user_id": "teams p1", "status_until": NOON + HOUR}
    return talking(**{**given, **values})


def at_three(**values: Any) -> Integration:
    return integration(**{"feature_version": 3, "status_text": WORDS, **values})


def test_whoever_is_on_the_phone_gets_our_words_for_an_hour() -> None:
    assert plan.needs_look(talking(), at_three(), NOON)
    assert plan.change_for(talking(), at_three(), "", NOON) == SetMessage("teams p1", WORDS, NOON + HOUR)
    conference = talking(desired=Presence.IN_A_CONFERENCE_CALL.value)
    assert plan.wanted_message(conference, at_three()) == WORDS


@pytest.mark.parametrize(
    ("somebody", "where"),
    [
        (talking(), at_three(feature_version=2)),
        (talking(), at_three(status_text="")),
        (talking(), at_three(enabled=False)),
        (talking(), at_three(removing_since=NOON)),
        (talking(excluded=True), at_three()),
        (talking(teams_user_id=None), at_three()),
        (talking(desired=Presence.PRESENTING.value), at_three()),
        (talking(desired=None), at_three()),
    ],
)
def test_nobody_else_does(somebody: Person, where: Integration) -> None:
    assert plan.wanted_message(somebody, where) == ""
    assert not plan.needs_look(somebody, where, NOON)


def test_words_of_their_own_are_never_touched() -> None:
    assert plan.change_for(talking(), at_three(), OWN, NOON) is None
    assert plan.change_for(telling(), at_three(), OWN, NOON) is None
    assert plan.change_for(telling(desired=None), at_three(), OWN, NOON) is None


def test_nothing_is_set_for_somebody_graph_does_not_know() -> None:
    assert plan.change_for(talking(), at_three(), None, NOON) is None


def test_our_words_go_with_the_call_whatever_they_were() -> None:
    hung_up = telling(desired=None, status_message="Ao telefone")
    assert plan.needs_look(hung_up, at_three(), NOON)
    assert plan.change_for(hung_up, at_three(), "Ao telefone", NOON) == ClearMessage("teams p1")
    assert plan.change_for(hung_up, at_three(), "", NOON) is None


def test_new_words_take_the_place_of_our_old_ones() -> None:
    old = telling(status_message="Ao telefone")
    assert plan.needs_look(old, at_three(), NOON)
    assert plan.change_for(old, at_three(), "Ao telefone", NOON) == SetMessage("teams p1", WORDS, NOON + HOUR)


def test_they_are_renewed_before_presence_is() -> None:
    assert not plan.needs_look(telling(), at_three(), NOON + timedelta(minutes=23))
    assert plan.needs_look(telling(), at_three(polled_at=NOON + HOUR), NOON + timedelta(minutes=25))


def test_a_state_nobody_confirmed_for_long_is_not_told() -> None:
    later = NOON + timedelta(hours=2)
    assert not plan.needs_look(talking(), at_three(), later)
    assert plan.needs_look(telling(desired=None), at_three(), later)


def test_somebody_matched_anew_is_cleared_at_the_old_place_first() -> None:
    moved = telling(teams_user_id="another")
    assert plan.user_to_read(moved, at_three()) == "teams p1"
    assert plan.change_for(moved, at_three(), WORDS, NOON) == ClearMessage("teams p1")
    plan.mark_message_accepted(moved, ClearMessage("teams p1"))
    assert plan.user_to_read(moved, at_three()) == "another"
    assert plan.needs_look(moved, at_three(), NOON)


def test_what_is_about_to_be_sent_counts_as_ours_already() -> None:
    somebody = talking()
    plan.mark_message(somebody, SetMessage("teams p1", WORDS, NOON + HOUR))
    somebody.desired = None
    assert plan.change_for(somebody, at_three(), WORDS, NOON) == ClearMessage("teams p1")
    plan.mark_message(somebody, None)
    assert (somebody.status_message, somebody.status_user_id, somebody.status_until) == ("", None, None)


def test_words_of_ours_go_to_whoever_is_matched_to_that_user_now() -> None:
    before, after = telling(teams_user_id=None), person("p2", teams_user_id="teams p1")
    plan.hand_over_message(before, after)
    assert (after.status_message, after.status_user_id, before.status_message) == (WORDS, "teams p1", "")
    stranger = person("p3")
    plan.hand_over_message(after, stranger)
    assert stranger.status_message == ""
