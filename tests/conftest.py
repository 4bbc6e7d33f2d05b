import pytest

from bot.hosting.sdk import botbuilder
from tests.spikes.agents_hosting import agents_sdk
from tests.support.bot import hosting as harness


@pytest.fixture(params=[botbuilder, agents_sdk], ids=lambda make: make.__name__)
def framework(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot under test runs on each SDK: on the product's, and on the one that is to follow it."""
    monkeypatch.setattr(harness, "make_framework", request.param)
