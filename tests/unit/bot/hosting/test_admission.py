"""Which requests are admitted, with really signed tokens; without a token only those of this machine."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.bot.hosting import TENANT, Bot, open_bot

ELSEWHERE = "bbbbbbbb-0000-0000-0000-00000000000b"


async def _refused(bot: Bot, activity: dict[str, Any]) -> tuple[int, str]:
    with capture_logs() as logs:
        status, body = await bot.post(activity)
    assert (body, bot.turns, bot.connector.calls) == (None, [], [])
    return status, logs[-1]["reason"]


@pytest.mark.parametrize("channel", ["webchat", "directline", "emulator", "MSTEAMS"])
async def test_only_teams_is_admitted_even_if_the_key_is_endorsed_for_another_channel(channel: str) -> None:
    async with open_bot() as bot:
        bot.issuer.add_key("wide", ["msteams", channel])
        assert await _refused(bot, bot.activity(channelId=channel)) == (403, "channel_not_allowed")


async def test_a_tenant_that_is_not_allowed_is_refused_wherever_it_is_named() -> None:
    async with open_bot() as bot:
        person = {"id": "a:1", "conversationType": "personal"}
        for changed in (
            {"channelData": {"tenant": {"id": ELSEWHERE}}, "conversation": person},
            {"channelData": None, "conversation": {**person, "tenantId": ELSEWHERE}},
            {"channelData": None, "conversation": person},
        ):
            assert await _refused(bot, bot.activity(**changed)) == (403, "tenant_not_allowed")


async def test_two_tenants_in_one_activity_are_refused() -> None:
    async with open_bot(allowed_tenants=(TENANT, ELSEWHERE)) as bot:
        conversation = {"id": "a:1", "conversationType": "personal", "tenantId": ELSEWHERE}
        assert await _refused(bot, bot.activity(conversation=conversation)) == (403, "tenant_contradictory")


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "a\0b"},
        {"from": {"id": "29:alex", "name": "a\0b"}},
        {"text": None, "value": {"verb": "x", "name": "a\0b"}},
        {"text": None, "value": {"verb": "x", "a\0b": "y"}},
    ],
)
async def test_the_null_character_is_refused(changed: dict[str, Any]) -> None:
    async with open_bot() as bot:
        assert (await _refused(bot, bot.activity(**changed)))[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "bot.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:3978"},
        {"Host": "[oops"},
    ],
)
async def test_without_authentication_only_this_machine_is_admitted(headers: dict[str, str]) -> None:
    """Not from a web page whose host name resolves to this machine."""
    async with open_bot(app_id="", dangerously_allow_unauthenticated=True) as bot:
        async with bot.http.post(bot.url, json=bot.activity(), headers=headers) as answer:
            assert answer.status in (400, 403)
        assert bot.turns == []
        assert (await bot.post(bot.activity(), token=None))[0] == 200


@pytest.mark.parametrize(
    "header",
    [
        "Via",
        "Forwarded",
        "Forwarded-For",
        "X-Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "X-ProxyUser-Ip",
        "X-Original-URL",
        "X-Original-Forwarded-For",
        "X-Rewrite-URL",
        "CF-Connecting-IP",
        "CF-Ray",
        "CF-Visitor",
        "CDN-Loop",
        "True-Client-IP",
        "Client-IP",
        "Fastly-Client-IP",
        "X-Envoy-External-Address",
        "X-Amzn-Trace-Id",
        "X-Amz-Cf-Id",
        "X-Azure-ClientIP",
        "X-Azure-FDID",
        "X-ARR-LOG-ID",
        "X-SSL-Client-Verify",
        "Tailscale-User-Login",
        "Ngrok-Trace-Id",
        "x-real-ip",
    ],
)
async def test_without_authentication_nothing_a_proxy_passed_on_is_admitted(header: str) -> None:
    async with open_bot(app_id="", dangerously_allow_unauthenticated=True) as bot:
        async with bot.http.post(bot.url, json=bot.activity(), headers={header: ""}) as answer:
            assert answer.status == 403
        assert bot.turns == []


async def test_with_authentication_a_proxy_may_pass_on() -> None:
    async with open_bot() as bot:
        headers = {"Via": "1.1 proxy", "X-Forwarded-For": "203.0.113.9", "Authorization": f"Bearer {bot.token()}"}
        async with bot.http.post(bot.url, json=bot.activity(), headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_another_method_is_refused_before_the_token_is_verified(method: str) -> None:
    async with open_bot() as bot:
        async with bot.http.request(method, bot.url, headers={"Authorization": f"Bearer {bot.token()}"}) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert bot.issuer.fetches == 0
