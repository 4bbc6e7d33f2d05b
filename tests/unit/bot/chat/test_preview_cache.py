"""A preview is cached for some minutes, for its own tenant only."""

from datetime import timedelta

from bot.chat.preview_cache import MAX_PREVIEWS, PreviewCache
from sync.domain.model import Preview
from tests.support.clocks import FakeClock

FOUND = Preview(1, (), ())


def test_a_preview_is_cached_for_five_minutes() -> None:
    clock = FakeClock()
    previews = PreviewCache(clock)
    previews.put("tenant", "one", FOUND)
    clock.now += timedelta(minutes=5)
    assert previews.get("tenant", "one") is FOUND
    clock.now += timedelta(seconds=1)
    assert previews.get("tenant", "one") is None


def test_it_is_the_tenants_own_and_can_be_dropped() -> None:
    previews = PreviewCache(FakeClock())
    previews.put("tenant", "one", FOUND)
    assert previews.get("other", "one") is None
    previews.drop("tenant", "one")
    previews.drop("tenant", "one")
    assert previews.get("tenant", "one") is None


def test_there_are_never_many() -> None:
    previews = PreviewCache(FakeClock())
    for number in range(MAX_PREVIEWS + 1):
        previews.put("tenant", str(number), FOUND)
    assert previews.get("tenant", "0") is None
    assert previews.get("tenant", str(MAX_PREVIEWS)) is FOUND
