"""Which notices are due: one for each threshold, one for an incident, one all-clear. Pure."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from storage.queries.health.notices import State
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
    Plan,
    PlanInput,
    Recipient,
    plan,
    says_valid,
    threshold,
)
from tests.support.clocks import NOON
from tests.support.storage.stores import integration

TODAY = NOON.date()
ADA, BEN = Recipient("ada"), Recipient("ben")


def given(**changed: Any) -> PlanInput:
    given: dict[str, Any] = {
        "integration": integration(secret_expires_on=TODAY + timedelta(days=365)),
        "notices": [],
        "problems": [],
        "rotations": [],
        "recipients": [ADA],
        "last_act": None,
        "update": None,
        "now": NOON,
    }
    return PlanInput(**{**given, **changed})


def expiring(days: int) -> Integration:
    return integration(secret_expires_on=TODAY + timedelta(days=days))


def new_notices(made: Plan) -> list[tuple[str, str, str]]:
    return [(notice.topic, notice.stage, notice.audience) for notice in made.new]


def sent(made: Plan, **changed: Any) -> list[Notice]:
    """The planned notices, after they were sent."""
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
def test_the_threshold_that_applies_today(days: int, expected: int | None) -> None:
    assert threshold(TODAY + timedelta(days=days), TODAY) == expected


def test_over_a_year_each_threshold_is_due_once() -> None:
    expires, notices, days = TODAY + timedelta(days=365), list[Notice](), list[int]()
    for day in range(370):
        now = NOON + timedelta(days=day)
        made = plan(given(integration=integration(secret_expires_on=expires), notices=notices, now=now))
        if made.new:
            days.append((expires - now.date()).days)
            notices += sent(made)
        assert plan(given(integration=integration(secret_expires_on=expires), notices=notices, now=now)).new == []
    assert days == [60, 30, 14, 7, 3, 1, 0, -1, -2, -3, -4]


def test_after_a_long_absence_only_the_latest_threshold_is_due() -> None:
    sixty = sent(plan(given(integration=expiring(60))))
    sixty[0].stage = f"{TODAY + timedelta(days=5)}/60"
    made = plan(given(integration=expiring(5), notices=sixty))
    assert new_notices(made) == [(EXPIRY, f"{TODAY + timedelta(days=5)}/7", "ada")]


def test_a_clock_set_back_repeats_no_notice() -> None:
    expires = TODAY + timedelta(days=30)
    row = integration(secret_expires_on=expires)
    notices: list[Notice] = []
    for jump in (-30, 0, 16, -30, 0, 16, -1, 17):
        notices += sent(plan(given(integration=row, notices=notices, now=NOON + timedelta(days=jump))))
    assert [notice.stage.partition("/")[2] for notice in notices] == ["60", "30", "14"]


def test_a_clock_that_ran_ahead_suppresses_no_notice() -> None:
    row = expiring(30)
    far = sent(plan(given(integration=row, now=NOON + timedelta(days=400))))
    assert [stage for _, stage, _ in new_notices(plan(given(integration=row, notices=far)))] == [
        f"{row.secret_expires_on}/30"
    ]


def test_all_recipients_but_muted_and_unreachable_ones_get_a_notice() -> None:
    recipients = [ADA, BEN, Recipient("muted", is_muted=True), Recipient("gone", is_reachable=False)]
    made = plan(given(integration=expiring(7), recipients=[*recipients, Recipient("channel:19:x")]))
    assert [audience for _, _, audience in new_notices(made)] == ["ada", "ben", "channel:19:x"]


def test_a_later_recipient_gets_what_applies_now() -> None:
    known = sent(plan(given(integration=expiring(25))))
    made = plan(given(integration=expiring(25), notices=known, recipients=[ADA, BEN]))
    assert [audience for _, _, audience in new_notices(made)] == ["ben"]


def test_an_unknown_last_day_is_alerted_once_after_a_week() -> None:
    row = integration(secret_expires_on=None)
    assert plan(given(integration=row, now=NOON + timedelta(days=6))).new == []
    week = given(integration=row, now=NOON + timedelta(days=7))
    made = plan(week)
    assert new_notices(made) == [(EXPIRY, "unknown", "ada")]
    later = given(integration=row, notices=sent(made), now=NOON + timedelta(days=300))
    assert plan(later).new == []


def test_a_later_secret_without_a_last_day_is_alerted_too() -> None:
    """The first such notice was answered with a date, and closed."""
    row, replaced = integration(secret_expires_on=None), rotation(started_at=NOON + timedelta(days=300))
    closed = sent(plan(given(integration=row, now=NOON + timedelta(days=7))), state=State.CLOSED)
    soon = given(integration=row, notices=closed, rotations=[replaced], now=NOON + timedelta(days=306))
    assert plan(soon).new == []
    made = plan(replace(soon, now=NOON + timedelta(days=307)))
    assert new_notices(made) == [(EXPIRY, "unknown/r1", "ada")]
    assert not plan(replace(soon, now=NOON + timedelta(days=400), notices=sent(made)))


def test_credentials_that_never_expire_close_the_notice_that_asks_for_a_date() -> None:
    row = integration(secret_expires_on=None)
    notices = sent(plan(given(integration=row, now=NOON + timedelta(days=7))))
    row.credential = "federated"
    (resolution,) = plan(given(integration=row, notices=notices, now=NOON + timedelta(days=8))).resolved
    assert resolution.how == "changed"


def test_without_a_secret_there_is_no_expiry_notice() -> None:
    row = integration(secret_expires_on=None, credential="federated")
    assert not plan(given(integration=row, now=NOON + timedelta(days=300)))


def test_a_refusal_is_notified_immediately_and_is_urgent() -> None:
    made = plan(given(problems=[problem(since=NOON - timedelta(seconds=5))]))
    assert new_notices(made) == [(PROBLEM, "p1", "ada")]
    assert made.new[0].facts["urgent"]


def test_a_new_refusal_is_notified_once_diagnosed_or_after_a_short_delay() -> None:
    new = problem(since=NOON, checked_at=NOON)
    assert plan(given(problems=[new])).new == []
    assert new_notices(plan(given(problems=[new], now=NOON + timedelta(seconds=30)))) == [(PROBLEM, "p1", "ada")]


def test_an_outage_is_notified_after_a_quarter_of_an_hour() -> None:
    began = NOON - timedelta(minutes=15)
    assert plan(given(problems=[outage(since=began + timedelta(seconds=1))])).new == []
    made = plan(given(problems=[outage(since=began)]))
    assert new_notices(made) == [(PROBLEM, "p1", "ada")]
    assert not made.new[0].facts["urgent"]


def test_that_graph_refuses_everyone_is_graphs_refusal_once_it_has_lasted_for_two_minutes() -> None:
    began, fault = NOON - timedelta(minutes=2), "graph.everyone_refused"
    row = problem(service="refusals", fault=fault, since=began + timedelta(seconds=1), checked_at=NOON)
    assert plan(given(problems=[row])).new == []
    row.since = began
    (notice,) = plan(given(problems=[row])).new
    assert (notice.topic, notice.facts["service"], notice.facts["fault"]) == (PROBLEM, "graph", fault)


def test_a_list_that_cannot_be_read_is_notified_after_a_quarter_of_an_hour_unless_its_service_is_away() -> None:
    began, facts = NOON - timedelta(minutes=15), {"side": "cloudlink"}
    unread = outage(id="p0", service="directory", fault="directory.unread", since=began, facts=facts)
    assert new_notices(plan(given(problems=[unread]))) == [(PROBLEM, "p0", "ada")]
    assert new_notices(plan(given(problems=[unread], now=NOON - timedelta(seconds=1)))) == []
    away = outage(id="p1", since=NOON - timedelta(minutes=16))
    assert new_notices(plan(given(problems=[unread, away]))) == [(PROBLEM, "p1", "ada")]
    of_graph = outage(id="p2", service="graph", fault="graph.unreachable", since=NOON - timedelta(minutes=1))
    assert new_notices(plan(given(problems=[unread, of_graph]))) == [(PROBLEM, "p0", "ada")]


def test_an_outage_whose_fault_changes_is_one_incident() -> None:
    change = NOON - timedelta(minutes=5)
    rows = [
        outage(id="p0", since=NOON - timedelta(minutes=20), healed_at=change),
        outage(id="p1", fault="cloudlink.throttled", since=change),
    ]
    assert new_notices(plan(given(problems=rows))) == [(PROBLEM, "p0", "ada")]


def test_an_incident_gets_one_notice_and_one_all_clear() -> None:
    open_one = problem()
    notices = sent(plan(given(problems=[open_one])))
    assert plan(given(problems=[open_one], notices=notices)).new == []
    ended = problem(healed_at=NOON)
    assert not plan(given(problems=[ended], notices=notices, now=NOON + timedelta(minutes=1)))
    later = NOON + timedelta(minutes=2)
    made = plan(given(problems=[ended], notices=notices, now=later))
    assert new_notices(made) == [(CLEAR, "p1", "ada")]
    assert made.new[0].facts["urgent"] is True, "who got the refusal in quiet hours gets its end, too"
    assert [(resolution.notice.id, resolution.how, resolution.at) for resolution in made.resolved] == [
        (notices[0].id, "healed", NOON)
    ]
    notices += sent(made)
    notices[0].state = State.CLOSED
    assert not plan(given(problems=[ended], notices=notices, now=later))


def test_only_recipients_of_the_notice_get_the_all_clear() -> None:
    notices = sent(plan(given(problems=[problem()])))
    ended = given(
        problems=[problem(healed_at=NOON)],
        notices=notices,
        recipients=[ADA, BEN],
        now=NOON + timedelta(minutes=5),
    )
    assert [audience for _, _, audience in new_notices(plan(ended))] == ["ada"]


def test_a_notice_not_sent_before_the_incident_ended_is_dropped_without_an_all_clear() -> None:
    waiting = plan(given(problems=[problem()])).new
    made = plan(given(problems=[problem(healed_at=NOON)], notices=waiting, now=NOON + timedelta(minutes=5)))
    assert made.dropped == [waiting[0].id]
    assert made.new == []


@pytest.mark.parametrize("stage", ["p1", "p1~2026-11-24"])
def test_what_waited_when_a_service_answered_for_a_moment_waits_again_once_it_fails_again(stage: str) -> None:
    """In quiet hours, or for a reminder: nobody would hear of the outage, which goes on."""
    (notice,) = plan(given(problems=[outage()])).new
    notice.stage = stage
    rows, now = [outage(healed_at=NOON)], NOON + timedelta(seconds=10)
    assert plan(given(problems=rows, notices=[notice], now=now)).dropped == [notice.id]
    notice.state = State.DROPPED
    assert not plan(given(problems=rows, notices=[notice], now=now))
    rows.append(outage(id="p2", since=NOON + timedelta(seconds=20)))
    again = given(problems=rows, notices=[notice], now=NOON + timedelta(seconds=30))
    assert plan(again).requeued == [notice.id]


def test_an_all_clear_that_a_short_disturbance_kept_back_is_sent_after_it() -> None:
    notices = sent(plan(given(problems=[outage()])))
    ended = outage(healed_at=NOON)
    (clear,) = plan(given(problems=[ended], notices=notices, now=NOON + timedelta(minutes=5))).new
    notices.append(clear)
    short = outage(id="p2", since=NOON + timedelta(minutes=10))
    assert plan(given(problems=[ended, short], notices=notices, now=NOON + timedelta(minutes=11))).dropped == [
        clear.id
    ]
    clear.state = State.DROPPED
    short.healed_at = NOON + timedelta(minutes=12)
    assert plan(given(problems=[ended, short], notices=notices, now=NOON + timedelta(minutes=20))).requeued == [
        clear.id
    ]


def test_a_problem_that_returns_immediately_is_the_same_incident() -> None:
    notices = sent(plan(given(problems=[problem()])))
    rows = [problem(healed_at=NOON), problem(id="p2", since=NOON + timedelta(minutes=1))]
    assert not plan(given(problems=rows, notices=notices, now=NOON + timedelta(minutes=10)))


def test_a_refusal_that_returns_after_its_all_clear_is_notified_again_but_not_without_end() -> None:
    """A second secret that expires within the hour stops presence as the first one did."""
    rows, notices, notified = list[Problem](), list[Notice](), list[str]()
    for number in range(6):
        since = NOON + timedelta(minutes=8 * number)
        rows.append(problem(id=f"p{number}", since=since, checked_at=since + timedelta(seconds=5)))
        made = plan(given(problems=rows, notices=notices, now=since + timedelta(seconds=10)))
        notified += [stage for topic, stage, _ in new_notices(made) if topic == PROBLEM]
        notices += sent(made)
        rows[-1].healed_at = since + timedelta(minutes=3)
        notices += sent(plan(given(problems=rows, notices=notices, now=since + timedelta(minutes=6))))
    assert notified == ["p0", "p1", "p2", "p3"]


def test_flapping_within_an_hour_is_not_notified_again_unless_it_lasts() -> None:
    notified = sent(plan(given(problems=[outage()])))
    rows = [outage(healed_at=NOON), outage(id="p2", since=NOON + timedelta(minutes=10))]
    notices = [*notified, *sent(plan(given(problems=rows[:1], notices=notified, now=NOON + timedelta(minutes=5))))]
    assert [notice.topic for notice in notices] == [PROBLEM, CLEAR]
    soon = plan(given(problems=rows, notices=notices, now=NOON + timedelta(minutes=59)))
    assert soon.new == []
    late = plan(given(problems=rows, notices=notices, now=NOON + timedelta(minutes=61)))
    assert new_notices(late) == [(PROBLEM, "p2", "ada")]


def test_no_all_clear_while_the_service_has_another_incident() -> None:
    notices = sent(plan(given(problems=[problem()])))
    other = problem(id="p2", fault="entra.unreachable", lasting=False, since=NOON)
    rows = [problem(healed_at=NOON), other]
    made = plan(given(problems=rows, notices=notices, now=NOON + timedelta(minutes=10)))
    assert CLEAR not in [topic for topic, _, _ in new_notices(made)]


def test_a_refusal_diagnosed_differently_after_its_notice_gets_one_all_clear() -> None:
    first = problem(fault="entra.refused")
    notices = sent(plan(given(problems=[first])))
    first.healed_at = NOON
    second = problem(id="p2", since=NOON, checked_at=NOON + timedelta(seconds=9))
    notices += sent(plan(given(problems=[first, second], notices=notices, now=NOON + timedelta(minutes=1))))
    assert [notice.stage for notice in notices] == ["p1", "p2"]
    second.healed_at = NOON + timedelta(hours=2)
    made = plan(given(problems=[first, second], notices=notices, now=NOON + timedelta(hours=3)))
    assert new_notices(made) == [(CLEAR, "p2", "ada")]


def test_a_new_secret_closes_all_notices_of_the_former_one_and_names_who_replaced_it() -> None:
    notices = sent(plan(given(integration=expiring(60))))
    notices += sent(plan(given(integration=expiring(30), recipients=[BEN])))
    done = rotation(finished_at=NOON + timedelta(hours=1))
    made = plan(given(notices=notices, rotations=[done]))
    assert {resolution.notice.id for resolution in made.resolved} == {notice.id for notice in notices}
    assert {(resolution.how, resolution.by, resolution.at) for resolution in made.resolved} == {
        ("replaced", "Ada Example", done.finished_at)
    }


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"fault": "entra.secret_expired"}, "replaced"),
        ({"fault": "secret.unreadable"}, "replaced"),
        ({"fault": "entra.app_disabled"}, "healed"),
        ({"fault": "entra.unreachable", "lasting": False}, "healed"),
        ({"service": "cloudlink", "fault": "secret.unreadable"}, "healed"),
    ],
)
def test_only_a_refused_secret_was_resolved_by_its_replacement(changed: dict[str, Any], how: str) -> None:
    notices = sent(plan(given(problems=[problem(**changed)])))
    ended = problem(**changed, healed_at=NOON + timedelta(hours=1))
    made = plan(
        given(problems=[ended], notices=notices, rotations=[rotation()], now=NOON + timedelta(hours=2)),
    )
    assert [resolution.how for resolution in made.resolved] == [how]


def test_a_corrected_date_closes_the_notice_as_changed() -> None:
    notices = sent(plan(given(integration=expiring(7))))
    act = HistoryEntry(
        owner_tenant="t1", actor_id="ben", actor_name="Ben", act="edit_teams", result="done", at=NOON
    )
    (resolution,) = plan(given(notices=notices, last_act=act)).resolved
    assert (resolution.how, resolution.by) == ("changed", "Ben")


def test_an_automatic_rotation_closes_the_notice_by_the_bot_and_is_reported() -> None:
    notices = sent(plan(given(integration=expiring(30))))
    done = rotation(kind="automatic", started_by="bot", started_by_name="", expires_on=date(2027, 5, 1))
    made = plan(given(notices=notices, rotations=[done]))
    assert [resolution.by for resolution in made.resolved] == ["bot"]
    assert new_notices(made) == [(ROTATION, "r1", "ada")]
    assert made.new[0].facts["expires_on"] == "2027-05-01"
    assert plan(given(rotations=[rotation()])).new == []
    assert plan(given(rotations=[done], now=NOON + timedelta(days=8))).new == []


@pytest.mark.parametrize("step", ["add", "wait", "swap", "prove", "remove"])
def test_an_automatic_rotation_that_an_edit_ended_is_not_called_a_success(step: str) -> None:
    ended = rotation(kind="automatic", step=step, fault="edited", expires_on=date(2027, 5, 1))
    assert plan(given(rotations=[ended])).new == []


def test_an_automatic_rotation_that_failed_is_reported_and_closes_nothing() -> None:
    notices = sent(plan(given(integration=expiring(30))))
    failed = rotation(kind="automatic", step="failed", fault="graph.forbidden")
    made = plan(given(integration=expiring(30), notices=notices, rotations=[failed]))
    assert made.resolved == []
    assert made.new[0].facts["fault"] == "graph.forbidden"


def test_what_ended_because_presence_was_disabled_is_not_called_resolved() -> None:
    """Not then, and not when it is enabled again, before anything was read."""
    facts = {"side": "entra"}
    unread = outage(service="directory", fault="directory.unread", facts=facts)
    wrong_clock = outage(id="p2", service="clock", fault="clock.skewed")
    notices = sent(plan(given(problems=[unread, wrong_clock])))
    unread.healed_at = wrong_clock.healed_at = NOON
    enabled_at = NOON + timedelta(minutes=8)
    for values in ({"enabled": False}, {"enabled_at": enabled_at}):
        row = integration(secret_expires_on=None, credential="federated", **values)
        now = NOON + timedelta(minutes=9)
        made = plan(given(integration=row, problems=[unread, wrong_clock], notices=notices, now=now))
        assert new_notices(made) == [(CLEAR, "p2", "ada")]
        assert [resolution.how for resolution in made.resolved] == ["disabled", "healed"]
    row.enabled_at = NOON - timedelta(days=1)
    made = plan(given(integration=row, problems=[unread, wrong_clock], notices=notices, now=now))
    assert new_notices(made) == [(CLEAR, "p1", "ada"), (CLEAR, "p2", "ada")]


@pytest.mark.parametrize("kind", ["for_me", "by_hand", "shared"])
@pytest.mark.parametrize(("seconds", "reported"), [(8, False), (60, True)])
def test_what_failed_when_nobody_looked_at_its_card_any_more_is_reported(
    kind: str, seconds: int, reported: bool
) -> None:
    began = NOON - timedelta(seconds=seconds)
    failed = rotation(kind=kind, step="failed", fault="entra.secret_wrong", started_at=began)
    made = plan(given(rotations=[failed]))
    assert new_notices(made) == ([(ROTATION, "r1", "ada")] if reported else [])
    done = rotation(kind=kind, started_at=began)
    assert plan(given(rotations=[done])).new == []


def test_an_update_is_notified_once_and_closed_when_installed() -> None:
    notices = sent(plan(given(update=2)))
    assert [(notice.topic, notice.stage) for notice in notices] == [(UPDATE, "2")]
    assert not plan(given(update=2, notices=notices))
    installed = integration(feature_version=2, secret_expires_on=TODAY + timedelta(days=365))
    assert [resolution.how for resolution in plan(given(integration=installed, notices=notices)).resolved] == [
        "installed"
    ]


def test_a_waiting_notice_of_a_former_threshold_is_dropped() -> None:
    row = expiring(30)
    waiting = plan(given(integration=row)).new
    made = plan(given(integration=row, notices=waiting, now=NOON + timedelta(days=16)))
    assert made.dropped == [waiting[0].id]
    assert [stage for _, stage, _ in new_notices(made)] == [f"{row.secret_expires_on}/14"]


@pytest.mark.parametrize(
    ("state", "age", "again"), [("sending", 25, True), ("sending", 23, False), ("sent", 99, False)]
)
def test_a_notice_stuck_in_sending_is_repeated_a_day_later(state: str, age: int, again: bool) -> None:
    row = expiring(30)
    (notice,) = sent(plan(given(integration=row)), state=State(state))
    notice.due_at = NOON - timedelta(hours=age)
    made = plan(given(integration=row, notices=[notice]))
    assert new_notices(made) == ([(EXPIRY, f"{row.secret_expires_on}/30~again", "ada")] if again else [])
    assert plan(given(integration=row, notices=[notice, *sent(made)])).new == []


def test_an_undelivered_notice_is_queued_again_when_its_recipient_is_reachable() -> None:
    row = expiring(30)
    (notice,) = sent(plan(given(integration=row)), state=State.UNREACHABLE)
    gone = given(integration=row, notices=[notice], recipients=[Recipient("ada", is_reachable=False)])
    assert not plan(gone)
    assert plan(given(integration=row, notices=[notice])).requeued == [notice.id]


def test_a_reminder_is_dropped_when_its_notice_does_not_apply_any_more() -> None:
    row = expiring(30)
    (notice,) = plan(given(integration=row)).new
    notice.stage += "~2026-11-24"
    kept = plan(given(integration=row, notices=[notice]))
    assert kept.dropped == []
    assert plan(given(notices=[notice])).dropped == [notice.id]


@pytest.mark.parametrize("credential", ["secret", "certificate"])
@pytest.mark.parametrize(("days", "expected"), [(30, True), (0, True), (-1, False)])
def test_a_notice_of_a_date_that_is_not_past_calls_the_credential_valid(
    days: int, credential: str, expected: bool
) -> None:
    row = integration(secret_expires_on=TODAY + timedelta(days=days), credential=credential)
    (notice,) = plan(given(integration=row)).new
    assert says_valid(notice, TODAY) is expected


def test_a_date_to_be_entered_and_a_renewal_call_the_credential_valid_and_a_failed_one_does_not() -> None:
    long_ago = NOON - timedelta(days=8)
    old = integration(secret_expires_on=None, created_at=long_ago)
    renewals = [
        rotation(kind="automatic", started_at=long_ago),
        rotation(id="r2", kind="automatic", step="failed", fault="x"),
    ]
    made = plan(given(integration=old, rotations=renewals, problems=[problem()], update=2)).new
    said = {(notice.topic, notice.stage): says_valid(notice, TODAY) for notice in made}
    valid = {(EXPIRY, "unknown/r1"): True, (ROTATION, "r1"): True}
    assert said == {**valid, (ROTATION, "r2"): False, (PROBLEM, "p1"): False, (UPDATE, "2"): False}


def test_facts_of_a_notice_contain_no_lists_of_people() -> None:
    rising = problem(
        service="people",
        fault="people.unmatched_rising",
        lasting=False,
        since=NOON,
        facts={"lost": ["x"] * 1000, "people": 1000},
    )
    (notice,) = plan(given(problems=[rising])).new
    assert notice.facts["context"] == {"people": 1000}


def test_times_in_facts_can_be_parsed() -> None:
    (notice,) = plan(given(problems=[problem()])).new
    assert datetime.fromisoformat(notice.facts["since"]) == NOON - timedelta(hours=1)
