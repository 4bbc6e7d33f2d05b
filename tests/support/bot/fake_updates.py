"""A fake for feature updates: an offer, and an installation that the test advances."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sync.domain.errors import SyncError
from sync.domain.model import Actor
from sync.updates.model import CardPlace, Due, Effect, Installation, Offer, Progress, State
from sync.updates.updates import Updates

STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DUE = (
    Due(2, (Effect("matched", 14, tuple(f"Person {number}" for number in range(12))),)),
    Due(3, (Effect("people", 27), Effect("on_the_phone", 1, ("Ana *Bold* Martins",)))),
)


def progress(version: int, state: State, **values: object) -> Progress:
    return replace(Progress(version, state, "read", 0, 3, 0, 27), **values)  # type: ignore[arg-type]


@dataclass
class FakeUpdates(Updates):
    """``running`` is the installation in progress, ``followers`` are the cards that show it."""

    due: Sequence[Due] = ()
    undoable: int | None = None
    error: SyncError | None = None
    running: Installation | None = None
    begun: list[tuple[str, str, int, str, Actor]] = field(default_factory=list)
    undone: list[tuple[str, str, int, Actor]] = field(default_factory=list)
    followers: list[CardPlace] = field(default_factory=list)
    let_go: int = 0

    async def offer(self, owner_tenant: str, integration_id: str) -> Offer:
        if self.error:
            raise self.error
        return Offer(self.due[0].version - 1 if self.due else 3, tuple(self.due), self.undoable)

    async def begin(
        self, owner_tenant: str, integration_id: str, upto: int, status_text: str, by: Actor, card: CardPlace
    ) -> Installation | None:
        if self.running is None:
            if not self.due or self.due[-1].version != upto:
                return None
            self.begun.append((owner_tenant, integration_id, upto, status_text, by))
            updates = tuple(progress(due.version, State.WAITING) for due in self.due)
            self.running = Installation(integration_id, "Head office", updates, by.name, STARTED)
        self.followers.append(card)
        return self.running

    async def undo(
        self, owner_tenant: str, integration_id: str, version: int, by: Actor, card: CardPlace
    ) -> Installation | None:
        if version != self.undoable:
            return None
        self.undone.append((owner_tenant, integration_id, version, by))
        self.followers.append(card)
        going_back = (progress(version, State.ROLLING_BACK, step="accept", total=2),)
        self.running = Installation(integration_id, "Head office", going_back, by.name, STARTED)
        return self.running

    async def installation(
        self, owner_tenant: str, integration_id: str, card: CardPlace | None = None
    ) -> Installation | None:
        if self.running and self.running.is_open and card:
            self.followers.append(card)
        return self.running if self.running and self.running.is_open else None

    async def to_show(self, integration_id: str) -> tuple[Installation, list[CardPlace]] | None:
        return (self.running, list(self.followers)) if self.running else None

    async def shown(self, integration_id: str, seen: Installation) -> None:
        self.let_go += 1
        self.followers.clear()
