"""Redirects are not followed."""

import pytest

from bot.activity import Undelivered
from tests.support.bot.hosting import CARD, open_bot
from tests.support.services.connectors import open_bot_entra
from tests.support.services.issuers import open_issuer


async def test_the_bots_password_is_not_sent_to_a_redirect() -> None:
    async with open_bot() as bot, open_bot_entra() as elsewhere:
        bot.entra.elsewhere = elsewhere.url
        with pytest.raises(Undelivered):
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert len(bot.entra.requests) == 1
        assert (elsewhere.requests, bot.connector.calls) == ([], [])


async def test_signing_keys_are_not_fetched_from_a_redirect() -> None:
    async with open_bot() as bot, open_issuer() as elsewhere:
        elsewhere.add_key("theirs")
        bot.issuer.elsewhere = elsewhere.metadata_url
        bot.issuer.keys = elsewhere.keys
        status, _ = await bot.post(bot.activity(), token=bot.token(key_id="theirs"))
        assert (status, elsewhere.fetches) == (401, 0)
