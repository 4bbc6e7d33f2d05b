"""What the conversation is told of feature updates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where an installation stands (``storage.tables.FeatureUpdate``)."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    ROLLING_BACK = "rolling_back"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Effect:
    """Something an update would change here: a key of the catalogues, how many, and the first few names."""

    key: str
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """An update that is not installed yet, and its dry run."""

    version: int
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything that is due for an integration, in the order in which it is installed; nothing when empty.

    ``undoable`` is the installed version that can be taken back, if any.
    """

    installed: int
    due: tuple[Due, ...]
    undoable: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One update's installation. ``place`` counts its steps from 0; ``done`` of ``total`` are through in this one.

    ``fault`` is a ``sync.domain.errors.Fault`` (with its ``fault_facts``) or ``unexpected``, ``failed_step`` where
    it struck; ``results`` are counts by the same keys as a dry run's effects.
    """

    version: int
    state: State
    step: str
    place: int
    steps: int
    done: int
    total: int
    fault: str = ""
    failed_step: str = ""
    results: Mapping[str, int] = field(default_factory=dict)
    fault_facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def part(self) -> float:
        """How much is through, from 0 to 1."""
        if self.state in (State.COMPLETED, State.UNDONE):
            return 1.0
        if self.state is State.ROLLING_BACK:
            return self.done / max(self.total, 1)
        within = min(1.0, self.done / self.total) if self.total else 0.0
        return (self.place + within) / self.steps if self.state is State.RUNNING else 0.0


@dataclass(frozen=True, slots=True)
class Installation:
    """What one press set in motion: its updates, in their order. ``by`` is who pressed."""

    integration_id: str
    name: str
    updates: tuple[Progress, ...]
    by: str
    started_at: datetime

    @property
    def is_open(self) -> bool:
        return any(each.state in (State.WAITING, State.RUNNING, State.ROLLING_BACK) for each in self.updates)

    @property
    def current(self) -> Progress:
        """The update that is at work, or the one that ended it."""
        busy = [each for each in self.updates if each.state in (State.RUNNING, State.ROLLING_BACK, State.FAILED)]
        return busy[0] if busy else self.updates[-1]

    @property
    def percent(self) -> int:
        """How far it is; 100 only when nothing is left to do."""
        current = self.current
        parts = [current.part] if current.state is State.ROLLING_BACK else [each.part for each in self.updates]
        percent = int(100 * sum(parts) / len(parts))
        return min(percent, 99) if self.is_open else percent


@dataclass(frozen=True, slots=True)
class CardPlace:
    """A card that shows an installation: whose chat it is in, and its activity id."""

    tenant_id: str
    user_object_id: str
    activity_id: str
