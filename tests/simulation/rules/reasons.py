"""Which answers to *why* would be wrong: what they claim is compared with the faults and choices in force.

Only claims that the models can refute are refuted: what a lost event left unknown is nobody's lie.
"""

from dataclasses import dataclass

from sync.domain.people import Explanation, Reason
from tests.simulation.models.graph import GraphModel
from tests.simulation.world import Kind, World

LATELY = 120.0
"""Seconds for which a fault that is over may still be named: services are asked again after some time."""


@dataclass(frozen=True)
class Situation:
    """A person at the moment of the question: ``hidden`` is why by the rules; an act under way leaves doubts."""

    teams_id: str | None
    hidden: str
    is_open: bool
    is_enabled: bool
    is_doubted: bool


NEEDED: dict[Reason, frozenset[Kind]] = {
    Reason.SHARED: frozenset({Kind.SHARED_APPLICATION}),
    Reason.STALE: frozenset({Kind.CLOCK_STEPS, Kind.SLEEPS, Kind.LONG_OUTAGE}),
    Reason.CREDENTIALS: frozenset({Kind.GRAPH_REFUSES}),
    Reason.QUOTA: frozenset({Kind.SMALL_QUOTA, Kind.GRAPH_THROTTLES}),
    Reason.SERVICE_DOWN: frozenset({Kind.GRAPH_DOWN, Kind.ANSWERS_LOST, Kind.GRAPH_THROTTLES, Kind.GRAPH_REFUSES}),
    Reason.PHONES_DOWN: frozenset({Kind.CLOUDLINK_DOWN, Kind.CLOUDLINK_REFUSES, Kind.NO_POLLS, Kind.LONG_OUTAGE}),
    Reason.REFUSED: frozenset({Kind.PERSON_REFUSED}),
    Reason.CHOSEN: frozenset(),
    Reason.STRONGER: frozenset({Kind.SHARED_APPLICATION}),
    Reason.CLOSED: frozenset({Kind.SCHEDULES}),
    Reason.OUTSIDE: frozenset({Kind.SCOPES}),
    Reason.OPTED_OUT: frozenset({Kind.OPT_OUTS}),
    Reason.UNREAD: frozenset(
        {
            *(Kind.GRAPH_DOWN, Kind.GRAPH_REFUSES, Kind.SMALL_QUOTA, Kind.GRAPH_THROTTLES, Kind.ANSWERS_LOST),
            *(Kind.MATCHES_BY_HAND, Kind.PEOPLE_MOVE, Kind.LISTS_SHRINK, Kind.IMPORTS),
        }
    ),
}
"""Reasons of a fault, with the kinds of which one must be in the day."""


def refuted(world: World, graph: GraphModel, found: Explanation, before: Situation, after: Situation) -> str:
    """Why the answer is wrong; empty when it may be true."""
    reason, at = found.reason, world.time.seconds
    if reason in NEEDED and not NEEDED[reason] & world.kinds:
        return f"{reason} on a day without such a fault"
    is_doubted = before.is_doubted or after.is_doubted
    if text := "" if is_doubted else _refuted_by_rules(world, reason, before, after):
        return text
    if reason is Reason.PAUSED and before.is_enabled and after.is_enabled:
        return "it is enabled"
    accounts = {before.teams_id, after.teams_id}
    if reason is Reason.REFUSED and None not in accounts and not accounts & graph.refused.keys():
        return "Graph refuses others"
    is_well = at > graph.down_until and at > graph.refuses_until
    if reason in (Reason.CREDENTIALS, Reason.SERVICE_DOWN) and is_well and at > world.busy + LATELY:
        return f"{reason}, long after the last fault"
    if reason is Reason.PENDING and at < graph.down_until and graph.down_since + 5 < graph.read_refused_at:
        return "it will not be sent in a moment: Graph does not answer"
    return ""


HIDDEN = frozenset({Reason.EXCLUDED, Reason.OUTSIDE, Reason.OPTED_OUT})


def _refuted_by_rules(world: World, reason: Reason, before: Situation, after: Situation) -> str:
    """Who is hidden, by what, and when: of people who move the product learns later."""
    hidden = {before.hidden, after.hidden}
    moves = world.kinds & {Kind.PEOPLE_MOVE, Kind.LISTS_SHRINK} and Kind.SCOPES in world.kinds
    if reason in HIDDEN and reason not in hidden and not moves:
        return f"they are not {reason}"
    if not (before.is_enabled and after.is_enabled):
        return ""
    if "" not in hidden and reason not in hidden and not moves:
        return f"{reason}, but they are {after.hidden}"
    if reason is Reason.CLOSED and before.is_open and after.is_open:
        return "it is within the hours"
    is_closed = not (before.is_open or after.is_open)
    if reason is Reason.SHOWN and is_closed:
        return "it is outside the hours"
    return ""
