"""Problems counted as an administrator would: what was only suspected is none, and each keeps its own name."""

from datetime import timedelta

from storage.tables.problems import Problem
from sync.problems.incidents import incidents_of
from tests.support.clocks import NOON


def problem(fault: str, begin: int, end: int | None, *, lasting: bool = False) -> Problem:
    """A problem of the service in its fault, from ``begin`` to ``end`` seconds after noon."""
    return Problem(
        id=f"{fault} {begin}",
        integration_id="i1",
        service=fault.partition(".")[0],
        fault=fault,
        lasting=lasting,
        since=NOON + timedelta(seconds=begin),
        checked_at=NOON,
        healed_at=None if end is None else NOON + timedelta(seconds=end),
    )


def found(*problems: Problem) -> list[tuple[str, float | None]]:
    """The fault and the length, in seconds, of each incident."""
    return [
        (one.fault, (one.ended_at - one.since).total_seconds() if one.ended_at else None)
        for one in incidents_of(problems)
    ]


def test_a_refusal_that_was_disproved_or_is_being_checked_is_no_incident() -> None:
    assert found(problem("graph.forbidden", 0, 4), problem("entra.secret_expired", 2, None)) == []


def test_a_refusal_is_not_listed_beside_its_suspicion() -> None:
    suspected, proven = (
        problem("entra.secret_expired", 0, 4),
        problem("entra.secret_expired", 4, 120, lasting=True),
    )
    assert found(suspected, proven) == [("entra.secret_expired", 116)]


def test_an_outage_is_not_merged_with_what_was_suspected_after_it() -> None:
    outage = problem("graph.unreachable", 0, 6)
    assert found(outage, problem("graph.forbidden", 33, 51)) == [("graph.unreachable", 6)]


def test_of_faults_that_passed_the_longest_names_the_incident_and_of_open_ones_the_newest() -> None:
    long, short = problem("cloudlink.unreachable", 0, 240), problem("cloudlink.throttled", 245, 250)
    assert found(long, short) == [("cloudlink.unreachable", 250)]
    assert found(short, problem("cloudlink.unreachable", 260, 500)) == [("cloudlink.unreachable", 255)]
    assert found(long, problem("cloudlink.throttled", 245, None)) == [("cloudlink.throttled", None)]
