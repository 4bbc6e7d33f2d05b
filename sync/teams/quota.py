"""How many requests one application may send to Graph in one tenant: a sliding window and its ledger.

Microsoft allows 10,000 presence requests in 30 seconds, on older pages 1,500 (Microsoft Graph service-specific
throttling limits, presence); each request in a ``$batch`` counts. So the limit is learned for each tenant: it
starts at ``FIRST_LIMIT``, grows by a tenth for each window in which it was the bottleneck and nothing was
throttled, and is halved at a 429.

Spending is stored with the integration as pairs ``[second, requests]``, in seconds since the epoch, so that another
process continues where this one stopped. While requests are in flight their pair has a third number: it
counts until the response is here, and from then on for a window, because Graph counts a request when it arrives.

A clock that is set does not change what was sent: set back, nothing counts as of the future; set forward, what
still counted then counts as sent at that moment. What was stored before a process started counts as sent at its
start, for the clock may have been set while nobody watched it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.clock import Clock
from core.metrics import Metrics
from sync.domain.changes import Failed, Outcome, Throttled
from sync.domain.errors import Fault

Spent = list[list[float]]

WINDOW = 30
FIRST_LIMIT, SMALLEST_LIMIT = 1500, 20
IN_FLIGHT = 90
"""Seconds after which requests without a response are no longer counted: their process has died."""

SEND_WITHIN = 25
"""Seconds after the reservation within which requests must be sent: each takes 30 s more at most."""

LONGEST_BLOCK = timedelta(minutes=2)
"""What Graph asks to wait beyond that, or a clock that was ahead had stored, is asked again then."""

SMALLEST_STEP = 0.2
"""Seconds: a clock that differs by less from the steady one was not set."""

MARGIN = 2 * SMALLEST_STEP
"""Seconds added to the window, which begins with the response: a step of the clock that is too small to be noticed,
and as much again for another process's clock, by which the pair was stored."""

