"""For which integrations what Teams shows is to be read back now: one of each application. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from storage.queries.people.effects import LastRead
from storage.tables.problems import Problem
from sync.domain.errors import Fault
from sync.problems import health


def due_read_backs(
    last: Sequence[LastRead],
    opened: Mapping[str, Sequence[Problem]],
    every: float,
    every_refused: float,
    now: datetime,
) -> Iterator[str]:
    """The first due integration of each application, without those that have a problem with Microsoft open.

    A reading is due ``every`` seconds, or ``every_refused`` where Graph does not allow it.
    """
    taken: set[tuple[str, str]] = set()
    for each in last:
        seconds = every_refused if each.fault == Fault.GRAPH_FORBIDDEN else every
        is_due = each.asked_at is None or abs(now - each.asked_at) >= timedelta(seconds=seconds)
        is_well = not any(row.service in health.TEAMS for row in opened.get(each.integration_id, ()))
        if is_due and is_well and each.app not in taken:
            taken.add(each.app)
            yield each.integration_id
