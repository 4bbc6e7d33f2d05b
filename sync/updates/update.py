"""What a feature update is made of: a dry run, and steps that count, resume and can be taken back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.updates.model import Effect

Facts = dict[str, Any]
"""What steps keep for each other and for the way back: small, JSON, never a secret."""


@dataclass(frozen=True, slots=True)
class Changing:
    """The transaction that stores a portion together with the progress it makes; ``facts`` may be changed."""

    session: AsyncSession
    integration: Integration
    row: FeatureUpdate
    facts: Facts
    now: datetime


Store = Callable[[Changing], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Portion:
    """Part of a step: how many it deals with, and how its outcome is stored."""

    count: int
    store: Store


class Step(Protocol):
    """One step. It may be asked for a portion again if nobody lived to store it."""

    @property
    def name(self) -> str: ...

    async def total(self, integration: Integration, facts: Facts) -> int:
        """How many there are to deal with; none means that the step is done."""
        ...

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        """The next part, after ``done``; here the outside may be asked. Raises ``SyncError``."""
        ...

    async def undo(self, changing: Changing) -> None:
        """Take back what the step stored, finished or not; the outside is not asked."""
        ...


class Update(Protocol):
    """A numbered update. ``jobs`` are what it sets in motion when it is installed or taken back."""

    @property
    def version(self) -> int: ...

    @property
    def steps(self) -> Sequence[Step]: ...

    @property
    def jobs(self) -> Sequence[str]: ...

    async def dry_run(self, integration: Integration) -> tuple[Effect, ...]:
        """What it would change here, from this integration's data as they are now. Raises ``SyncError``."""
        ...


async def nothing(_changing: Changing) -> None:
    """What a portion stores that leaves nothing but its progress, or a step takes back that changed nothing."""


@dataclass(frozen=True, slots=True)
class Accept:
    """The step that raises the integration's feature version: from here on it behaves anew."""

    version: int
    name: str = "accept"

    async def total(self, integration: Integration, facts: Facts) -> int:
        return 1

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        return Portion(1, self._accept)

    async def _accept(self, changing: Changing) -> None:
        changing.integration.feature_version = self.version

    async def undo(self, changing: Changing) -> None:
        changing.integration.feature_version = self.version - 1
