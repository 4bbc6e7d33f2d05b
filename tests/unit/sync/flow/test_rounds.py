"""Who is chosen to be sent."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from sync.domain.changes import Done, Refused
from sync.domain.presence import Presence
from sync.flow.rounds import Choice
from sync.presence.outcomes import Outcomes
from tests.support.clocks import NOON
from tests.support.storage.stores import integration, person


def test_who_leaves_a_former_account_to_others_is_sent_for_their_own_in_the_same_round() -> None:
    others: Any = {"teams former": Presence.IN_A_CONFERENCE_CALL}
    moved: Any = person(
        line="on_call",
        desired=Presence.IN_A_CALL,
        desired_at=NOON,
        heard_at=NOON,
        applied=Presence.IN_A_CONFERENCE_CALL,
        applied_user_id="teams former",
        applied_until=NOON + timedelta(hours=1),
    )
    row: Any = integration()
    chosen = Choice(row, others, NOON, Random(1)).prepare([moved])
    assert [(each.change.user_id, each.shown) for each in chosen] == [("teams p1", Presence.IN_A_CALL)]


@pytest.mark.parametrize(
    ("values", "here"),
    [
        ({"excluded": True}, {}),
        ({"opted_out": True}, {}),
        ({"outside": "everyone"}, {}),
        ({"teams_user_id": None}, {}),
        ({}, {"closed": True}),
    ],
)
def test_who_may_not_be_shown_waits_for_nothing_until_the_phone_changes_again(
    values: dict[str, Any], here: dict[str, Any]
) -> None:
    """So a call that is shown later, by what an administrator does, does not count from its begin."""
    calling: Any = person(line="on_call", desired=Presence.IN_A_CALL, desired_at=NOON, waiting_since=NOON, **values)
    row: Any = integration(**here)
    assert Choice(row, {}, NOON, Random(1)).prepare([calling]) == ()
    assert calling.waiting_since is None


def test_whose_session_shows_what_another_wants_waits_for_nothing_once_that_is_sent() -> None:
    stronger: Any = {"teams p1": Presence.PRESENTING}
    calling: Any = person(line="on_call", desired=Presence.IN_A_CALL, desired_at=NOON, waiting_since=NOON)
    row: Any = integration()
    (pending,) = Choice(row, stronger, NOON, Random(1)).prepare([calling])
    assert (pending.shown, pending.since) == (Presence.PRESENTING, NOON)
    later = NOON + timedelta(seconds=1)
    assert pending.latency(calling, Done(), later) is None
    Outcomes(row, later, later, later, Random(1)).apply(calling, pending, Done(), Presence.PRESENTING)
    assert (calling.applied, calling.waiting_since) == (Presence.IN_A_CALL, None)


def test_what_graph_refuses_for_a_former_account_is_no_refusal_of_the_present_one() -> None:
    """Neither what was sent for another's wish, nor a clearing: who is matched now does not wait for it."""
    row: Any = integration()
    applied: Any = {"applied": Presence.PRESENTING, "applied_user_id": "teams p1"}
    wishes: list[dict[str, Presence]] = [{"teams p1": Presence.IN_A_CALL}, {}]
    for each in wishes:
        resting: Any = person(line="idle", applied_until=NOON + timedelta(hours=1), **applied)
        (pending,) = Choice(row, each, NOON, Random(1)).prepare([resting])
        resting.teams_user_id = "teams p2"
        Outcomes(row, NOON, NOON, NOON, Random(1)).apply(resting, pending, Refused(403, "Forbidden"))
        assert (resting.refusal, resting.refused_until, resting.applied, resting.due_at) == ("", None, None, NOON)


def test_a_call_that_ends_while_a_request_is_under_way_has_its_status_message_removed() -> None:
    until = NOON + timedelta(hours=4)
    shown: Any = {"status_message": "On a call", "status_user_id": "teams p1", "status_until": until}
    calling: Any = person(applied="Busy/InACall", applied_user_id="teams p1", applied_until=until, **shown)
    row: Any = integration(status_text="On a call", feature_version=3)
    (clearing,) = Choice(row, {}, NOON, Random(1)).prepare([calling])
    calling.line, calling.status_due_at, calling.due_at = "idle", until, NOON
    outcomes = Outcomes(row, NOON, NOON, NOON, Random(1))
    outcomes.apply(calling, clearing, Done())
    assert calling.due_at == NOON
    assert Choice(row, {}, NOON, Random(1)).prepare([calling]) == ()
    assert (calling.status_due_at, calling.due_at) == (NOON, None)
    outcomes.apply(calling, clearing, Done())
    assert calling.due_at is None
