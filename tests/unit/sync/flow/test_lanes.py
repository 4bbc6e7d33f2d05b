"""What a tick takes of what waits."""

from asyncio import Future
from typing import Any

from sync.flow.lanes import EACH_LANE, LARGEST_TICK, SHARE, Batch, Events, Lane, Polled, Shares
from sync.flow.lines import Poll
from tests.support.clocks import NOON


def lane_of(events: list[int], polls: list[int]) -> Lane:
    """A lane with events, and polls, of so many reports each."""
    result: Any = Future
    subscribed: Any = None
    report: Any = None
    return Lane(
        [Events(subscribed, [report] * size, result) for size in events],
        [Polled(Poll([report] * size, NOON, ""), result) for size in polls],
    )


def test_what_exceeds_the_share_waits_and_of_each_kind_one_is_taken() -> None:
    lane = lane_of([60, 30, 30], [25, 25])
    batch = Batch.take(lane, 100, is_asked=False)
    assert ([len(each.events) for each in batch.events], len(batch.polls)) == ([60, 30], 1)
    assert batch.size == EACH_LANE + 60 + 30 + 25
    assert ([len(each.events) for each in lane.events], len(lane.polls)) == ([30], 1)
    lane = lane_of([], [25, 25, 25, 25, 25])
    assert len(Batch.take(lane, 100, is_asked=False).polls) == 4


def test_nothing_is_left_for_a_tenant_beyond_its_share_nor_for_anyone_beyond_the_largest_tick() -> None:
    shares = Shares()
    shares.use("noisy", SHARE - 1)
    assert (shares.left("noisy"), shares.left("quiet")) == (1, SHARE)
    shares.use("noisy", 100)
    assert (shares.left("noisy"), shares.left("quiet")) == (0, SHARE)
    for number in range(LARGEST_TICK // SHARE):
        shares.use(str(number), SHARE)
    assert shares.left("quiet") == 0
