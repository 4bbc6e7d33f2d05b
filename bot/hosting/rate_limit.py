"""Limits how fast messages are sent to one conversation."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from core.clock import Clock

LIMITS = ((7, 1), (8, 2), (60, 30), (1_800, 3_600))
"""Pairs of (messages, seconds): at most so many in that time (Teams: "Optimize your bot with rate limiting")."""

MARGIN = timedelta(milliseconds=50)
"""The channel counts when a message arrives, not when it leaves."""

LONGEST_WINDOW = timedelta(seconds=max(seconds for _, seconds in LIMITS))


class RateLimit:
    """Reserves a sending time for each message of a conversation, within Teams' limits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reserved: OrderedDict[str, deque[datetime]] = OrderedDict()

    def reserve(self, conversation_id: str, max_wait: timedelta) -> timedelta | None:
        """How long to wait before the next message; None, with nothing reserved, if beyond ``max_wait``."""
        now = self._clock()
        self._forget(now)
        times = self._reserved.setdefault(conversation_id, deque(maxlen=max(count for count, _ in LIMITS)))
        self._reserved.move_to_end(conversation_id)
        time = _earliest(times, now)
        if time - now > max_wait:
            return None
        times.append(time)
        return time - now

    def _forget(self, now: datetime) -> None:
        """Remove conversations, longest unused first, that no limit applies to any more."""
        while self._reserved:
            oldest = next(iter(self._reserved.values()))
            if oldest and now - oldest[-1] < LONGEST_WINDOW:
                return
            self._reserved.popitem(last=False)


def _earliest(times: deque[datetime], now: datetime) -> datetime:
    """The first time from ``now`` on that respects every limit, after all times reserved before."""
    time = max(now, times[-1]) if times else now
    for count, seconds in LIMITS:
        if len(times) >= count:
            time = max(time, times[-count] + timedelta(seconds=seconds) + MARGIN)
    return time
