"""What waits and what is under way for each integration, in this process: nothing of it is needed after a crash."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any, TypeVar

from storage.queries.integrations import Subscribed
from sync.domain.phone_events import Event
from sync.flow.lines import Poll
from sync.flow.rounds import LARGEST_ROUND, Returned
from sync.flow.tick import Work

Item = TypeVar("Item")

SHARE, LARGEST_TICK = 100, 1000
"""Reports and outcomes that a tick takes, of one tenant and in all: a flood of them delays no other tenant."""

EACH_LANE = 5
"""What a lane costs besides, in reports: its people are chosen, and its integration is stored."""


@dataclass(eq=False, slots=True)
class Events:
    """Events of a webhook. The result: whether it still leads to the integration, and they are stored."""

    subscribed: Subscribed
    events: Sequence[Event]
    result: asyncio.Future[bool]


@dataclass(eq=False, slots=True)
class Polled:
    """A poll. The result: for how many people the desired presence changed."""

    poll: Poll
    result: asyncio.Future[int]


@dataclass(eq=False, slots=True)
class Lane:
    """An integration's: what waits for a tick, the people whose outcome is not known yet, and what runs for it.

    ``pushes`` are the jobs that wait until it is idle; until ``turn_ends``, of the loop, they look for more. They
    fail then if there was an ``error``.
    """

    events: list[Events] = field(default_factory=list)
    polls: list[Polled] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    is_asked: bool = False
    sending: set[str] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    pushes: list[asyncio.Future[None]] = field(default_factory=list)
    turn_ends: float = 0.0
    error: Exception | None = None
    tenant: str = ""
    is_in_tick: bool = False

    @property
    def has_work(self) -> bool:
        return bool(self.events or self.polls or self.returned)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is due, as far as is known, and everything that was sent has been answered and stored."""
        return not (self.returned or self.is_asked or self.tasks or self.is_in_tick)

    def end_pushes(self) -> None:
        for push in self.pushes:
            if not push.done():
                push.set_exception(self.error) if self.error else push.set_result(None)
        self.pushes.clear()
        self.error = None


class Shares:
    """What is left of a tick while it is being filled."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()
        self._left = LARGEST_TICK

    def left(self, tenant: str) -> int:
        """For the tenant, 0 for nothing."""
        return max(0, min(SHARE - self._used[tenant], self._left))

    def use(self, tenant: str, size: int) -> None:
        self._used[tenant] += size
        self._left -= size


@dataclass(slots=True)
class Batch:
    """What a tick takes of a lane."""

    events: list[Events]
    polls: list[Polled]
    returned: list[Returned]
    is_asked: bool

    @classmethod
    def take(cls, lane: Lane, most: int, *, is_asked: bool) -> "Batch":
        """All outcomes; of events and of polls at least one each, and no more than ``most`` reports."""
        events, later = _first(lane.events, [len(each.events) for each in lane.events], most)
        most -= sum(len(each.events) for each in events)
        polls, later_polls = _first(lane.polls, [len(each.poll.snapshots) for each in lane.polls], most)
        batch = cls(events, polls, lane.returned, is_asked)
        lane.events, lane.polls, lane.returned = later, later_polls, []
        lane.is_asked = lane.is_asked and not is_asked
        lane.is_in_tick = True
        return batch

    def put_back(self, lane: Lane) -> None:
        """It could not be done yet."""
        lane.events = self.events + lane.events
        lane.polls = self.polls + lane.polls
        lane.returned = self.returned + lane.returned
        lane.is_asked = lane.is_asked or self.is_asked

    @property
    def size(self) -> int:
        """As ``SHARE`` counts it."""
        events, polls = (
            (len(each.events) for each in self.events),
            (len(each.poll.snapshots) for each in self.polls),
        )
        return EACH_LANE + sum(events) + sum(polls) + sum(len(each.outcomes) for each in self.returned)

    @property
    def answered(self) -> set[str]:
        """The people of whom an outcome came back."""
        return {name for each in self.returned for name in each.round.person_ids}

    def work(self, lane: Lane, *, may_send: bool, is_free: bool) -> Work:
        """As a tick takes it; with no room to send unless the tenant ``is_free``."""
        sending = frozenset(lane.sending - self.answered)
        return Work(
            [(each.subscribed, event) for each in self.events for event in each.events],
            [each.poll for each in self.polls],
            self.returned,
            self.is_asked,
            may_send,
            sending,
            LARGEST_ROUND - len(sending) if is_free else 0,
        )

    def resolve(self, refused: Collection[Subscribed], polled: Iterable[int], *, is_gone: bool) -> None:
        """It is stored, but for the events of ``refused`` webhooks, and not if the integration ``is_gone``.

        ``polled`` are the results of the polls.
        """
        for events in self.events:
            if not events.result.done():
                events.result.set_result(not is_gone and events.subscribed not in refused)
        counts = [0] * len(self.polls) if is_gone else polled
        for poll, count in zip(self.polls, counts, strict=True):
            if not poll.result.done():
                poll.result.set_result(count)

    def fail(self, error: Exception) -> None:
        results: list[asyncio.Future[Any]] = [each.result for each in self.events]
        results += [each.result for each in self.polls]
        for result in results:
            if not result.done():
                result.set_exception(error)


def _first(items: list[Item], sizes: Sequence[int], most: int) -> tuple[list[Item], list[Item]]:
    """The first items of ``most`` together, at least one, and the others."""
    count = max(1, len(list(takewhile(lambda total: total <= most, accumulate(sizes)))))
    return items[:count], items[count:]
