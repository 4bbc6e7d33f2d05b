"""What all models of a simulated day share: the true time, dice for each kind of fault, and a trace."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.virtual_time import VirtualTime

if TYPE_CHECKING:
    from tests.simulation.process import Process

TRACE = 4_000
"""Lines that are kept: the last of the day."""


class Kind(StrEnum):
    """What may go wrong, or happen at all: a failing seed is run again without each, to see which it needs."""

    EVENTS_LOST = "events_lost"
    EVENTS_DOUBLED = "events_doubled"
    EVENTS_LATE = "events_late"
    GRAPH_DOWN = "graph_down"
    KILLS = "kills"


@dataclass
class World:
    """``kinds`` are the faults of this day, which end after ``busy`` seconds."""

    seed: int
    kinds: frozenset[Kind]
    busy: float = 600.0
    time: VirtualTime = field(default_factory=VirtualTime)
    process: "Process | None" = None
    clock_error: timedelta = timedelta(0)
    faults: list[str] = field(default_factory=list)
    trace: deque[str] = field(default_factory=lambda: deque(maxlen=TRACE))
    _dice: dict[str, Random] = field(default_factory=dict)

    def dice(self, name: str) -> Random:
        """Each name has dice of its own: without one kind of fault the others stay the same."""
        if name not in self._dice:
            self._dice[name] = Random(f"{self.seed} {name}")
        return self._dice[name]

    def strikes(self, kind: Kind, probability: float) -> bool:
        """Whether this fault happens now."""
        return kind in self.kinds and self.is_busy and self.dice(kind).random() < probability

    @property
    def is_busy(self) -> bool:
        return self.time.seconds < self.busy

    def clock(self) -> datetime:
        """The clock of the product's machine."""
        return self.time.now() + self.clock_error

    def note(self, text: str) -> None:
        self.trace.append(f"{self.time.seconds:9.3f} {text}")

    def fail(self, text: str) -> None:
        """A promise is broken."""
        self.note(f"BROKEN {text}")
        self.faults.append(text)