SLOT = 0.5
"""Seconds whose requests are stored as one pair, all as of the last of them."""


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

    def left(self, spent: Sequence[Sequence[float]], now: datetime) -> int:
        return max(0, self.limit - int(sum(pair[1] for pair in recent(spent, now))))

    def free_at(self, spent: Sequence[Sequence[float]], now: datetime) -> datetime:
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
    By the ``steady`` clock it finds out that ``clock`` was set forward. Both are read together, for the time
    that is passed in may have been read before a lock was waited for.
    """

    def __init__(
        self, quota: Quota, metrics: Metrics, clock: Clock | None = None, steady: Clock | None = None
    ) -> None:
        self._quota = quota
        self._metrics = metrics
        self._clock = clock
        self._steady = steady
        self._ahead: float | None = None
        self._steps: list[_Step] = []
        if clock and steady:
            started = clock().timestamp()
            self._steps = [_Step(float("-inf"), started, started, steady().timestamp())]
        self._watch()

    def limit(self, sharing: Collection[Spender]) -> int:
        """Requests that all who share the quota may send in ``WINDOW`` seconds."""
        return min([self._quota.limit, *(each.quota_limit for each in sharing)])

    def allowance(self, sharing: Collection[Spender], now: datetime) -> tuple[datetime | None, int]:
        """As ``Quota.allowance``, with the limit learned so far."""
        self._watch()
        for each in sharing:
            self._correct(each, now)
        return Quota(self.limit(sharing)).allowance(sharing, now)

    def limited_until(self, sharing: Collection[Spender], now: datetime) -> datetime | None:
        """Until when the limit, or Graph's throttling, lets nothing be sent; None for now. A backoff is neither.

        Unlike ``allowance`` it changes nothing: of rows that are not locked.
        """
        return self.allowance([_Spent.of(each, now) for each in sharing], now)[0]

    def reserve(self, spender: Spender, requests: int, now: datetime) -> None:
        """Record ``requests`` that are about to be sent at ``now``; a read counts like a write."""
        if requests:
            spender.quota_spent = spend(spender.quota_spent, now, requests, IN_FLIGHT)
            self._metrics.quota_spent.inc(requests)

    def settle(self, spender: Spender, requests: int, reserved_at: datetime, now: datetime) -> None:
        """The responses to ``requests`` are here: they count from ``now`` on."""
        if requests:
            self._watch()
            self._correct(spender, now)
            reserved = datetime.fromtimestamp(self._moved([reserved_at.timestamp(), requests, IN_FLIGHT])[0], UTC)
            spent = spend(spender.quota_spent, min(reserved, now), -requests, IN_FLIGHT)
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
        """Halve the limit if Graph throttled any, and send nothing before the longest Retry-After is over.

        After ``LONGEST_BLOCK`` it is asked again, whatever it asked for.
        """
        waits = [wait for outcome in outcomes if (wait := _wait_of(outcome)) is not None]
        if not waits:
            return
        if spender.quota_blocked_until is None or spender.quota_blocked_until <= now:
            spender.quota_limit = max(SMALLEST_LIMIT, min(self._quota.limit, spender.quota_limit) // 2)
        spender.quota_changed_at = now
        self.block(spender, now + min(timedelta(seconds=max(waits)), LONGEST_BLOCK))

    def _watch(self) -> None:
        """Remember how the clock was set, as long as anything stored before may count."""
        if self._clock is None or self._steady is None:
            return
        now, steady = self._clock().timestamp(), self._steady().timestamp()
        step = 0.0 if self._ahead is None else now - steady - self._ahead
        if self._ahead is None or abs(step) > SMALLEST_STEP:
            self._ahead = now - steady
        if step < -SMALLEST_STEP:
            self._steps = [each.set_back(now) for each in self._steps]
        if step > SMALLEST_STEP:
            self._steps.append(_Step(now - step, now - step, now, steady))
        self._steps = [each for each in self._steps if each.at > steady - WINDOW - IN_FLIGHT]

    def _moved(self, pair: Sequence[float]) -> list[float]:
        """The pair, as of a step of the clock if it still counted then."""
        for step in self._steps:
            if pair[0] <= step.before and step.earliest < _counts_until(*pair):
                pair = [step.after, *pair[1:]]
        return list(pair)

    def _correct(self, spender: Spender, now: datetime) -> None:
        """After the clock was set: nothing that was stored before is in the future, or forgotten."""
        present = max(now, self._clock()) if self._clock else now
        latest, longest = present.timestamp(), present + LONGEST_BLOCK
        moved = [self._moved(pair) for pair in spender.quota_spent]
        spent = [[min(pair[0], latest), *pair[1:]] for pair in moved]
        if spent != spender.quota_spent:
            spender.quota_spent = spent
        if spender.quota_blocked_until and spender.quota_blocked_until > longest:
            spender.quota_blocked_until = longest


def hand_over(spender: Spender, to: Spender) -> None:
    """``spender`` uses an application no longer, ``to`` does: what was sent and learned counts there."""
    to.quota_spent = [*to.quota_spent, *spender.quota_spent]
    to.quota_limit = min(to.quota_limit, spender.quota_limit)
    to.quota_changed_at = _latest(to.quota_changed_at, spender.quota_changed_at)
    to.quota_blocked_until = _latest(to.quota_blocked_until, spender.quota_blocked_until)


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time), default=None)


@dataclass(slots=True)
class _Spent:
    """A copy of what an integration stores."""

    quota_spent: Spent
    quota_blocked_until: datetime | None
    quota_limit: int
    quota_changed_at: datetime | None

    @classmethod
    def of(cls, spender: Spender, now: datetime) -> "_Spent":
        """Without what blocks it for another reason than that Graph throttled."""
        changed_at = spender.quota_changed_at
        is_throttled = changed_at is not None and changed_at + LONGEST_BLOCK > now
        blocked_until = spender.quota_blocked_until if is_throttled else None
        return cls(spender.quota_spent, blocked_until, spender.quota_limit, changed_at)


@dataclass(frozen=True, slots=True)
class _Step:
    """The clock was set forward, in its own seconds to ``after``; ``at`` is by the steady clock.

    It had shown ``before``, or if nobody watched it anything from ``earliest`` on: what counted then still does.
    """

    earliest: float
    before: float
    after: float
    at: float

    def set_back(self, now: float) -> "_Step":
        """As the clock shows it that was set back to ``now``: what is stored from now on came after the step."""
        return _Step(min(self.earliest, now), min(self.before, now), min(self.after, now), self.at)


def _wait_of(outcome: Outcome) -> float | None:
    """The seconds that Graph asks to wait, None when it did not throttle."""
    if isinstance(outcome, Throttled):
        return outcome.retry_after
    if isinstance(outcome, Failed) and outcome.error.fault is Fault.GRAPH_THROTTLED:
        return outcome.error.retry_after or 0.0
    return None


def recent(spent: Sequence[Sequence[float]], now: datetime) -> Spent:
    """The spending that still counts at ``now``."""
    return [list(pair) for pair in spent if _counts_until(*pair) > now.timestamp()]


def _counts_until(second: float, _count: float, in_flight: float = 0) -> float:
    return second + max(WINDOW + MARGIN, in_flight)


def spend(spent: Sequence[Sequence[float]], now: datetime, requests: int, in_flight: int = 0) -> Spent:
    """The spending with ``requests`` more at ``now``, and without what no longer counts."""
    second, kind = now.timestamp(), [in_flight] if in_flight else []
    kept = recent(spent, now)
    same = [pair for pair in kept if pair[0] // SLOT == second // SLOT and pair[2:] == kind]
    others = [pair for pair in kept if pair not in same]
    total = requests + sum(pair[1] for pair in same)
    return [*others, [max([second, *(pair[0] for pair in same)]), total, *kind]] if total > 0 else others
