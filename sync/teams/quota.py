"""How many requests one application may send to Graph in one tenant: a sliding window and its ledger.

Microsoft allows 10,000 presence requests in 30 seconds, on older pages 1,500 (Microsoft Graph service-specific
throttling limits, presence); each request in a ``$batch`` counts. So the limit is learned for each tenant: it
starts at ``FIRST_LIMIT``, grows by a tenth for each window in which it was the bottleneck and nothing was
throttled, and is halved at a 429.

Spending is stored with the integration as pairs ``[second, requests]``, so that another process continues where
this one stopped. While requests are in flight their pair has a third number: it counts until the response is here,
and from that second on for a window, because Graph counts a request when it arrives.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.metrics import Metrics
from sync.domain.changes import Failed, Outcome, Throttled
from sync.domain.errors import Fault

Spent = list[list[int]]

WINDOW = 30
FIRST_LIMIT, SMALLEST_LIMIT = 1500, 20
IN_FLIGHT = 90
"""Seconds after which requests without a response are no longer counted: their process has died."""

SEND_WITHIN = 25
"""Seconds after the reservation within which requests must be sent: each takes 30 s more at most."""

LONGEST_BLOCK = timedelta(minutes=2)
"""What Graph asks to wait beyond that, or a clock that was ahead had stored, is asked again then."""

MARGIN = 2
"""Seconds added to the window: a request may be in transit for a moment before Graph counts it."""


class Spender(Protocol):
    """What an integration stores about its quota."""

    quota_spent: Spent
    quota_blocked_until: datetime | None
    quota_limit: int
    quota_changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` requests in any ``WINDOW`` seconds. Pure."""

    limit: int

    def left(self, spent: Sequence[Sequence[int]], now: datetime) -> int:
        return max(0, self.limit - sum(pair[1] for pair in recent(spent, now)))

    def free_at(self, spent: Sequence[Sequence[int]], now: datetime) -> datetime:
        """When something may be sent again: ``now`` if anything is left."""
        kept = recent(spent, now)
        if not kept or self.left(kept, now):
            return now
        return datetime.fromtimestamp(min(_counts_until(*pair) for pair in kept), UTC)

    def allowance(self, sharing: Collection[Spender], now: datetime) -> tuple[datetime | None, int]:
        """Until when nothing may be sent by all who share the quota (None: now), and how many requests may be."""
        blocked = max((each.quota_blocked_until for each in sharing if each.quota_blocked_until), default=now)
        spent = [pair for each in sharing for pair in recent(each.quota_spent, now)]
        until = max(blocked, self.free_at(spent, now))
        return (until, 0) if until > now else (None, self.left(spent, now))


