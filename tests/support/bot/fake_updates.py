"""A fake for feature updates: an offer, and an installation that the test advances."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sync.domain.errors import SyncError
from sync.domain.model import Actor
from sync.updates.model import (
    CardAddress,
    Installation,
    InstallationState,
    PendingUpdate,
    PlannedChange,
    UpdateOffer,
    UpdateProgress,
)
from sync.updates.service import UpdateService

STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DUE = (
    PendingUpdate(2, (PlannedChange("matched", 14, tuple(f"Person {number}" for number in range(12))),)),
    PendingUpdate(3, (PlannedChange("people", 27), PlannedChange("on_the_phone", 1, ("Ana *Bold* Martins",)))),
)


def progress(version: int, state: InstallationState, **values: object) -> UpdateProgress:
    return replace(UpdateProgress(version, state, "read", 0, 3, 0, 27), **values)  # type: ignore[arg-type]


@dataclass
class FakeUpdates(UpdateService):
    """``current`` is the newest installation, ``followers`` are the cards that show it."""

    pending: Sequence[PendingUpdate] = ()
    undoable: int | None = None
    error: SyncError | None = None
    current: Installation | None = None
    begun: list[tuple[str, str, int, str, Actor]] = field(default_factory=list)
    undone: list[tuple[str, str, int, Actor]] = field(default_factory=list)
    followers: list[CardAddress] = field(default_factory=list)
    released: int = 0

    async def offer(self, owner_tenant: str, integration_id: str) -> UpdateOffer:
        if self.error:
            raise self.error
        installed = self.pending[0].version - 1 if self.pending else 3
        return UpdateOffer(installed, tuple(self.pending[:1]), self.undoable)

    async def install(
        self, owner_tenant: str, integration_id: str, version: int, status_text: str, by: Actor, card: CardAddress
    ) -> Installation | None:
        if self.current is None:
            if version not in [due.version for due in self.pending[:1]]:
                return None
            self.begun.append((owner_tenant, integration_id, version, status_text, by))
            updates = (progress(version, InstallationState.WAITING),)
            self.current = Installation(integration_id, "Head office", updates, by.name, STARTED)
        self.followers.append(card)
        return self.current

    async def roll_back(
        self, owner_tenant: str, integration_id: str, version: int, by: Actor, card: CardAddress
    ) -> Installation | None:
        if version != self.undoable:
            return None
        self.undone.append((owner_tenant, integration_id, version, by))
        self.followers.append(card)
        going_back = (progress(version, InstallationState.ROLLING_BACK, step="accept", total=2),)
        self.current = Installation(integration_id, "Head office", going_back, by.name, STARTED)
        return self.current

    async def running(
        self, owner_tenant: str, integration_id: str, card: CardAddress | None = None
    ) -> Installation | None:
        if self.current and self.current.is_open and card:
            self.followers.append(card)
        return self.current if self.current and self.current.is_open else None

    async def cards_to_update(self, integration_id: str) -> tuple[Installation, list[CardAddress]] | None:
        return (self.current, list(self.followers)) if self.current else None

    async def release_cards(self, integration_id: str, shown: Installation) -> None:
        self.released += 1
        self.followers.clear()
