"""botbuilder 4.17.1's faults, each tested as fixed over the wire, under its number in the list of faults."""

import asyncio
import gzip
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.activity import Turn
from bot.hosting import AppType, HostingConfig, InsecureHosting
from core import limited_log
from core.rates import Rate
from tests.support.bot.hosting import CARD, OTHER_CARD, TENANT, open_bot
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("framework")


async def _replace(turn: Turn) -> None:
    await turn.replace(CARD, "card")


async def _send(turn: Turn) -> None:
    await turn.send(CARD, "card")


async def test_1_an_execute_is_answered_with_the_card_itself() -> None:
    async with open_bot(_replace) as bot:
        assert await bot.post(bot.execute()) == (
            200,
            {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": CARD},
        )


async def test_1_an_execute_that_replaces_nothing_is_answered_with_an_empty_message() -> None:
    async with open_bot() as bot:
        assert await bot.post(bot.execute()) == (
            200,
            {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": ""},
        )


async def test_2_expected_replies_come_in_the_answer_and_not_over_the_connector() -> None:
    async with open_bot(_send) as bot:
        status, body = await bot.post(bot.activity(deliveryMode="expectReplies"))
        assert status == 200
        assert [activity["attachments"][0]["content"] for activity in body["activities"]] == [CARD]
        assert bot.connector.calls == []


async def test_2_an_execute_with_expected_replies_has_its_answer_among_them() -> None:
    async with open_bot(_replace) as bot:
        status, body = await bot.post(bot.execute(deliveryMode="expectReplies"))
        (reply,) = body["activities"]
        assert (status, reply["type"], reply["value"]["status"]) == (200, "invokeResponse", 200)
        assert reply["value"]["body"]["value"] == CARD


async def test_3_five_turns_and_a_proactive_message_ask_for_one_token() -> None:
    async with open_bot(_send) as bot:
        for _ in range(5):
            assert (await bot.post(bot.activity()))[0] == 200
        await bot.host.messenger.send(bot.address(), OTHER_CARD, "later")
        assert len(bot.entra.requests) == 1
        assert {call.headers["Authorization"] for call in bot.connector.calls} == {"Bearer bot-token-1"}
        assert len(bot.connector.calls) == 6


async def test_3_turns_at_the_same_moment_share_the_token_being_fetched() -> None:
    async with open_bot(_send) as bot:
        bot.entra.delay = 0.05
        answers = await asyncio.gather(*(bot.post(bot.activity()) for _ in range(4)))
        assert [status for status, _ in answers] == [200] * 4
        assert len(bot.entra.requests) == 1


async def test_3_a_token_is_fetched_again_before_it_expires() -> None:
    async with open_bot(_send) as bot:
        bot.entra.lifetime = 200
        await bot.post(bot.activity())
        bot.clock.advance(seconds=90)
        await bot.post(bot.activity())
        assert len(bot.entra.requests) == 1
        bot.clock.advance(seconds=20)
        await bot.post(bot.activity())
        assert [call.headers["Authorization"] for call in bot.connector.calls] == [
            "Bearer bot-token-1",
            "Bearer bot-token-1",
            "Bearer bot-token-2",
        ]


async def test_4_a_slow_token_endpoint_does_not_stall_the_loop() -> None:
    """Entra here runs on the loop under test: a blocking call would never get a response."""
    async with open_bot(_send) as bot:
        bot.entra.delay = 0.2
        waiting = asyncio.create_task(bot.post(bot.activity()))

        async def is_asked() -> bool:
            return bool(bot.entra.requests)

        await eventually(is_asked)
        assert (await bot.post(bot.activity(), token=None))[0] == 401
        assert (await waiting)[0] == 200
        assert len(bot.connector.calls) == 1


async def test_5_a_rolled_over_key_is_fetched_and_the_turn_goes_through() -> None:
    async with open_bot() as bot:
        assert (await bot.post(bot.activity()))[0] == 200
        bot.clock.advance(minutes=2)
        bot.issuer.roll_over("key-2")
        assert (await bot.post(bot.activity()))[0] == 200
        assert bot.issuer.fetches == 2


async def test_5_forged_key_ids_do_not_flood_the_issuer() -> None:
    async with open_bot() as bot:
        good = bot.token()
        bot.issuer.add_key("forged")
        forged = bot.token()
        del bot.issuer.keys["forged"]
        for _ in range(10):
            assert (await bot.post(bot.activity(), token=forged))[0] == 401
        assert bot.issuer.fetches == 1
        assert (await bot.post(bot.activity(), token=good))[0] == 200
        bot.clock.advance(minutes=2)
        await bot.post(bot.activity(), token=forged)
        assert bot.issuer.fetches == 2


async def test_5_while_the_issuer_is_down_cached_keys_stay_valid_and_one_line_is_logged() -> None:
    async with open_bot() as bot:
        assert (await bot.post(bot.activity()))[0] == 200
        bot.issuer.down = True
        with capture_logs() as logs:
            for _ in range(3):
                bot.clock.advance(hours=25)
                assert (await bot.post(bot.activity()))[0] == 200
            bot.issuer.down = False
            bot.clock.advance(minutes=2)
            assert (await bot.post(bot.activity()))[0] == 200
        events = [entry["event"] for entry in logs]
        assert events == ["signing_keys_unreachable", "signing_keys_reachable_again"]


async def _status(url: str, method: str, data: bytes, headers: dict[str, str], http: Any) -> int:
    async with http.request(method, url, data=data, headers=headers) as answer:
        assert await answer.read() == b""
        return int(answer.status)


@pytest.mark.parametrize(
    ("method", "content_type", "data", "expected"),
    [
        ("GET", "application/json", b"", 405),
        ("PUT", "application/json", b"{}", 405),
        ("POST", "application/json", b"{", 400),
        ("POST", "application/json", b"", 400),
        ("POST", "application/json", b"[]", 400),
        ("POST", "application/json", b'"text"', 400),
        ("POST", "application/json", b"{}", 400),
        ("POST", "application/json", b'{"type": "\xff"}', 400),
        ("POST", "application/json", b"[" * 100_000, 400),
        ("POST", "text/plain", b"{}", 415),
        ("POST", "application/json5", b"{}", 415),
        ("POST", "", b"{}", 415),
        ("POST", "application/json", b" " * 300_000, 413),
    ],
)
async def test_6_bad_requests_get_a_4xx_and_one_log_line(
    method: str, content_type: str, data: bytes, expected: int
) -> None:
    async with open_bot() as bot:
        headers = {"Authorization": f"Bearer {bot.token()}", "Content-Type": content_type}
        with capture_logs() as logs:
            assert await _status(bot.url, method, data, headers, bot.http) == expected
        assert [entry["event"] for entry in logs] == ["activity_refused"]
        assert bot.turns == []


async def test_6_a_flood_of_refused_requests_is_a_few_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited_log, "LINES", Rate(3, 0))
    async with open_bot() as bot:
        with capture_logs() as logs:
            for _ in range(5):
                assert await _status(bot.url, "POST", b"{}", {}, bot.http) == 401
        assert [entry["event"] for entry in logs] == ["activity_refused"] * 3


async def test_6_a_body_without_content_type_is_refused() -> None:
    async with open_bot() as bot:
        headers = {"Authorization": f"Bearer {bot.token()}"}
        async with bot.http.post(
            bot.url, data=b"{}", headers=headers, skip_auto_headers=("Content-Type",)
        ) as answer:
            assert answer.status == 415


async def test_6_a_compressed_body_is_refused_unread() -> None:
    async with open_bot() as bot:
        headers = {"Authorization": f"Bearer {bot.token()}", "Content-Type": "application/json"}
        packed = gzip.compress(b" " * 50_000_000)
        async with bot.http.post(bot.url, data=packed, headers=headers | {"Content-Encoding": "gzip"}) as answer:
            assert answer.status == 415


async def test_6_a_body_of_undeclared_length_is_cut_off_too() -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 10_000

    async with open_bot() as bot:
        headers = {"Authorization": f"Bearer {bot.token()}", "Content-Type": "application/json"}
        async with bot.http.post(bot.url, data=endless(), headers=headers) as answer:
            assert answer.status == 413


@pytest.mark.parametrize("header", ["Bearer garbage", "Bearer a.b.c", "Bearer", "Bearer ", "Basic eDp5", ""])
async def test_6_a_garbage_bearer_is_401(header: str) -> None:
    async with open_bot() as bot, bot.http.post(bot.url, json={}, headers={"Authorization": header}) as answer:
        assert (answer.status, await answer.read()) == (401, b"")


async def test_6_no_authorization_at_all_is_401() -> None:
    async with open_bot() as bot:
        assert await bot.post(bot.activity(), token=None) == (401, None)


async def test_7_the_tenant_is_read_from_the_channel_data() -> None:
    async with open_bot() as bot:
        conversation = {"id": "a:1", "conversationType": "personal"}
        await bot.post(bot.activity(conversation=conversation, channelData={"tenant": {"id": TENANT.upper()}}))
        assert [turn.tenant_id for turn in bot.turns] == [TENANT]


@pytest.mark.parametrize(
    "changed",
    [
        {"from": "x"},
        {"from": ["x"]},
        {"from": {"id": 7}},
        {"from": {}},
        {"recipient": 1},
        {"recipient": {"id": None}},
        {"conversation": "a"},
        {"conversation": {"id": {}}},
        {"conversation": {"id": "a", "isGroup": "yes"}},
        {"conversation": {"id": "x" * 2_000}},
        {"conversation": {"id": "a\nb"}},
        {"channelData": "x"},
        {"channelData": {"tenant": "x"}},
        {"channelId": 3},
        {"text": {"a": 1}},
        {"text": 5},
        {"value": "text"},
        {"value": {"verb": 3}},
        {"entities": {}},
        {"entities": ["x"]},
        {"locale": 3},
        {"serviceUrl": None},
        {"type": 3},
        {"type": None},
        {"type": "unheardOf"},
        {"deliveryMode": {}},
        {"replyToId": 1, "value": {"verb": "x"}},
    ],
)
async def test_8_fields_of_the_wrong_type_are_refused_and_change_nothing(changed: dict[str, Any]) -> None:
    async with open_bot() as bot:
        with capture_logs() as logs:
            status, body = await bot.post(bot.activity() | changed)
        assert (status, body) == (400, None)
        assert [entry["event"] for entry in logs] == ["activity_refused"]
        assert bot.turns == []


async def test_9_a_token_without_expiry_is_refused() -> None:
    async with open_bot() as bot:
        assert await bot.post(bot.activity(), token=bot.token(drop=("exp",))) == (401, None)


async def test_9_a_service_url_other_than_the_tokens_is_refused() -> None:
    async with open_bot(_send) as bot:
        assert (await bot.post(bot.activity(serviceUrl="https://evil.example/")))[0] == 401
        assert bot.connector.calls == []


async def test_9_a_service_url_that_is_not_on_the_list_is_refused_even_when_the_token_names_it() -> None:
    async with open_bot(_send, allowed_service_hosts=("smba.trafficmanager.net",)) as bot:
        assert (await bot.post(bot.activity()))[0] == 403
        assert (bot.connector.calls, bot.entra.requests) == ([], [])


async def test_10_an_empty_app_id_is_refused_at_the_start() -> None:
    with pytest.raises(InsecureHosting, match="BOT_APP_ID"):
        HostingConfig(app_id="", app_password="x", tenant_id=TENANT)


async def test_10_the_development_switch_lets_requests_in_without_a_token_and_sends_none() -> None:
    async with open_bot(_send, app_id="", dangerously_allow_unauthenticated=True) as bot:
        assert (await bot.post(bot.activity(), token=None))[0] == 200
        (call,) = bot.connector.calls
        assert "Authorization" not in call.headers
        assert bot.entra.requests == []


@pytest.mark.parametrize("misspelt", ["singletenant", "Single", "", "MultiTenant "])
def test_11_a_misspelt_app_type_is_refused_at_the_start(misspelt: str) -> None:
    with pytest.raises(InsecureHosting, match="SingleTenant, UserAssignedMSI, MultiTenant"):
        HostingConfig(app_id="a", app_password="b", tenant_id=TENANT, app_type=misspelt)  # type: ignore[arg-type]


def test_11_single_tenant_is_the_default() -> None:
    assert HostingConfig(app_id="a", app_password="b", tenant_id=TENANT).app_type is AppType.SINGLE_TENANT


async def test_11_a_single_tenant_bot_asks_its_own_tenant_for_the_token() -> None:
    async with open_bot(_send) as bot:
        await bot.post(bot.activity())
        (request,) = bot.entra.requests
        assert request["path"] == f"/{TENANT}/oauth2/v2.0/token"
        assert request["scope"] == "https://api.botframework.com/.default"


async def test_11_a_managed_identity_gives_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_bot(_send, app_type=AppType.USER_ASSIGNED_MSI, app_password="") as bot:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{bot.entra.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        await bot.post(bot.activity())
        (call,) = bot.connector.calls
        assert call.headers["Authorization"] == "Bearer msi-token"
        assert bot.entra.requests[0]["resource"] == "https://api.botframework.com"
