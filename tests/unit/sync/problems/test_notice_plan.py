"""What an integration owes: every threshold once, one notice for a problem, one all-clear. Pure."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from storage.queries.notices import State
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.problems.notice_plan import (
    CLEAR,
    EXPIRY,
    PROBLEM,
    ROTATION,
    UPDATE,
    Listener,
    Plan,
    Situation,
    plan,
    threshold,
)
from tests.support.clocks import NOON
from tests.support.stores import integration

TODAY = NOON.date()
ADA, BEN = Listener("ada"), Listener("ben")


def situation(**changed: Any) -> Situation:
    given: dict[str, Any] = {
        "integration": integration(secret_expires_on=TODAY + timedelta(days=365)),
        "notices": [],
        "problems": [],
        "rotations": [],
        "listeners": [ADA],
        "last_act": None,
        "update": None,
        "now": NOON,
    }
    return Situation(**{**given, **changed})


def expiring(days: int) -> Integration:
    return integration(secret_expires_on=TODAY + timedelta(days=days))


def owed(made: Plan) -> list[tuple[str, str, str]]:
    return [(notice.topic, notice.stage, notice.audience) for notice in made.new]


def arrived(made: Plan, **changed: Any) -> list[Notice]:
    """The planned notices, as they are once they were sent."""
    for notice in made.new:
        notice.state = State.SENT
        for name, value in changed.items():
            setattr(notice, name, value)
    return made.new


def problem(**changed: Any) -> Problem:
    given: dict[str, Any] = {
        "id": "p1",
        "integration_id": "i1",
        "service": "entra",
        "fault": "entra.secret_expired",
        "lasting": True,
        "since": NOON - timedelta(hours=1),
        "checked_at": NOON,
    }
    return Problem(**{**given, **changed})


def outage(**changed: Any) -> Problem:
    return problem(**{"service": "cloudlink", "fault": "cloudlink.unreachable", "lasting": False, **changed})


def rotation(**changed: Any) -> Rotation:
    given: dict[str, Any] = {
        "id": "r1",
        "integration_id": "i1",
        "owner_tenant": "t1",
        "kind": "by_hand",
        "step": "done",
        "started_by": "ada",
        "started_by_name": "Ada Example",
        "started_at": NOON,
        "finished_at": NOON,
    }
    return Rotation(**{**given, **changed})


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        *[(400, None), (61, None), (60, 60), (59, 60), (31, 60), (30, 30), (29, 30), (15, 30), (14, 14), (8, 14)],
        *[(7, 7), (4, 7), (3, 3), (2, 3), (1, 1), (0, 0), (-1, -1), (-40, -40)],
    ],
)
def test_the_threshold_that_counts_today(days: int, expected: int | None) -> None:
    assert threshold(TODAY + timedelta(days=days), TODAY) == expected


def test_every_threshold_is_owed_once_over_a_year() -> None:
    expires, notices, days = TODAY + timedelta(days=365), list[Notice](), list[int]()
    for day in range(370):
        now = NOON + timedelta(days=day)
        made = plan(situation(integration=integration(secret_expires_on=expires), notices=notices, now=now))
        if made.new:
            days.append((expires - now.date()).days)
            notices += arrived(made)
        assert (
            plan(situation(integration=integration(secret_expires_on=expires), notices=notices, now=now)).new == []
        )
    assert days == [60, 30, 14, 7, 3, 1, 0, -1, -2, -3, -4]


def test_after_a_long_absence_only_the_latest_is_owed() -> None:
    sixty = arrived(plan(situation(integration=expiring(60))))
    sixty[0].stage = f"{TODAY + timedelta(days=5)}/60"
    made = plan(situation(integration=expiring(5), notices=sixty))
    assert owed(made) == [(EXPIRY, f"{TODAY + timedelta(days=5)}/7", "ada")]


def test_a_clock_that_goes_back_repeats_nothing() -> None:
    expires = TODAY + timedelta(days=30)
    row = integration(secret_expires_on=expires)
    notices: list[Notice] = []
    for jump in (-30, 0, 16, -30, 0, 16, -1, 17):
        notices += arrived(plan(situation(integration=row, notices=notices, now=NOON + timedelta(days=jump))))
    assert [notice.stage.partition("/")[2] for notice in notices] == ["60", "30", "14"]


def test_a_clock_that_ran_ahead_swallows_no_warning() -> None:
    row = expiring(30)
    far = arrived(plan(situation(integration=row, now=NOON + timedelta(days=400))))
    assert [stage for _, stage, _ in owed(plan(situation(integration=row, notices=far)))] == [
        f"{row.secret_expires_on}/30"
    ]


def test_everybody_is_told_but_those_who_mute_and_those_out_of_reach() -> None:
    listeners = [ADA, BEN, Listener("muted", is_muted=True), Listener("gone", is_reachable=False)]
    made = plan(situation(integration=expiring(7), listeners=[*listeners, Listener("channel:19:x")]))
    assert [audience for _, _, audience in owed(made)] == ["ada", "ben", "channel:19:x"]


def test_who_joins_later_hears_what_counts_now() -> None:
    known = arrived(plan(situation(integration=expiring(25))))
    made = plan(situation(integration=expiring(25), notices=known, listeners=[ADA, BEN]))
    assert [audience for _, _, audience in owed(made)] == ["ben"]


def test_an_unknown_last_day_is_asked_for_once_after_a_week() -> None:
    row = integration(secret_expires_on=None)
    assert plan(situation(integration=row, now=NOON + timedelta(days=6))).new == []
    week = situation(integration=row, now=NOON + timedelta(days=7))
    made = plan(week)
    assert owed(made) == [(EXPIRY, "unknown", "ada")]
    later = situation(integration=row, notices=arrived(made), now=NOON + timedelta(days=300))
    assert plan(later).new == []


def test_what_needs_no_secret_is_not_warned_of() -> None:
    row = integration(secret_expires_on=None, credential="federated")
    assert not plan(situation(integration=row, now=NOON + timedelta(days=300)))


def test_a_refusal_is_told_at_once_and_is_urgent() -> None:
    made = plan(situation(problems=[problem(since=NOON - timedelta(seconds=5))]))
    assert owed(made) == [(PROBLEM, "p1", "ada")]
    assert made.new[0].facts["urgent"]


def test_a_refusal_just_raised_is_told_when_it_was_named_or_soon() -> None:
    new = problem(since=NOON, checked_at=NOON)
    assert plan(situation(problems=[new])).new == []
    assert owed(plan(situation(problems=[new], now=NOON + timedelta(seconds=30)))) == [(PROBLEM, "p1", "ada")]


def test_a_service_merely_unwell_is_told_after_a_quarter_of_an_hour() -> None:
    began = NOON - timedelta(minutes=15)
    assert plan(situation(problems=[outage(since=began + timedelta(seconds=1))])).new == []
    made = plan(situation(problems=[outage(since=began)]))
    assert owed(made) == [(PROBLEM, "p1", "ada")]
    assert not made.new[0].facts["urgent"]


def test_an_outage_whose_kind_changes_is_one_outage() -> None:
    change = NOON - timedelta(minutes=5)
    rows = [
        outage(id="p0", since=NOON - timedelta(minutes=20), healed_at=change),
        outage(id="p1", fault="cloudlink.throttled", since=change),
    ]
    assert owed(plan(situation(problems=rows))) == [(PROBLEM, "p0", "ada")]


def test_one_problem_one_notice_one_all_clear() -> None:
    open_one = problem()
    notices = arrived(plan(situation(problems=[open_one])))
    assert plan(situation(problems=[open_one], notices=notices)).new == []
    ended = problem(healed_at=NOON)
    assert not plan(situation(problems=[ended], notices=notices, now=NOON + timedelta(minutes=1)))
    later = NOON + timedelta(minutes=2)
    made = plan(situation(problems=[ended], notices=notices, now=later))
    assert owed(made) == [(CLEAR, "p1", "ada")]
    assert [(closing.notice.id, closing.how, closing.at) for closing in made.closing] == [
        (notices[0].id, "healed", NOON)
    ]
    notices += arrived(made)
    notices[0].state = State.CLOSED
    assert not plan(situation(problems=[ended], notices=notices, now=later))


def test_who_never_heard_of_it_gets_no_all_clear() -> None:
    notices = arrived(plan(situation(problems=[problem()])))
    ended = situation(
        problems=[problem(healed_at=NOON)],
        notices=notices,
        listeners=[ADA, BEN],
        now=NOON + timedelta(minutes=5),
    )
    assert [audience for _, _, audience in owed(plan(ended))] == ["ada"]


def test_a_notice_that_waited_too_long_is_dropped_and_needs_no_all_clear() -> None:
    waiting = plan(situation(problems=[problem()])).new
    made = plan(situation(problems=[problem(healed_at=NOON)], notices=waiting, now=NOON + timedelta(minutes=5)))
    assert made.dropped == [waiting[0].id]
    assert made.new == []


def test_trouble_that_comes_back_at_once_is_the_same_trouble() -> None:
    notices = arrived(plan(situation(problems=[problem()])))
    rows = [problem(healed_at=NOON), problem(id="p2", since=NOON + timedelta(minutes=1))]
    assert not plan(situation(problems=rows, notices=notices, now=NOON + timedelta(minutes=10)))


def test_flapping_within_the_hour_is_not_told_again_but_what_stays_is() -> None:
    told = arrived(plan(situation(problems=[problem()])))
    rows = [problem(healed_at=NOON), problem(id="p2", since=NOON + timedelta(minutes=10))]
    notices = [*told, *arrived(plan(situation(problems=rows[:1], notices=told, now=NOON + timedelta(minutes=5))))]
    assert [notice.topic for notice in notices] == [PROBLEM, CLEAR]
    soon = plan(situation(problems=rows, notices=notices, now=NOON + timedelta(minutes=59)))
    assert soon.new == []
    late = plan(situation(problems=rows, notices=notices, now=NOON + timedelta(minutes=61)))
    assert owed(late) == [(PROBLEM, "p2", "ada")]


def test_no_all_clear_while_the_service_has_another_trouble() -> None:
    notices = arrived(plan(situation(problems=[problem()])))
    other = problem(id="p2", fault="entra.unreachable", lasting=False, since=NOON)
    rows = [problem(healed_at=NOON), other]
    made = plan(situation(problems=rows, notices=notices, now=NOON + timedelta(minutes=10)))
    assert CLEAR not in [topic for topic, _, _ in owed(made)]


def test_a_refusal_named_anew_after_it_was_told_gets_one_all_clear_in_the_end() -> None:
    first = problem(fault="entra.refused")
    notices = arrived(plan(situation(problems=[first])))
    first.healed_at = NOON
    second = problem(id="p2", since=NOON, checked_at=NOON + timedelta(seconds=9))
    notices += arrived(plan(situation(problems=[first, second], notices=notices, now=NOON + timedelta(minutes=1))))
    assert [notice.stage for notice in notices] == ["p1", "p2"]
    second.healed_at = NOON + timedelta(hours=2)
    made = plan(situation(problems=[first, second], notices=notices, now=NOON + timedelta(hours=3)))
    assert owed(made) == [(CLEAR, "p2", "ada")]


def test_a_new_secret_closes_every_notice_of_the_old_one_and_says_who_did_it() -> None:
    notices = arrived(plan(situation(integration=expiring(60))))
    notices += arrived(plan(situation(integration=expiring(30), listeners=[BEN])))
    done = rotation(finished_at=NOON + timedelta(hours=1))
    made = plan(situation(notices=notices, rotations=[done]))
    assert {closing.notice.id for closing in made.closing} == {notice.id for notice in notices}
    assert {(closing.how, closing.by, closing.at) for closing in made.closing} == {
        ("replaced", "Ada Example", done.finished_at)
    }


def test_a_date_put_right_is_said_to_be_that() -> None:
    notices = arrived(plan(situation(integration=expiring(7))))
    act = HistoryEntry(
        owner_tenant="t1", actor_id="ben", actor_name="Ben", act="edit_teams", result="done", at=NOON
    )
    (closing,) = plan(situation(notices=notices, last_act=act)).closing
    assert (closing.how, closing.by) == ("changed", "Ben")


def test_what_the_bot_did_by_itself_is_said_to_be_its_doing_and_reported() -> None:
    notices = arrived(plan(situation(integration=expiring(30))))
    done = rotation(kind="automatic", started_by="bot", started_by_name="", expires_on=date(2027, 5, 1))
    made = plan(situation(notices=notices, rotations=[done]))
    assert [closing.by for closing in made.closing] == ["bot"]
    assert owed(made) == [(ROTATION, "r1", "ada")]
    assert made.new[0].facts["expires_on"] == "2027-05-01"
    assert plan(situation(rotations=[rotation()])).new == []
    assert plan(situation(rotations=[done], now=NOON + timedelta(days=8))).new == []


def test_an_automatic_rotation_that_failed_is_reported_and_closes_nothing() -> None:
    notices = arrived(plan(situation(integration=expiring(30))))
    failed = rotation(kind="automatic", step="failed", fault="graph.forbidden")
    made = plan(situation(integration=expiring(30), notices=notices, rotations=[failed]))
    assert made.closing == []
    assert made.new[0].facts["fault"] == "graph.forbidden"


def test_an_update_is_offered_once_and_closed_when_installed() -> None:
    notices = arrived(plan(situation(update=2)))
    assert [(notice.topic, notice.stage) for notice in notices] == [(UPDATE, "2")]
    assert not plan(situation(update=2, notices=notices))
    installed = integration(feature_version=2, secret_expires_on=TODAY + timedelta(days=365))
    assert [closing.how for closing in plan(situation(integration=installed, notices=notices)).closing] == [
        "installed"
    ]


def test_an_older_threshold_still_waiting_gives_way_to_the_newer() -> None:
    row = expiring(30)
    waiting = plan(situation(integration=row)).new
    made = plan(situation(integration=row, notices=waiting, now=NOON + timedelta(days=16)))
    assert made.dropped == [waiting[0].id]
    assert [stage for _, stage, _ in owed(made)] == [f"{row.secret_expires_on}/14"]


@pytest.mark.parametrize(
    ("state", "age", "again"), [("sending", 25, True), ("sending", 23, False), ("sent", 99, False)]
)
def test_what_was_perhaps_sent_is_told_under_another_name_a_day_later(state: str, age: int, again: bool) -> None:
    row = expiring(30)
    (notice,) = arrived(plan(situation(integration=row)), state=State(state))
    notice.due_at = NOON - timedelta(hours=age)
    made = plan(situation(integration=row, notices=[notice]))
    assert owed(made) == ([(EXPIRY, f"{row.secret_expires_on}/30~again", "ada")] if again else [])
    assert plan(situation(integration=row, notices=[notice, *arrived(made)])).new == []


def test_who_can_be_reached_again_is_told_what_did_not_arrive() -> None:
    row = expiring(30)
    (notice,) = arrived(plan(situation(integration=row)), state=State.UNREACHABLE)
    gone = situation(integration=row, notices=[notice], listeners=[Listener("ada", is_reachable=False)])
    assert not plan(gone)
    assert plan(situation(integration=row, notices=[notice])).revived == [notice.id]


def test_a_reminder_is_dropped_when_it_does_not_matter_any_more() -> None:
    row = expiring(30)
    (notice,) = plan(situation(integration=row)).new
    notice.stage += "~2026-11-24"
    kept = plan(situation(integration=row, notices=[notice]))
    assert kept.dropped == []
    assert plan(situation(notices=[notice])).dropped == [notice.id]


def test_facts_of_a_notice_hold_no_lists_of_people() -> None:
    rising = problem(
        service="people",
        fault="people.unmatched_rising",
        lasting=False,
        since=NOON,
        facts={"lost": ["x"] * 1000, "people": 1000},
    )
    (notice,) = plan(situation(problems=[rising])).new
    assert notice.facts["context"] == {"people": 1000}


def test_times_in_facts_can_be_read_back() -> None:
    (notice,) = plan(situation(problems=[problem()])).new
    assert datetime.fromisoformat(notice.facts["since"]) == NOON - timedelta(hours=1)
