"""Caches a preview for a few minutes, so that showing its next page does not read two directories again."""

from datetime import datetime, timedelta

from core.clock import Clock
from sync.domain.model import Preview

MAX_AGE = timedelta(minutes=5)
MAX_PREVIEWS = 50


class PreviewCache:
    """A few previews by tenant and integration; the oldest is evicted first. ``clock`` is steady."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._previews: dict[tuple[str, str], tuple[datetime, Preview]] = {}

    def put(self, tenant: str, integration_id: str, preview: Preview) -> None:
        self._previews.pop((tenant, integration_id), None)
        self._previews[tenant, integration_id] = (self._clock(), preview)
        while len(self._previews) > MAX_PREVIEWS:
            del self._previews[next(iter(self._previews))]

    def get(self, tenant: str, integration_id: str) -> Preview | None:
        """None when there is none, or it is older than five minutes."""
        cached = self._previews.get((tenant, integration_id))
        return cached[1] if cached and self._clock() - cached[0] <= MAX_AGE else None

    def drop(self, tenant: str, integration_id: str) -> None:
        self._previews.pop((tenant, integration_id), None)
