"""Feature updates as the bot shows them: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from storage.queries import updates as store


class InstallationState(StrEnum):
    """The state of an update's installation, as stored in ``storage.tables.updates.FeatureUpdate``."""

    WAITING = store.WAITING
    RUNNING = store.RUNNING
    COMPLETED = store.COMPLETED
    ROLLING_BACK = store.ROLLING_BACK
    FAILED = store.FAILED
    UNDONE = store.UNDONE


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change that an update would make: a key of the catalogues, how many it affects, the first few names."""

    key: str
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """An update that is not installed yet, with the result of its dry run."""

    version: int
    changes: tuple[PlannedChange, ...]


@dataclass(frozen=True, slots=True)
class UpdateOffer:
    """The updates that can be installed now, in order; ``installed`` is the integration's version.

    ``undoable`` is the installed version that can be rolled back, None if there is none.
    """

    installed: int
    pending: tuple[PendingUpdate, ...]
    undoable: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateProgress:
    """One update's installation. ``step_index`` counts from 0, of ``steps``; ``done`` of ``total`` are items.

    ``fault`` is a ``sync.domain.errors.Fault`` (with its context, ``fault_facts``) or ``unexpected``, and
    ``failed_step`` the step that failed; ``results`` are counts by the same keys as the planned changes.
    """

    version: int
    state: InstallationState
    step: str
    step_index: int
    steps: int
    done: int
    total: int
    fault: str = ""
    failed_step: str = ""
    results: Mapping[str, int] = field(default_factory=dict)
    fault_facts: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def fraction(self) -> float:
        """How much is done, from 0 to 1."""
        if self.state in (InstallationState.COMPLETED, InstallationState.UNDONE):
            return 1.0
        if self.state is InstallationState.ROLLING_BACK:
            return self.done / max(self.total, 1)
        within = min(1.0, self.done / self.total) if self.total else 0.0
        return (self.step_index + within) / self.steps if self.state is InstallationState.RUNNING else 0.0


@dataclass(frozen=True, slots=True)
class Installation:
    """The updates that one administrator (``by``) started together, in order."""

    integration_id: str
    name: str
    updates: tuple[UpdateProgress, ...]
    by: str
    started_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether steps are left to run."""
        states = (InstallationState.WAITING, InstallationState.RUNNING, InstallationState.ROLLING_BACK)
        return any(each.state in states for each in self.updates)

    @property
    def current(self) -> UpdateProgress:
        """The update that is running, rolling back or failed; else the last one."""
        states = (InstallationState.RUNNING, InstallationState.ROLLING_BACK, InstallationState.FAILED)
        return next((each for each in self.updates if each.state in states), self.updates[-1])

    @property
    def percent(self) -> int:
        """Progress in percent; 100 only when no step is left."""
        if self.current.state is InstallationState.ROLLING_BACK:
            fractions = [self.current.fraction]
        else:
            fractions = [each.fraction for each in self.updates]
        percent = int(100 * sum(fractions) / len(fractions))
        return min(percent, 99) if self.is_open else percent


@dataclass(frozen=True, slots=True)
class CardAddress:
    """A card that shows an installation: the person whose chat it is in, and its activity id."""

    tenant_id: str
    user_object_id: str
    activity_id: str
