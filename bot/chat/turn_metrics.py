"""Counts and times what is said to the bot, and gives each turn one line in the log."""

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
    """``REFUSED``: who spoke may not. ``FAILED``: nobody foresaw it; they got an apology, or not even that."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass
class MeasuredTurn:
    """A turn under way; who answers it says what became of it."""

    outcome: Outcome = Outcome.DONE


class TurnMetrics:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def turn(self, event: Event) -> Iterator[MeasuredTurn]:
        """For the length of the block something that was said is answered. What was said is not logged."""
        kind, began, watched = type(event).__name__.lower(), perf_counter(), MeasuredTurn()
        try:
            yield watched
        except Exception:
            watched.outcome = Outcome.FAILED
            raise
        finally:
            seconds = perf_counter() - began
            self._metrics.turns.labels(kind=kind, outcome=watched.outcome.value).inc()
            self._metrics.turn_seconds.labels(kind=kind).observe(seconds)
            log.info("turn", kind=kind, outcome=watched.outcome.value, seconds=round(seconds, 3))
