"""Counts and times turns, and logs one line for each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter

import structlog

from bot.activity import Event
from core.metrics import Metrics

log = structlog.get_logger()


class Outcome(StrEnum):
    """``REFUSED``: the user's role does not allow it. ``FAILED``: an unexpected error."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass
class MeasuredTurn:
    """A running turn; the middlewares set its outcome."""

    outcome: Outcome = Outcome.DONE


class TurnMetrics:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def turn(self, event: Event) -> Iterator[MeasuredTurn]:
        """Measure the block as one turn. The content of the turn is not logged."""
        kind, started, measured = type(event).__name__.lower(), perf_counter(), MeasuredTurn()
        try:
            yield measured
        except Exception:
            measured.outcome = Outcome.FAILED
            raise
        finally:
            seconds = perf_counter() - started
            self._metrics.turns.labels(kind=kind, outcome=measured.outcome.value).inc()
            self._metrics.turn_seconds.labels(kind=kind).observe(seconds)
            log.info("turn", kind=kind, outcome=measured.outcome.value, seconds=round(seconds, 3))
