"""How often a tenant has a tick: a busy one waits for its own pace, and no other tenant waits for it."""

from collections.abc import Collection

PACE = 0.03
"""Seconds from the start of a tenant's tick to its next, at least: the busier it is, the more one does together.

Nobody sees such a delay, and a change costs a seventh less than with one every 20 ms (docs/performance.md).
"""

AGAIN = (0.004, 0.02)
"""Seconds, from and until, after which what was locked is tried again. At random: two processes of the same pace
would meet at each tick."""


class Pace:
    """Times are those of the loop. Who may have a tick is not remembered."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def take(self, tenants: Collection[str], now: float) -> set[str]:
        """Those of the tenants that may have a tick now; it is counted."""
        self._next = {tenant: at for tenant, at in self._next.items() if at > now}
        ready = set(tenants) - self._next.keys()
        self._next.update(dict.fromkeys(ready, now + PACE))
        return ready

    def try_again(self, tenant: str, at: float) -> None:
        """Another process had locked what its tick needs: it may have the next at ``at``."""
        self._next[tenant] = at

    def next_of(self, tenants: Collection[str]) -> float:
        """When the first of these tenants, all of which must wait, may have its next tick."""
        return min(self._next[tenant] for tenant in tenants)
