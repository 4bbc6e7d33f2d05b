"""Every reason that ``why`` can give, each from its own cause, and the rungs that lead there."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sync.domain.people import Device, Light, Reason, SentChange, Step
from sync.domain.presence import Presence
from sync.people.explain import Facts, explain
from tests.support.clocks import NOON
from tests.support.sync.why_cases import (
    APPLIED,
    AVAILABLE,
    CALL,
    CASES,
    CLOSED,
    IDLE,
    IN_A_CALL,
    LATER,
    SENT,
    TALKING,
    facts,
)

WIRE = Path(__file__).parents[3] / "wire"


@pytest.mark.parametrize("name", CASES)
def test_a_cause_has_its_reason(name: str) -> None:
    reason, given = CASES[name]
    assert explain(given).reason is reason


def test_every_reason_has_a_cause_here() -> None:
    assert {reason for reason, _ in CASES.values()} == set(Reason)


def test_every_reason_is_made_by_its_cause_in_the_sandbox() -> None:
    """By tests of ``tests/wire``, most of them in ``presence/test_why.py`` and ``presence/test_why_rare.py``."""
    sources = "".join(each.read_text() for each in WIRE.rglob("test_*.py"))
    assert set(re.findall(r"\bReason\.([A-Z_]+)", sources)) == set(Reason.__members__)


def lights(given: Facts) -> list[Light]:
    found = explain(given)
    assert [rung.step for rung in found.rungs] == list(Step)
    return [rung.light for rung in found.rungs]


def test_all_is_green_when_teams_shows_the_call() -> None:
    assert lights(facts(APPLIED, shown=IN_A_CALL, sent=SENT)) == [Light.GOOD] * 4


def test_the_first_rung_that_is_not_green_is_where_it_stops() -> None:
    refused = (SentChange(NOON, CALL, "refused", "403 Forbidden", request_id="r1"),)
    given = facts({**TALKING, "refusal": "403 Forbidden"}, shown=AVAILABLE, sent=refused)
    assert lights(given) == [Light.GOOD, Light.GOOD, Light.WRONG, Light.WRONG]
    assert lights(facts({**TALKING, "excluded": True}, shown=AVAILABLE))[:2] == [Light.GOOD, Light.OFF]
    assert lights(facts(APPLIED, shown=AVAILABLE, sent=SENT)) == [*[Light.GOOD] * 3, Light.WAITING]
    assert lights(facts(APPLIED, shown=AVAILABLE, sent=SENT, now=LATER)) == [*[Light.GOOD] * 3, Light.WRONG]


@pytest.mark.parametrize("name", ["Graph does not answer", "an account that is locked"])
def test_what_failed_is_named_alike_in_the_reason_and_below_it(name: str) -> None:
    reason, given = CASES[name]
    failed = given.sent or (SentChange(NOON, CALL, "failed", "graph.unreachable"),)
    found = explain(replace(given, sent=failed))
    assert found.reason is reason
    assert found.facts["detail"] == found.rungs[2].facts["detail"]


def test_a_phone_that_is_not_their_own_is_named_as_another() -> None:
    second = explain(CASES["shown, of a second device"][1]).rungs[0]
    assert (second.key, second.facts["device"]) == ("said_other", "4501")


def test_each_rung_says_what_and_when() -> None:
    phone, rule, sent, teams = explain(facts(APPLIED, shown=IN_A_CALL, sent=SENT)).rungs
    assert (phone.key, phone.at, phone.facts) == ("said", NOON, {"line": "on_call", "device": "2001"})
    read = explain(replace(CASES["shown"][1], device=Device("2001", own=True, by_poll=True))).rungs[0]
    assert (read.key, read.facts) == ("read", phone.facts)
    assert (rule.key, rule.facts) == ("show", {"line": "on_call", "presence": "InACall"})
    assert (sent.key, sent.at, sent.facts["presence"]) == ("set.done", NOON, "InACall")
    assert (teams.key, teams.facts, teams.at) == ("shows", {"shown": "InACall"}, NOON + timedelta(minutes=1))


def test_what_was_accepted_before_the_call_ended_is_yellow_until_it_is_cleared() -> None:
    given = facts({**APPLIED, **IDLE, "desired": None}, shown=IN_A_CALL, sent=SENT)
    assert lights(given) == [Light.GOOD, Light.GOOD, Light.WAITING, Light.WRONG]


def test_the_rule_is_the_integrations_own_where_it_chose_one() -> None:
    own = facts({**APPLIED, "desired": Presence.PRESENTING}, shown=IN_A_CALL)
    own.integration.mapping = {"on_call": Presence.PRESENTING.value}
    assert explain(own).rungs[1].key == "show.own"
    nothing = facts({**APPLIED, "desired": None}, shown=IN_A_CALL)
    nothing.integration.mapping = {"on_call": None}
    assert explain(nothing).rungs[1].key == "nothing.own"
    other = facts(APPLIED, shown=IN_A_CALL)
    other.integration.mapping = {"ringing": Presence.IN_A_CALL.value}
    assert explain(other).rungs[1].key == "show"


@pytest.mark.parametrize(
    ("mapping", "line", "without_dnd", "key", "counts_as"),
    [
        ({}, "on_hold", "on_hold", "show", None),
        ({"on_call": "DoNotDisturb/Presenting"}, "on_hold", "on_hold", "show.own", "on_call"),
        ({"on_call": "leave"}, "on_hold", "on_hold", "show.own", "idle"),
        ({"do_not_disturb": "leave"}, "do_not_disturb", "on_call", "show.own", "on_call"),
        ({"offline": "leave"}, "do_not_disturb", "on_call", "show", None),
    ],
)
def test_a_state_that_is_left_alone_is_said_to_count_as_another(
    mapping: dict[str, str | None], line: str, without_dnd: str, key: str, counts_as: str | None
) -> None:
    given = facts({**APPLIED, "line": line, "line_without_dnd": without_dnd}, shown=IN_A_CALL)
    given.integration.mapping = mapping
    rule = explain(given).rungs[1]
    assert (rule.key, rule.facts["line"], rule.facts.get("counts_as")) == (key, line, counts_as)


def test_outside_the_hours_it_says_when_they_begin() -> None:
    found = explain(facts(TALKING, hours=CLOSED, shown=AVAILABLE))
    until = {"until": (NOON + timedelta(hours=20)).isoformat()}
    assert (found.facts, found.rungs[1].key, found.rungs[1].facts) == (until, "closed", until)
    assert found.rungs[1].light is Light.OFF
