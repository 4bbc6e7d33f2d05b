"""The parts of a feature update: a dry run, and steps that work in batches, resume, and can be rolled back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.updates.model import PlannedChange

STORE_BATCH = 25
"""People stored in one transaction."""

MAX_NAMES = 12
"""Names listed for each change of a dry run."""

Facts = dict[str, Any]
"""What a step stores for later steps and for its rollback: small, JSON, never a secret."""


@dataclass(frozen=True, slots=True)
class StepTransaction:
    """The transaction that stores a batch together with the progress of its step. ``facts`` may be changed."""

    session: AsyncSession
    integration: Integration
    row: FeatureUpdate
    facts: Facts
    now: datetime


Store = Callable[[StepTransaction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a step: how many items it covers, and the function that stores its result."""

    count: int
    store: Store


class UpdateStep(Protocol):
    """One step. A batch is read again if the process ended before it was stored."""

    @property
    def name(self) -> str: ...

    async def total(self, integration: Integration, facts: Facts) -> int:
        """How many items the step covers; with 0 it is skipped."""
        ...

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        """The batch after ``done`` items. Services are called here. Raises ``SyncError``."""
        ...

    async def undo(self, transaction: StepTransaction) -> None:
        """Revert what the step stored, whether it finished or not. No service is called."""
        ...


class Update(Protocol):
    """A numbered update. ``jobs`` are deferred once it is installed or rolled back."""

    @property
    def version(self) -> int: ...

    @property
    def steps(self) -> Sequence[UpdateStep]: ...

    @property
    def jobs(self) -> Sequence[str]: ...

    async def dry_run(self, integration: Integration) -> tuple[PlannedChange, ...]:
        """What it would change for this integration, read now. Raises ``SyncError``."""
        ...


async def store_nothing(_transaction: StepTransaction) -> None:
    """For a batch whose only result is its progress, and to undo a step that stored nothing."""


@dataclass(frozen=True, slots=True)
class RaiseVersion:
    """The step that sets the integration's feature version: the new behaviour begins here."""

    version: int
    name: str = "accept"

    async def total(self, integration: Integration, facts: Facts) -> int:
        return 1

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        return Batch(1, self._raise)

    async def _raise(self, transaction: StepTransaction) -> None:
        transaction.integration.feature_version = self.version

    async def undo(self, transaction: StepTransaction) -> None:
        transaction.integration.feature_version = self.version - 1
