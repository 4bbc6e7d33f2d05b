"""How many requests one application may send to Graph in one tenant: a sliding window and its ledger.

1,500 presence requests in 30 seconds (Microsoft Graph service-specific throttling limits, presence); each
request in a ``$batch`` counts. Spending is stored with the integration as pairs ``[second, requests]``, so that
another process continues where this one stopped.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.metrics import Metrics
from sync.domain.changes import Outcome, Throttled

Spent = list[list[int]]

WINDOW = 30
MARGIN = 2
"""Seconds added to the window: a request may be in transit for a moment before Graph counts it."""


class Spender(Protocol):
    """What an integration stores about its quota."""

    quota_spent: Spent
    quota_blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` requests in any ``WINDOW`` seconds. Pure."""

    limit: int

    def left(self, spent: Sequence[Sequence[int]], now: datetime) -> int:
        return max(0, self.limit - sum(count for _, count in recent(spent, now)))

    def free_at(self, spent: Sequence[Sequence[int]], now: datetime) -> datetime:
        """When something may be sent again: ``now`` if anything is left."""
        kept = sorted(recent(spent, now))
        if not kept or self.left(kept, now):
            return now
        return datetime.fromtimestamp(kept[0][0] + 1, UTC) + timedelta(seconds=WINDOW + MARGIN)

    def allowance(self, sharing: Collection[Spender], now: datetime) -> tuple[datetime | None, int]:
        """Until when nothing may be sent by all who share the quota (None: now), and how many requests may be."""
        blocked = max((each.quota_blocked_until for each in sharing if each.quota_blocked_until), default=now)
        spent = [pair for each in sharing for pair in recent(each.quota_spent, now)]
        until = max(blocked, self.free_at(spent, now))
        return (until, 0) if until > now else (None, self.left(spent, now))


class QuotaLedger:
    """The only writer of an integration's spending, which it always counts in the metrics.

    The caller holds the integration's row locked and commits it; a reservation is stored before the requests
    are sent, so that a crash loses quota and never exceeds it.
    """

    def __init__(self, quota: Quota, metrics: Metrics) -> None:
        self._quota = quota
        self._metrics = metrics

    @property
    def limit(self) -> int:
        """Requests that may be sent in ``WINDOW`` seconds."""
        return self._quota.limit

    def allowance(self, sharing: Collection[Spender], now: datetime) -> tuple[datetime | None, int]:
        """As ``Quota.allowance``."""
        return self._quota.allowance(sharing, now)

    def reserve(self, spender: Spender, requests: int, now: datetime) -> None:
        """Record ``requests`` that are about to be sent at ``now``; a read counts like a write."""
        if requests:
            spender.quota_spent = spend(spender.quota_spent, now, requests)
            self._metrics.quota_spent.inc(requests)

    def block(self, spender: Spender, until: datetime) -> None:
        """Send nothing before ``until`` (Graph's Retry-After, a backoff); an earlier time shortens no block."""
        spender.quota_blocked_until = max(until, spender.quota_blocked_until or until)

    def block_if_throttled(self, spender: Spender, outcomes: Iterable[Outcome], now: datetime) -> None:
        """Send nothing before the longest Retry-After among ``outcomes`` is over, if Graph throttled any."""
        waits = [outcome.retry_after for outcome in outcomes if isinstance(outcome, Throttled)]
        if waits:
            self.block(spender, now + timedelta(seconds=max(waits)))


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
