"""Rates: how much each key may take, by token buckets in memory. Of bounded size, for each process."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic

MAX_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` at once, and ``per_second`` in the long run."""

    burst: float
    per_second: float


class Buckets:
    """Token buckets by key; above ``MAX_KEYS`` the least recently used is forgotten. ``now`` is in seconds."""

    def __init__(self, rate: Rate, now: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._now = now
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable, amount: int = 1) -> bool:
        """Whether the key's rate allows ``amount`` more now, which is then counted."""
        now = self._now()
        left = self._left(key, now)
        self._buckets.pop(key, None)
        is_allowed = left >= amount
        self._buckets[key] = (left - amount * is_allowed, now)
        if len(self._buckets) > MAX_KEYS:
            del self._buckets[next(iter(self._buckets))]
        return is_allowed

    def has(self, key: Hashable) -> bool:
        """Whether ``take`` would be allowed now."""
        return self._left(key, self._now()) >= 1

    def _left(self, key: Hashable, now: float) -> float:
        left, at = self._buckets.get(key, (self._rate.burst, now))
        return min(self._rate.burst, left + (now - at) * self._rate.per_second)
