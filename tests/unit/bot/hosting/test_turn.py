"""Turns over the wire: what the handler receives, and what the connector receives."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.activity import Action, Installed, Message, Removed, RosterUnavailable, Turn, Undelivered, Unreachable
from bot.hosting.auth.bot_token import token_source
from tests.support.bot.hosting import CARD, OTHER_CARD, TENANT, open_bot
from tests.support.clocks import FakeClock

pytestmark = pytest.mark.usefixtures("framework")

SECRET = "8Q~a-secret-nobody-may-see"


async def _replace_twice(turn: Turn) -> None:
    await turn.replace(CARD, "working")
    await turn.replace(OTHER_CARD, "done")


async def test_a_card_is_posted_as_a_reply_with_its_summary() -> None:
    posted: list[str] = []

    async def handler(turn: Turn) -> None:
        posted.append(await turn.send(CARD, "A card"))

    async with open_bot(handler) as bot:
        assert await bot.post(bot.activity()) == (200, None)
        (call,) = bot.connector.calls
        assert (call.method, call.path) == ("POST", "/v3/conversations/a%3Achat%3B1/activities/activity-1")
        assert (call.card, call.body["summary"], call.body["type"]) == (CARD, "A card", "message")
        assert call.body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert (call.body["from"]["id"], call.body["recipient"]["id"]) == ("28:bot", "29:alex")
        assert posted == ["posted-1"]


async def test_a_clock_that_is_set_back_delays_no_answer() -> None:
    async def handler(turn: Turn) -> None:
        await turn.send(CARD, "A card")

    async with open_bot(handler) as bot:
        for _ in range(8):
            assert (await bot.post(bot.activity()))[0] == 200
        bot.clock.advance(hours=-1)
        assert await bot.post(bot.activity()) == (200, None)
        assert len(bot.connector.calls) == 9
        assert sum(bot.clock.slept) < 60


async def test_a_card_is_sent_unchanged_as_message_and_as_response() -> None:
    card = {
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [
            {
                "type": "Input.Text",
                "id": "name",
                "isRequired": True,
                "maxLength": 3,
                "value": "2026-01-01T00:00:00Z",
            },
            {"type": "ColumnSet", "columns": [{"width": 1.5, "items": [], "fallback": None}]},
        ],
        "actions": [{"type": "Action.Execute", "verb": "a", "data": {"id": "1", "deep": {"x": [1, "2", False]}}}],
        "msteams": {"width": "Full"},
        "text": "ação “quoted” \U0001f4de </script>",
    }

    async def handler(turn: Turn) -> None:
        await turn.replace(card, "card")

    async with open_bot(handler) as bot:
        _, body = await bot.post(bot.execute())
        assert body["value"] == card
        assert bot.connector.calls[0].card == card


async def test_an_execute_updates_the_stored_message_each_time_and_answers_with_the_last_card() -> None:
    async with open_bot(_replace_twice) as bot:
        _, body = await bot.post(bot.execute("save", {"toggle": "true"}))
        assert body["value"] == OTHER_CARD
        assert [(call.method, call.path.rpartition("/")[2], call.card) for call in bot.connector.calls] == [
            ("PUT", "card-1", CARD),
            ("PUT", "card-1", OTHER_CARD),
        ]
        assert bot.connector.calls[0].body["id"] == "card-1"
        assert [turn.event for turn in bot.turns] == [Action("save", {"toggle": "true"}, "card-1")]


async def test_a_card_that_refreshes_itself_is_answered_and_the_message_is_left_alone() -> None:
    """Its update would make the client ask again, without end."""
    async with open_bot(_replace_twice) as bot:
        action = {"type": "Action.Execute", "verb": "status.show", "data": {}}
        _, body = await bot.post(bot.execute(value={"action": action, "trigger": "automatic"}))
        assert body["value"] == OTHER_CARD
        assert bot.connector.calls == []


async def test_a_submit_updates_the_message_that_holds_the_card() -> None:
    async with open_bot(_replace_twice) as bot:
        submit = bot.activity(text=None, value={"verb": "save"}, replyToId="card-9")
        assert await bot.post(submit) == (200, None)
        assert [(call.method, call.path.rpartition("/")[2]) for call in bot.connector.calls] == [
            ("PUT", "card-9")
        ] * 2


async def test_answering_a_message_replace_posts_and_then_updates_what_it_posted() -> None:
    async with open_bot(_replace_twice) as bot:
        await bot.post(bot.activity())
        assert [(call.method, call.path.rpartition("/")[2]) for call in bot.connector.calls] == [
            ("POST", "activity-1"),
            ("PUT", "posted-1"),
        ]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_channel_that_cannot_update_does_not_fail_the_turn(status: int) -> None:
    async with open_bot(_replace_twice) as bot:
        bot.connector.update_status = status
        _, body = await bot.post(bot.execute())
        assert body["value"] == OTHER_CARD
        assert bot.connector.sent("POST") == []
        submit = bot.activity(text=None, value={"verb": "save"}, replyToId="card-9")
        assert (await bot.post(submit))[0] == 200
        assert [call.card for call in bot.connector.sent("POST")] == [CARD, OTHER_CARD]


async def test_an_install_reaches_the_handler_and_an_unused_activity_does_not() -> None:
    async with open_bot() as bot:
        assert (await bot.post(bot.activity("installationUpdate", action="add")))[0] == 200
        assert (await bot.post(bot.activity("typing")))[0] == 200
        assert [turn.event for turn in bot.turns] == [Installed()]


async def test_an_install_that_failed_is_no_duplicate_of_the_next() -> None:
    handled: list[object] = []

    async def handler(turn: Turn) -> None:
        handled.append(turn.incoming.event)
        if len(handled) == 1:
            raise RuntimeError

    async with open_bot(handler) as bot:
        installed = bot.activity("installationUpdate", action="add")
        assert [(await bot.post(installed))[0] for _ in range(3)] == [500, 200, 200]
        assert handled == [Installed()] * 2


async def test_a_duplicate_install_reaches_the_handler_once() -> None:
    async with open_bot() as bot:
        added = bot.activity("conversationUpdate", membersAdded=[{"id": "28:bot"}])
        installed = bot.activity("installationUpdate", action="add")
        elsewhere = {"id": "a:other", "conversationType": "personal"}
        for activity in (installed, added, added | {"conversation": elsewhere}):
            assert (await bot.post(activity))[0] == 200
        assert len(bot.turns) == 2
        await bot.post(bot.activity("installationUpdate", action="remove"))
        await bot.post(added)
        assert [turn.event for turn in bot.turns[2:]] == [Removed(), Installed()]
        bot.clock.advance(seconds=10)
        await bot.post(installed)
        assert len(bot.turns) == 5


async def test_the_handler_receives_every_field() -> None:
    async with open_bot() as bot:
        await bot.post(bot.activity(text="<at>Bot</at> hi", entities=[_mention()]))
        (incoming,) = bot.turns
        assert (incoming.event, incoming.tenant_id, incoming.locale, incoming.personal) == (
            Message("hi"),
            TENANT,
            "pt-PT",
            True,
        )
        assert incoming.address == bot.address()


def _mention() -> dict[str, Any]:
    return {"type": "mention", "mentioned": {"id": "28:bot"}, "text": "<at>Bot</at>"}


@pytest.mark.parametrize("channel_data", [{"tenant": {"id": "another"}}, None])
async def test_other_tenants_and_a_missing_tenant_are_refused(channel_data: dict[str, Any] | None) -> None:
    async with open_bot() as bot:
        activity = bot.activity(
            channelData=channel_data, conversation={"id": "a:1", "conversationType": "personal"}
        )
        assert await bot.post(activity) == (403, None)
        assert bot.turns == []


async def _fail(turn: Turn) -> None:
    assert isinstance(turn.incoming.event, Message | Action)
    raise RuntimeError(f"cannot work with {turn.incoming.event} {SECRET}")


async def test_a_failing_execute_is_answered_with_an_error_and_the_logs_reference() -> None:
    async with open_bot(_fail) as bot:
        with capture_logs() as logs:
            status, body = await bot.post(bot.execute("save", {"secret": SECRET}))
        (line,) = logs
        assert (status, body["statusCode"], body["type"]) == (200, 500, "application/vnd.microsoft.error")
        assert (line["event"], line["error"]) == ("turn_failed", "RuntimeError")
        assert line["where"].startswith("test_turn.py:")
        assert line["reference"] in body["value"]["message"]
        assert SECRET not in json.dumps([logs, body])


async def test_a_failing_message_is_a_500_without_a_body() -> None:
    async with open_bot(_fail) as bot:
        with capture_logs() as logs:
            assert await bot.post(bot.activity(text=SECRET)) == (500, None)
        assert [line["event"] for line in logs] == ["turn_failed"]
        assert SECRET not in json.dumps(logs)


async def test_a_malformed_execute_and_an_unknown_invoke_are_answered_as_such() -> None:
    async with open_bot() as bot:
        status, body = await bot.post(bot.execute(data={"nested": {"secret": SECRET}}))
        assert (status, body["statusCode"]) == (400, 400)
        assert SECRET not in json.dumps(body)
        assert await bot.post(bot.execute(name="task/fetch")) == (501, None)
        assert bot.turns == []


async def test_a_blocked_conversation_raises_unreachable_in_the_handler() -> None:
    raised: list[type[BaseException]] = []

    async def handler(turn: Turn) -> None:
        try:
            await turn.send(CARD, "card")
        except (Unreachable, Undelivered) as error:
            raised.append(type(error))

    async with open_bot(handler) as bot:
        bot.connector.answer(403)
        bot.connector.answer(400)
        await bot.post(bot.activity())
        await bot.post(bot.activity())
        assert raised == [Unreachable, Undelivered]


async def test_a_refused_bot_token_is_logged_without_the_password() -> None:
    async def handler(turn: Turn) -> None:
        await turn.send(CARD, "card")

    async with open_bot(handler) as bot:
        bot.entra.refuse = True
        with capture_logs() as logs:
            assert (await bot.post(bot.activity()))[0] == 500
        assert [line["event"] for line in logs] == ["bot_token_refused", "message_undelivered", "turn_failed"]
        assert (logs[0]["error"], logs[0]["aadsts"]) == ("invalid_client", 7000215)
        assert "BOT_APP_PASSWORD" in logs[0]["help"]
        assert bot.config.app_password not in json.dumps(logs)
        assert bot.connector.calls == []


async def test_refused_credentials_of_the_bot_are_noticed_and_asked_about_once_a_minute() -> None:
    async def handler(_: Turn) -> None: ...

    async with open_bot(handler) as bot:
        clock = FakeClock()
        tokens = token_source(bot.config, clock)
        bot.entra.refuse = True
        assert [await tokens.is_accepted() for _ in range(3)] == [False] * 3
        assert await tokens.is_reachable()
        assert len(bot.entra.requests) == 1
        bot.entra.refuse = False
        clock.advance(minutes=2)
        assert await tokens.is_accepted()


async def test_that_entra_does_not_answer_the_bot_is_noticed_and_is_no_refusal() -> None:
    async def handler(_: Turn) -> None: ...

    async with open_bot(handler) as bot:
        clock = FakeClock()
        tokens = token_source(bot.config, clock)
        bot.entra.fail = True
        with capture_logs() as logs:
            assert not await tokens.is_reachable()
            assert await tokens.is_accepted()
        assert [(line["event"], line["aadsts"]) for line in logs] == [("bot_token_unreachable", 0)]
        assert "ENTRA_URL" in logs[0]["help"]
        bot.entra.fail = False
        clock.advance(minutes=2)
        assert await tokens.is_reachable()


async def test_a_slow_turn_is_answered_in_time_and_continues() -> None:
    go_on = asyncio.Event()

    async def handler(turn: Turn) -> None:
        await turn.replace(CARD, "working")
        await go_on.wait()
        await turn.replace(OTHER_CARD, "done")

    async with open_bot(handler, answer_seconds=0.3) as bot:
        _, body = await bot.post(bot.execute())
        assert body["value"] == CARD
        go_on.set()
    assert [call.card for call in bot.connector.calls] == [CARD, OTHER_CARD]


async def test_a_slow_turn_that_fails_later_is_logged() -> None:
    async def handler(turn: Turn) -> None:
        await asyncio.sleep(0.2)
        raise RuntimeError

    with capture_logs() as logs:
        async with open_bot(handler, answer_seconds=0.05) as bot:
            assert (await bot.post(bot.activity()))[0] == 200
    assert [line["event"] for line in logs] == ["turn_failed"]


ALEX = {"id": "29:alex", "name": "Alex", "userPrincipalName": "alex@example.com"}
GUEST = {"id": "29:alex", "userRole": "guest", "userPrincipalName": "alex_example.com#EXT#@host.example"}


@pytest.mark.parametrize("serves_one_member", [True, False])
@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([{"id": "29:else", "userPrincipalName": "else@example.com"}, ALEX], "alex@example.com"),
        ([{"id": "29:alex", "name": "Alex"}], ""),
        ([{**ALEX, "tenantId": TENANT.upper(), "userRole": "user"}], "alex@example.com"),
        ([{**ALEX, "tenantId": "another-tenant"}], ""),
        ([{**ALEX, "userRole": "guest"}], ""),
        ([{**ALEX, "userRole": "anonymous"}], ""),
        ([GUEST], GUEST["userPrincipalName"]),
        ([{"id": "29:alex", "userPrincipalName": {"x": 1}}], ""),
        ([], ""),
    ],
)
async def test_the_principal_name_comes_from_the_roster(
    serves_one_member: bool, members: list[dict[str, Any]], name: str
) -> None:
    names: list[str] = []

    async def handler(turn: Turn) -> None:
        names.append(await turn.principal_name())

    async with open_bot(handler) as bot:
        bot.connector.serves_one_member = serves_one_member
        bot.connector.members = members
        assert (await bot.post(bot.activity()))[0] == 200
        assert names == [name]


async def _asking(names: list[str], turn: Turn) -> None:
    try:
        names.append(await turn.principal_name())
    except RosterUnavailable:
        names.append("unavailable")


@pytest.mark.parametrize("serves_one_member", [True, False])
@pytest.mark.parametrize(
    ("status", "body"),
    [*((status, None) for status in (400, 401, 403, 429, 500, 503)), (200, b"{"), (200, b"<html>"), (200, b"\xff")],
)
async def test_an_unavailable_roster_differs_from_a_roster_without_the_name(
    serves_one_member: bool, status: int, body: bytes | None
) -> None:
    names: list[str] = []
    async with open_bot(partial(_asking, names)) as bot:
        bot.connector.serves_one_member = serves_one_member
        bot.connector.members_status, bot.connector.body = status, body
        assert (await bot.post(bot.activity()))[0] == 200
        assert names == ["unavailable"]


async def test_a_channel_without_a_roster_has_no_principal_name() -> None:
    names: list[str] = []
    async with open_bot(partial(_asking, names)) as bot:
        bot.connector.members_status = 404
        assert (await bot.post(bot.activity()))[0] == 200
        assert names == [""]


@pytest.mark.parametrize("body", [b"{}", b"3", b'["x", null, 3]', b'[{"id": {}}]', b'{"error": "x"}'])
async def test_a_malformed_roster_has_no_principal_name(body: bytes) -> None:
    names: list[str] = []
    async with open_bot(partial(_asking, names)) as bot:
        bot.connector.serves_one_member = False
        bot.connector.body = body
        assert (await bot.post(bot.activity()))[0] == 200
        assert names in ([""], ["unavailable"])
