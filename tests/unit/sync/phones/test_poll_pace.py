from datetime import timedelta

from sync.phones.poll_pace import CHUNKS_A_SECOND, PUT_OFF, PollPace
from tests.support.clocks import FakeClock

ALWAYS_LATE, NEVER_LATE = -1.0, 3600.0


def seconds(pace: PollPace, key: str, pause: float = 0) -> float:
    return pace.plan(key, timedelta(seconds=pause)).total_seconds()


def test_chunks_of_many_integrations_are_read_one_after_the_other() -> None:
    pace = PollPace(FakeClock())
    times = [seconds(pace, f"i{number}") for number in range(1000)]
    assert times == [number / CHUNKS_A_SECOND for number in range(1000)]


def test_what_is_planned_takes_no_second_place() -> None:
    clock = FakeClock()
    pace = PollPace(clock)
    seconds(pace, "i1")
    assert [seconds(pace, "i2") for _ in range(3)] == [1 / CHUNKS_A_SECOND] * 3
    clock.advance(seconds=60)
    assert (seconds(pace, "i2"), seconds(pace, "i3")) == (0, 1 / CHUNKS_A_SECOND)


async def test_a_single_integration_waits_for_its_pause_alone() -> None:
    clock = FakeClock()
    pace = PollPace(clock)
    for _ in range(5):
        assert seconds(pace, "i1", pause=1) == 1
        clock.advance(seconds=1)
        assert await pace.may_begin("i1")


def test_the_pause_of_one_integration_delays_no_other() -> None:
    pace = PollPace(FakeClock())
    assert (seconds(pace, "i1", pause=60), seconds(pace, "i2")) == (60, 1 / CHUNKS_A_SECOND)


async def test_chunks_are_put_off_while_the_loop_is_late_but_not_for_ever() -> None:
    pace = PollPace(FakeClock(), ALWAYS_LATE)
    for number in range(10):
        seconds(pace, f"i{number}")
    assert [await pace.may_begin("i1") for _ in range(PUT_OFF + 1)] == [False] * PUT_OFF + [True]


async def test_nothing_is_put_off_when_no_other_waits_or_the_loop_is_not_late() -> None:
    alone, calm = PollPace(FakeClock(), ALWAYS_LATE), PollPace(FakeClock(), NEVER_LATE)
    seconds(alone, "i0")
    for number in range(10):
        seconds(calm, f"i{number}")
    assert await alone.may_begin("i0")
    assert await calm.may_begin("i0")
