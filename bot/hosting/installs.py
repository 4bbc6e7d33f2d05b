"""One installation is told of once."""

from datetime import datetime, timedelta

from bot.activity import Installed, Removed
from core.clock import Clock

WINDOW = timedelta(seconds=10)


class Installs:
    """Drops the double of an installation, of which ``installationUpdate`` and ``conversationUpdate`` both tell.

    Both come within moments, either may come alone. On several machines a double may pass: it does no harm.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lately: dict[str, datetime] = {}

    def is_double(self, what: object, conversation_id: str) -> bool:
        now = self._clock()
        self._lately = {key: at for key, at in self._lately.items() if now - at < WINDOW}
        if isinstance(what, Removed):
            self._lately.pop(conversation_id, None)
        if not isinstance(what, Installed):
            return False
        known = conversation_id in self._lately
        self._lately[conversation_id] = now
        return known
