"""A preview is remembered for some minutes, for its own tenant alone."""

from datetime import UTC, datetime, timedelta

from bot.chat.preview_cache import MOST, PreviewCache
from sync.domain.model import Preview

FOUND = Preview(1, (), ())


class Clock:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_it_is_recalled_for_five_minutes() -> None:
    clock = Clock()
    previews = PreviewCache(clock)
    previews.keep("tenant", "one", FOUND)
    clock.now += timedelta(minutes=5)
    assert previews.recall("tenant", "one") is FOUND
    clock.now += timedelta(seconds=1)
    assert previews.recall("tenant", "one") is None


def test_it_is_the_tenants_own_and_can_be_dropped() -> None:
    previews = PreviewCache(Clock())
    previews.keep("tenant", "one", FOUND)
    assert previews.recall("other", "one") is None
    previews.drop("tenant", "one")
    previews.drop("tenant", "one")
    assert previews.recall("tenant", "one") is None


def test_there_are_never_many() -> None:
    previews = PreviewCache(Clock())
    for number in range(MOST + 1):
        previews.keep("tenant", str(number), FOUND)
    assert previews.recall("tenant", "0") is None
    assert previews.recall("tenant", str(MOST)) is FOUND