class QuotaLedger:
    """The only writer of an integration's spending, which it always counts in the metrics.

    The caller holds the integration's row locked and commits it; a reservation is stored before the requests
    are sent, so that a crash loses quota and never exceeds it. The limit passed in is the most that is learned.
    """

    def __init__(self, quota: Quota, metrics: Metrics) -> None:
        self._quota = quota
        self._metrics = metrics

    def limit(self, sharing: Collection[Spender]) -> int:
        """Requests that all who share the quota may send in ``WINDOW`` seconds."""
        return min([self._quota.limit, *(each.quota_limit for each in sharing)])

    def allowance(self, sharing: Collection[Spender], now: datetime) -> tuple[datetime | None, int]:
        """As ``Quota.allowance``, with the limit learned so far."""
        for each in sharing:
            _correct(each, now)
        return Quota(self.limit(sharing)).allowance(sharing, now)

    def reserve(self, spender: Spender, requests: int, now: datetime) -> None:
        """Record ``requests`` that are about to be sent at ``now``; a read counts like a write."""
        if requests:
            spender.quota_spent = spend(spender.quota_spent, now, requests, IN_FLIGHT)
            self._metrics.quota_spent.inc(requests)

    def settle(self, spender: Spender, requests: int, reserved_at: datetime, now: datetime) -> None:
        """The responses to ``requests`` are here: they count from ``now`` on."""
        if requests:
            spent = spend(spender.quota_spent, reserved_at, -requests, IN_FLIGHT)
            spender.quota_spent = spend(recent(spent, now), now, requests)

    def is_too_late(self, reserved_at: datetime | None, now: datetime) -> bool:
        """Whether requests would be sent so late that they no longer count where they were reserved."""
        return reserved_at is not None and now - reserved_at > timedelta(seconds=SEND_WITHIN)

    def grow(self, sharing: Collection[Spender], now: datetime) -> bool:
        """The allowance is the bottleneck: raise it, if that was so for a window in which nothing was throttled."""
        limit = self.limit(sharing)
        changed = [each.quota_changed_at for each in sharing if each.quota_changed_at]
        is_blocked = any(each.quota_blocked_until and each.quota_blocked_until > now for each in sharing)
        if is_blocked or limit >= self._quota.limit:
            return False
        if changed and max(changed) + timedelta(seconds=WINDOW + MARGIN) > now:
            return False
        for each in sharing:
            each.quota_changed_at = now
            if changed:
                each.quota_limit = min(self._quota.limit, limit + max(1, limit // 10))
        return bool(changed)

    def block(self, spender: Spender, until: datetime) -> None:
        """Send nothing before ``until`` (Graph's Retry-After, a backoff); an earlier time shortens no block."""
        spender.quota_blocked_until = max(until, spender.quota_blocked_until or until)

    def block_if_throttled(self, spender: Spender, outcomes: Iterable[Outcome], now: datetime) -> None:
        """Halve the limit if Graph throttled any, and send nothing before the longest Retry-After is over."""
        waits = [wait for outcome in outcomes if (wait := _wait_of(outcome)) is not None]
        if not waits:
            return
        if spender.quota_blocked_until is None or spender.quota_blocked_until <= now:
            spender.quota_limit = max(SMALLEST_LIMIT, min(self._quota.limit, spender.quota_limit) // 2)
        spender.quota_changed_at = now
        self.block(spender, now + timedelta(seconds=max(waits)))


def _correct(spender: Spender, now: datetime) -> None:
    """After the clock was set back, what it had stored would count until it has caught up."""
    latest, longest = int(now.timestamp()), now + LONGEST_BLOCK
    if any(pair[0] > latest for pair in spender.quota_spent):
        spender.quota_spent = [[min(pair[0], latest), *pair[1:]] for pair in spender.quota_spent]
    if spender.quota_blocked_until and spender.quota_blocked_until > longest:
        spender.quota_blocked_until = longest


def _wait_of(outcome: Outcome) -> float | None:
    """The seconds that Graph asks to wait, None when it did not throttle."""
    if isinstance(outcome, Throttled):
        return outcome.retry_after
    if isinstance(outcome, Failed) and outcome.error.fault is Fault.GRAPH_THROTTLED:
        return outcome.error.retry_after or 0.0
    return None


def recent(spent: Sequence[Sequence[int]], now: datetime) -> Spent:
    """The spending that still counts at ``now``; a whole second counts until its end has left the window."""
    return [list(pair) for pair in spent if _counts_until(*pair) > now.timestamp()]


def _counts_until(second: int, _count: int, in_flight: int = 0) -> int:
    return second + 1 + max(WINDOW + MARGIN, in_flight)


def spend(spent: Sequence[Sequence[int]], now: datetime, requests: int, in_flight: int = 0) -> Spent:
    """The spending with ``requests`` more at ``now``, and without what no longer counts."""
    key = [int(now.timestamp()), in_flight] if in_flight else [int(now.timestamp())]
    kept = recent(spent, now)
    already = sum(pair[1] for pair in kept if [pair[0], *pair[2:]] == key)
    others = [pair for pair in kept if [pair[0], *pair[2:]] != key]
    total = already + requests
    return [*others, [key[0], total, *key[1:]]] if total > 0 else others
