from datetime import timedelta
from typing import Any

import pytest

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.changes import ClearMessage, SetMessage
from sync.domain.presence import Presence
from sync.presence import status_message_plan as plan
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person

MESSAGE = "On the phone"
OWN = "Back at three"


def talking(**values: Any) -> Person:
    return person(**{"desired": Presence.IN_A_CALL.value, "desired_at": NOON, **values})


def showing(**values: Any) -> Person:
    """A person whose status message is ours since ``NOON``."""
    given = {"status_message": MESSAGE, "status_user_id": "teams p1", "status_until": NOON + plan.DURATION}
    return talking(**{**given, **values})


def with_messages(**values: Any) -> Integration:
    return integration(**{"feature_version": 3, "status_text": MESSAGE, **values})


def test_a_person_on_the_phone_gets_our_message_for_as_long_as_the_presence() -> None:
    assert plan.needs_check(talking(), with_messages(), NOON)
    assert plan.change_for(talking(), with_messages(), "", NOON) == SetMessage(
        "teams p1", MESSAGE, NOON + plan.DURATION
    )
    conference = talking(desired=Presence.IN_A_CONFERENCE_CALL.value)
    assert plan.wanted_message(conference, with_messages()) == MESSAGE
    quiet = talking(line="on_call", desired=Presence.PRESENTING.value)
    assert plan.wanted_message(quiet, with_messages()) == MESSAGE


@pytest.mark.parametrize(
    ("someone", "row"),
    [
        (talking(), with_messages(feature_version=2)),
        (talking(), with_messages(status_text="")),
        (talking(), with_messages(enabled=False)),
        (talking(), with_messages(removing_since=NOON)),
        (talking(excluded=True), with_messages()),
        (talking(teams_user_id=None), with_messages()),
        (talking(desired=Presence.PRESENTING.value), with_messages()),
        (talking(desired=None), with_messages()),
        (talking(line="on_call"), with_messages(closed=True)),
        (talking(line="on_call"), with_messages(status_texts={"on_call": ""})),
        (talking(line="ringing", desired=None), with_messages(status_texts={"on_call": MESSAGE})),
        (talking(line="ringing", excluded=True), with_messages(status_texts={"ringing": "Ringing"})),
        (talking(line="idle", desired=None), with_messages(status_texts={"ringing": "Ringing"})),
    ],
)
def test_in_every_other_case_no_message_is_set(someone: Person, row: Integration) -> None:
    assert plan.wanted_message(someone, row) == ""
    assert not plan.needs_check(someone, row, NOON)


def test_a_users_own_message_is_never_replaced() -> None:
    assert plan.change_for(talking(), with_messages(), OWN, NOON) is None
    assert plan.change_for(showing(), with_messages(), OWN, NOON) is None
    assert plan.change_for(showing(desired=None), with_messages(), OWN, NOON) is None


def test_nothing_is_set_for_a_user_unknown_to_graph() -> None:
    assert plan.change_for(talking(), with_messages(), None, NOON) is None


def test_our_message_is_cleared_after_the_call_even_if_its_text_was_changed() -> None:
    hung_up = showing(desired=None, status_message="Ao telefone")
    assert plan.needs_check(hung_up, with_messages(), NOON)
    assert plan.change_for(hung_up, with_messages(), "Ao telefone", NOON) == ClearMessage("teams p1")
    assert plan.change_for(hung_up, with_messages(), "", NOON) is None


def test_a_new_text_replaces_our_former_message() -> None:
    old = showing(status_message="Ao telefone")
    assert plan.needs_check(old, with_messages(), NOON)
    assert plan.change_for(old, with_messages(), "Ao telefone", NOON) == SetMessage(
        "teams p1", MESSAGE, NOON + plan.DURATION
    )


def test_a_message_is_renewed_before_the_presence() -> None:
    heard = showing(heard_at=NOON + plan.DURATION)
    assert not plan.needs_check(heard, with_messages(), NOON + timedelta(minutes=155))
    assert plan.needs_check(heard, with_messages(), NOON + timedelta(minutes=157))


def test_for_a_stale_state_no_message_is_set_but_ours_is_cleared() -> None:
    later = NOON + timedelta(hours=2)
    assert not plan.needs_check(talking(), with_messages(), later)
    assert plan.needs_check(showing(), with_messages(), later)
    assert plan.change_for(showing(), with_messages(), MESSAGE, later) == ClearMessage("teams p1")


def test_the_message_of_a_former_user_is_cleared_before_another_is_set() -> None:
    moved = showing(teams_user_id="another")
    assert plan.user_to_read(moved, with_messages()) == "teams p1"
    assert plan.change_for(moved, with_messages(), MESSAGE, NOON) == ClearMessage("teams p1")
    plan.mark_message_accepted(moved, ClearMessage("teams p1"))
    assert plan.user_to_read(moved, with_messages()) == "another"
    assert plan.needs_check(moved, with_messages(), NOON)


def test_a_message_counts_as_ours_before_it_is_sent() -> None:
    someone = talking()
    plan.mark_message(someone, plan.change_for(someone, with_messages(), "", NOON))
    someone.desired = None
    assert plan.change_for(someone, with_messages(), MESSAGE, NOON) == ClearMessage("teams p1")
    plan.mark_message(someone, None)
    assert (someone.status_message, someone.status_user_id, someone.status_until) == ("", None, None)


