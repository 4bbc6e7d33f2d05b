"""How much may be asked of Graph for one application in one tenant: a window that slides. Pure.

1,500 presence requests in 30 seconds (Microsoft Graph service-specific throttling limits, presence); each
request in a ``$batch`` counts. Spending is kept as pairs ``[second, requests]``, small enough to be stored with
the integration, so that another process goes on where this one stopped.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

Spent = list[list[int]]

WINDOW = 30
MARGIN = 2
"""Seconds added to the window: a request may be on its way for a moment before Graph counts it."""


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` requests in any ``WINDOW`` seconds."""

    limit: int

    def left(self, spent: Sequence[Sequence[int]], now: datetime) -> int:
        return max(0, self.limit - sum(count for _, count in recent(spent, now)))

    def free_at(self, spent: Sequence[Sequence[int]], now: datetime) -> datetime:
        """When something may be sent again: ``now`` if anything is left."""
        kept = sorted(recent(spent, now))
        if not kept or self.left(kept, now):
            return now
        return datetime.fromtimestamp(kept[0][0] + 1, UTC) + timedelta(seconds=WINDOW + MARGIN)

    def allowance(self, sharing: Collection["Spender"], now: datetime) -> tuple[datetime | None, int]:
        """Until when nothing may be sent by all who share the quota, or how much."""
        blocked = max((each.quota_blocked_until for each in sharing if each.quota_blocked_until), default=now)
        spent = [pair for each in sharing for pair in recent(each.quota_spent, now)]
        until = max(blocked, self.free_at(spent, now))
        return (until, 0) if until > now else (None, self.left(spent, now))


class Spender(Protocol):
    """What an integration keeps of its spending."""

    @property
    def quota_spent(self) -> Spent: ...
    @property
    def quota_blocked_until(self) -> datetime | None: ...


def recent(spent: Sequence[Sequence[int]], now: datetime) -> Spent:
    """The spending that still counts at ``now``; a whole second counts until its end has left the window."""
    oldest = now.timestamp() - WINDOW - MARGIN
    return [[second, count] for second, count in spent if second + 1 > oldest]


def spend(spent: Sequence[Sequence[int]], now: datetime, requests: int) -> Spent:
    """The spending with ``requests`` more at ``now``, and without what no longer counts."""
    second = int(now.timestamp())
    kept = recent(spent, now)
    already = sum(count for at, count in kept if at == second)
    return [[at, count] for at, count in kept if at != second] + [[second, already + requests]]
