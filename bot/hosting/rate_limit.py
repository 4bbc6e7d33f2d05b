"""How fast one conversation may be spoken to."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from core.clock import Clock

LIMITS = ((7, 1), (8, 2), (60, 30), (1_800, 3_600))
"""At most so many messages in so many seconds (Teams: "Optimize your bot with rate limiting")."""

MARGIN = timedelta(milliseconds=50)
"""The channel counts when a message arrives, not when it leaves."""

LONGEST = timedelta(seconds=max(seconds for _, seconds in LIMITS))


class RateLimit:
    """Gives each message of a conversation its moment, so that none comes too early for Teams' limits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moments: OrderedDict[str, deque[datetime]] = OrderedDict()

    def reserve(self, conversation_id: str, patience: timedelta) -> timedelta | None:
        """How long to wait before sending the next message; None, and nothing reserved, if beyond ``patience``."""
        now = self._clock()
        self._forget(now)
        moments = self._moments.setdefault(conversation_id, deque(maxlen=max(count for count, _ in LIMITS)))
        self._moments.move_to_end(conversation_id)
        moment = _earliest(moments, now)
        if moment - now > patience:
            return None
        moments.append(moment)
        return moment - now

    def _forget(self, now: datetime) -> None:
        """Drops conversations, longest unused first, that no limit concerns any more."""
        while self._moments:
            oldest = next(iter(self._moments.values()))
            if oldest and now - oldest[-1] < LONGEST:
                return
            self._moments.popitem(last=False)


def _earliest(moments: deque[datetime], now: datetime) -> datetime:
    """The first moment from ``now`` on that keeps every limit, after all those given already."""
    moment = max(now, moments[-1]) if moments else now
    for count, seconds in LIMITS:
        if len(moments) >= count:
            moment = max(moment, moments[-count] + timedelta(seconds=seconds) + MARGIN)
    return moment