def test_our_message_is_transferred_to_the_person_matched_to_its_user_now() -> None:
    before, after = showing(teams_user_id=None), person("p2", teams_user_id="teams p1")
    plan.transfer_message(before, after)
    assert (after.status_message, after.status_user_id, before.status_message) == (MESSAGE, "teams p1", "")
    stranger = person("p3")
    plan.transfer_message(after, stranger)
    assert stranger.status_message == ""


STATES = {
    "on_call": "On a call",
    "on_hold": "Back soon",
    "ringing": "Ringing",
    "do_not_disturb": "Focus",
    "in_conference": "",
}


@pytest.mark.parametrize(
    ("line", "desired", "text"),
    [
        ("on_call", Presence.IN_A_CALL, "On a call"),
        ("on_call", None, "On a call"),
        ("on_hold", Presence.IN_A_CALL, "Back soon"),
        ("ringing", None, "Ringing"),
        ("do_not_disturb", Presence.PRESENTING, "Focus"),
        ("in_conference", Presence.IN_A_CONFERENCE_CALL, ""),
        ("idle", None, ""),
    ],
)
def test_each_state_has_its_own_text(line: str, desired: Presence | None, text: str) -> None:
    row = with_messages(status_texts=STATES)
    assert plan.wanted_message(talking(line=line, desired=desired), row) == text


def test_a_free_phone_that_shows_as_on_a_call_has_no_text_of_calls() -> None:
    for line in ("idle", "offline"):
        assert plan.wanted_message(talking(line=line, desired=Presence.IN_A_CALL), with_messages()) == ""


def test_texts_that_were_not_chosen_are_that_of_calls_or_none() -> None:
    chosen = plan.texts_of(MESSAGE, {"ringing": "Ringing", "in_conference": ""})
    assert list(chosen.values()) == [MESSAGE, MESSAGE, "", "Ringing", ""]


def test_a_message_about_ringing_ends_within_minutes() -> None:
    row, ringing = with_messages(status_texts=STATES), talking(line="ringing", desired=None)
    change = plan.change_for(ringing, row, "", NOON)
    assert change == SetMessage("teams p1", "Ringing", NOON + plan.RINGING)
    plan.mark_message(ringing, change)
    plan.mark_message_accepted(ringing, change)
    assert plan.renewal_of(ringing) == NOON + timedelta(minutes=6, seconds=30)
    ringing.line = "on_call"
    assert plan.change_for(ringing, row, "Ringing", NOON) == SetMessage(
        "teams p1", "On a call", NOON + plan.DURATION
    )
    assert plan.change_for(ringing, row, OWN, NOON) is None


@pytest.mark.parametrize("found", ["Ringing", "On a call", ""])
def test_until_the_outcome_is_known_both_texts_are_ours_and_it_is_sent_again(found: str) -> None:
    row, someone = with_messages(status_texts=STATES), showing(status_message="Ringing", line="on_call")
    change = plan.change_for(someone, row, "Ringing", NOON)
    plan.mark_message(someone, change)
    assert plan.needs_check(someone, row, NOON)
    assert plan.change_for(someone, row, found, NOON) == change
    assert plan.change_for(someone, row, OWN, NOON) is None
    someone.line, someone.desired = "idle", None
    assert plan.needs_check(someone, row, NOON)
    expected = ClearMessage("teams p1") if found else None
    assert plan.change_for(someone, row, found, NOON) == expected


def test_when_a_message_is_refused_the_one_before_it_is_still_ours() -> None:
    row, someone = with_messages(status_texts=STATES), showing(status_message="Ringing", line="on_call")
    plan.mark_message(someone, plan.change_for(someone, row, "Ringing", NOON))
    plan.mark_message_refused(someone)
    assert (someone.status_message, someone.status_before) == ("Ringing", None)
    plan.mark_message(someone, plan.change_for(someone, row, "", NOON))
    plan.mark_message_refused(someone)
    assert (someone.status_message, someone.status_user_id) == ("", None)


def test_of_two_changes_that_may_have_failed_what_was_read_last_is_ours() -> None:
    row, someone = with_messages(status_texts=STATES), showing(status_message="Ringing", line="on_call")
    plan.mark_message(someone, plan.change_for(someone, row, "Ringing", NOON))
    someone.line, someone.desired = "idle", None
    plan.mark_message(someone, plan.change_for(someone, row, "Ringing", NOON))
    assert plan.change_for(someone, row, "Ringing", NOON) == ClearMessage("teams p1")


def test_until_it_is_known_whether_a_message_was_cleared_it_is_read_again_for_the_next_call() -> None:
    someone, row = showing(line="idle", desired=None, heard_at=NOON), with_messages()
    plan.mark_message(someone, plan.change_for(someone, row, MESSAGE, NOON))
    someone.line, someone.desired = "on_call", Presence.IN_A_CALL
    assert plan.needs_check(someone, row, NOON)
    assert plan.change_for(someone, row, "", NOON) == SetMessage("teams p1", MESSAGE, NOON + plan.DURATION)
