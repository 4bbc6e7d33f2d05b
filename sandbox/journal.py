"""The requests the sandbox served, the newest, and a few counts. Never a secret; of the headers,
only the request id that the caller sends to Graph.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 1000


@dataclass
class Counts:
    webhooks: int = 0
    batches: int = 0
    presence_writes: int = 0
    throttled: int = 0

    def as_json(self) -> dict[str, int]:
        return {
            "webhooks": self.webhooks,
            "batches": self.batches,
            "presenceWrites": self.presence_writes,
            "throttled": self.throttled,
        }


@dataclass
class Entry:
    """One request that was answered; ``batch`` lists the calls inside a ``$batch`` in the order they were sent."""

    at: str
    service: str
    method: str
    path: str
    status: int
    batch: list[dict[str, Any]] | None = None
    client_request_id: str = ""


@dataclass
class Journal:
    counts: Counts = field(default_factory=Counts)
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]
