"""Remembers a preview for a few minutes, so that turning its pages does not read two directories again."""

from datetime import datetime, timedelta

from core.clock import Clock
from sync.domain.model import Preview

KEPT = timedelta(minutes=5)
MOST = 50


class PreviewCache:
    """A few previews by tenant and integration; the oldest goes first. A wrong hour costs only a fresh reading."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[datetime, Preview]] = {}

    def keep(self, tenant: str, integration_id: str, preview: Preview) -> None:
        self._kept.pop((tenant, integration_id), None)
        self._kept[tenant, integration_id] = (self._clock(), preview)
        while len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    def recall(self, tenant: str, integration_id: str) -> Preview | None:
        """None when there is none, or it is older than five minutes."""
        kept = self._kept.get((tenant, integration_id))
        return kept[1] if kept and self._clock() - kept[0] <= KEPT else None

    def drop(self, tenant: str, integration_id: str) -> None:
        self._kept.pop((tenant, integration_id), None)
