"""Proactive messages over the wire: retries, rate limits, and unreachable conversations."""

import pytest

from bot.activity import Undelivered, Unreachable
from tests.support.bot.hosting import CARD, OTHER_CARD, open_bot
from tests.support.bot.rate_limits import assert_within_limits

pytestmark = pytest.mark.usefixtures("framework")


async def test_a_message_is_posted_to_a_known_conversation() -> None:
    async with open_bot() as bot:
        assert await bot.host.messenger.send(bot.address(), CARD, "News") == "posted-1"
        (call,) = bot.connector.calls
        assert (call.method, call.path) == ("POST", "/v3/conversations/a%3Achat%3B1/activities")
        assert (call.card, call.body["summary"]) == (CARD, "News")
        assert (call.body["from"]["id"], call.body["recipient"]["id"]) == ("28:bot", "29:alex")
        assert call.headers["Authorization"] == "Bearer bot-token-1"
        assert call.body.get("replyToId") is None


async def test_a_message_is_updated() -> None:
    async with open_bot() as bot:
        await bot.host.messenger.update(bot.address(), "posted-7", OTHER_CARD, "News")
        (call,) = bot.connector.calls
        assert (call.method, call.path) == ("PUT", "/v3/conversations/a%3Achat%3B1/activities/posted-7")
        assert call.card == OTHER_CARD


@pytest.mark.parametrize("status", [403, 404])
async def test_a_chat_that_takes_no_messages_or_is_gone_is_unreachable_and_never_retried(status: int) -> None:
    async with open_bot() as bot:
        bot.connector.answer(status)
        with pytest.raises(Unreachable):
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert (len(bot.connector.calls), bot.clock.slept) == (1, [])


@pytest.mark.parametrize("status", [412, 429, 502, 504])
async def test_a_temporary_error_is_retried_with_growing_jittered_pauses(status: int) -> None:
    async with open_bot() as bot:
        for _ in range(3):
            bot.connector.answer(status)
        assert await bot.host.messenger.send(bot.address(), CARD, "News") == "posted-4"
        first, second, third = bot.clock.slept
        assert 0.5 <= first <= 1.0 <= second <= 2.0 <= third <= 4.0
        assert len({first, second / 2, third / 4}) == 3


async def test_after_four_attempts_it_is_undelivered() -> None:
    async with open_bot() as bot:
        for _ in range(9):
            bot.connector.answer(502)
        with pytest.raises(Undelivered) as caught:
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert (caught.value.status, len(bot.connector.calls)) == (502, 4)


@pytest.mark.parametrize("status", [400, 401, 413, 500, 503])
async def test_any_other_error_is_undelivered_without_a_retry(status: int) -> None:
    async with open_bot() as bot:
        bot.connector.answer(status)
        with pytest.raises(Undelivered) as caught:
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert (caught.value.status, len(bot.connector.calls), bot.clock.slept) == (status, 1, [])


@pytest.mark.parametrize("said", ["7", "7.0", "Sat, 01 Mar 2025 12:00:07 GMT", "Sat, 01 Mar 2025 12:00:07 -0000"])
async def test_a_retry_after_is_respected_by_the_channels_clock_however_wrong_ours_is(said: str) -> None:
    async with open_bot() as bot:
        bot.connector.answer(429, Retry_After=said, Date="Sat, 01 Mar 2025 12:00:00 GMT")
        await bot.host.messenger.send(bot.address(), CARD, "News")
        assert bot.clock.slept == [7.0]


@pytest.mark.parametrize("said", ["soon", "-3", "nan", "inf", "99 Bogus 2026"])
async def test_an_unreadable_retry_after_is_ignored(said: str) -> None:
    async with open_bot() as bot:
        bot.connector.answer(429, Retry_After=said)
        await bot.host.messenger.send(bot.address(), CARD, "News")
        assert len(bot.clock.slept) == 1
        assert bot.clock.slept[0] <= 1.0


async def test_a_retry_after_beyond_the_maximum_wait_is_undelivered_without_a_retry() -> None:
    async with open_bot() as bot:
        bot.connector.answer(429, Retry_After="3600")
        with pytest.raises(Undelivered):
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert bot.clock.slept == []


async def test_a_service_not_allowed_gets_neither_message_nor_token() -> None:
    async with open_bot(allowed_service_hosts=("smba.trafficmanager.net",)) as bot:
        with pytest.raises(Undelivered):
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert (bot.connector.calls, bot.entra.requests) == ([], [])


async def test_a_refused_connection_is_tried_four_times() -> None:
    async with open_bot() as bot:
        gone = bot.address(service_url="http://127.0.0.1:9")
        with pytest.raises(Undelivered):
            await bot.host.messenger.send(gone, CARD, "News")
        assert len(bot.clock.slept) == 3


async def test_no_conversation_receives_messages_faster_than_teams_allows() -> None:
    async with open_bot() as bot:
        started = bot.clock()
        times = []
        for _ in range(70):
            await bot.host.messenger.send(bot.address(), CARD, "News")
            times.append((bot.clock() - started).total_seconds())
        assert len(bot.connector.calls) == 70
        assert_within_limits(times)
        before = len(bot.clock.slept)
        await bot.host.messenger.send(bot.address(conversation_id="another"), CARD, "News")
        assert len(bot.clock.slept) == before


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    async with open_bot() as bot:
        bot.connector.answer(307, Location=f"{bot.connector.url}/v3/conversations/elsewhere/activities")
        with pytest.raises(Undelivered) as caught:
            await bot.host.messenger.send(bot.address(), CARD, "News")
        assert (caught.value.status, len(bot.connector.calls)) == (307, 1)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[1]", b"{}", b"3", b"{", b"\xff", b'{"id": null}'])
async def test_a_success_with_a_strange_body_is_a_success_without_an_id(body: bytes) -> None:
    async with open_bot() as bot:
        bot.connector.body = body
        assert await bot.host.messenger.send(bot.address(), CARD, "News") == ""
        await bot.host.messenger.update(bot.address(), "posted-1", CARD, "News")


@pytest.mark.parametrize("body", [b'{"id": {"x": 1}}', b'{"id": [1]}', b'{"id": 5}'])
async def test_an_id_of_the_wrong_type_breaks_nothing(body: bytes) -> None:
    async with open_bot() as bot:
        bot.connector.body = body
        assert isinstance(await bot.host.messenger.send(bot.address(), CARD, "News"), str)
