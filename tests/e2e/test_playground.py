"""The driver itself, against a minimal bot, so that a failure elsewhere is the product's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.playground import ADAPTIVE_CARD, Playground, running_playground

pytestmark = pytest.mark.e2e


def card(text: str, *actions: dict[str, Any]) -> dict[str, Any]:
    field = {"type": "Input.Text", "id": "name", "label": "Name", "value": "as it was"}
    return {
        "type": "AdaptiveCard",
        "version": "1.5",
        "body": [{"type": "TextBlock", "text": text}, field],
        "actions": list(actions),
    }


SAVE = {"type": "Action.Execute", "title": "Save", "verb": "save", "data": {"draft": "7"}}
BACK = {"type": "Action.Execute", "title": "Back", "verb": "back", "data": {}, "associatedInputs": "none"}


class EchoBot:
    """Answers text with a card, Save by replacing it, Back by updating the stored message as well."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.activities: list[dict[str, Any]] = []
        self._http = http

    async def receive(self, request: web.Request) -> web.Response:
        activity = await request.json()
        self.activities.append(activity)
        if activity["type"] == "invoke":
            return await self._invoked(activity)
        if activity["type"] in ("message", "installationUpdate"):
            await self._post(activity, "", card(f"you said {activity.get('text', 'nothing')}", SAVE, BACK))
        return web.Response(status=202)

    async def _invoked(self, activity: dict[str, Any]) -> web.Response:
        verb = activity["value"]["action"]["verb"]
        if verb == "back":
            await self._post(activity, activity["replyToId"], card("updated"))
        body = {"statusCode": 200, "type": ADAPTIVE_CARD, "value": card(f"{verb} done")}
        return web.json_response(body)

    async def _post(self, activity: dict[str, Any], update: str, shown: dict[str, Any]) -> None:
        url = f"{activity['serviceUrl']}/v3/conversations/{activity['conversation']['id']}/activities"
        body = {
            "type": "message",
            "from": activity["recipient"],
            "attachments": [{"contentType": ADAPTIVE_CARD, "content": shown}],
        }
        method, target = ("PUT", f"{url}/{update}") if update else ("POST", url)
        async with self._http.request(method, target, json=body) as response:
            response.raise_for_status()


@asynccontextmanager
async def echo_chat(tmp_path: Path, locale: str = "en-US") -> AsyncIterator[tuple[EchoBot, Playground]]:
    async with aiohttp.ClientSession() as http:
        bot = EchoBot(http)
        application = web.Application()
        application.router.add_post("/api/messages", bot.receive)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with running_playground(url, tmp_path, locale) as chat:
            yield bot, chat
        await runner.cleanup()


async def test_what_is_typed_and_pressed_reaches_the_bot_alone_and_its_answers_are_seen(tmp_path: Path) -> None:
    async with echo_chat(tmp_path, "pt-PT") as (bot, chat):
        await chat.install()
        await chat.card_with("you said nothing")

        await chat.say("olá")
        greeted = await chat.card_with("you said olá", "Save")
        assert [each["locale"] for each in bot.activities] == ["pt-PT"] * len(bot.activities)

        await chat.press("Save", name="s3cret-typed")
        assert bot.activities[-1]["value"]["action"]["data"] == {"draft": "7", "name": "s3cret-typed"}
        assert "save done" in greeted.words
        assert len(chat.messages) == 2
    assert [path.name for path in files(tmp_path)] == ["chat.log"]
    assert all("s3cret-typed" not in path.read_text() for path in files(tmp_path))


async def test_an_update_of_the_stored_message_changes_it_in_place(tmp_path: Path) -> None:
    async with echo_chat(tmp_path) as (bot, chat):
        await chat.say("hi")
        await chat.card_with("you said hi")
        await chat.press("Back")
        await chat.card_with("back done")
        assert bot.activities[-1]["value"]["action"]["data"] == {}
        assert any("updateMessage" in frame for frame in chat.seen)
        assert len(chat.messages) == 1


async def test_a_plain_submit_carries_the_verb_and_the_fields_and_a_missing_message_fails(tmp_path: Path) -> None:
    async with echo_chat(tmp_path) as (bot, chat):
        await chat.say("hi")
        await chat.card_with("you said hi")
        with pytest.raises(AssertionError, match="you said hi"):
            await chat.card_with("something else", seconds=0.2)
        with pytest.raises(AssertionError, match="no fields"):
            await chat.press("Save", nonsense="x")
        await chat.submit("Save", name="Ann")
        await chat.card_with("you said")
        assert bot.activities[-1]["value"] == {"draft": "7", "name": "Ann", "verb": "save"}


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
