"""Deduplicates installation events."""

from datetime import datetime, timedelta

from bot.activity import Installed, Removed
from core.clock import Clock

WINDOW = timedelta(seconds=10)


class InstallDeduplicator:
    """Detects the second event of an installation: Teams sends ``installationUpdate`` and ``conversationUpdate``.

    Both arrive within seconds, or only one of them. With several processes a duplicate may pass; it does no harm.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: dict[str, datetime] = {}

    def is_duplicate(self, event: object, conversation_id: str) -> bool:
        now = self._clock()
        self._recent = {key: at for key, at in self._recent.items() if now - at < WINDOW}
        if isinstance(event, Removed):
            self._recent.pop(conversation_id, None)
        if not isinstance(event, Installed):
            return False
        is_known = conversation_id in self._recent
        self._recent[conversation_id] = now
        return is_known

    def forget(self, conversation_id: str) -> None:
        """Its event was not handled: the next one is no duplicate."""
        self._recent.pop(conversation_id, None)
