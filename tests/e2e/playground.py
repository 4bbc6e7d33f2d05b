"""Drives Microsoft's own Teams-like client, the Microsoft 365 Agents Playground, without its window."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from sandbox.demo import playground_service, running_services
from tests.e2e.cards import Json, button, titles, words
from tests.support.tools import require

ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0


@dataclass(slots=True)
class Message:
    """A message of the bot in its current state; an update changes it in place. ``changed`` counts updates."""

    id: str
    changed: int
    text: str = ""
    card: Json = field(default_factory=dict)

    @property
    def words(self) -> str:
        return f"{self.text}\n{words(self.card)}"


class Playground:
    """The personal chat between the configured administrator and the bot.

    ``messages`` are the bot's, oldest first; ``seen`` is every frame and answer that ever reached the client.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession, conversation: str, user: str) -> None:
        self.url = url
        self.messages: dict[str, Message] = {}
        self.seen: list[str] = []
        self._http = http
        self._conversation = conversation
        self._from = {"id": user}
        self._changed = asyncio.Condition()
        self._events = 0
        self._acted = 0

    async def install(self) -> None:
        self._acted = self._events
        await self._post(f"/_debug/conversation/{self._conversation}/installation", {})

    async def say(self, text: str) -> None:
        """Type a line into the chat."""
        self._acted = self._events
        message = {"from": self._from, "text": text, "textFormat": "plain"}
        await self._post(f"/_conversation/v1/conversations/{self._conversation}/messages", message)

    async def press(self, title: str, **typed: str) -> Message:
        """Press the button of that title on the newest answer, after typing into the card's fields (by id).

        The message, showing what the bot answered: as in the real client, the answer replaces the card.
        """
        return await self.press_on(await self._with_button(title), title, **typed)

    async def press_on(self, message: Message, title: str, **typed: str) -> Message:
        """The same, on that very message."""
        pressed = button(message.card, title, typed)
        self._acted = self._events
        action = {"type": "Action.Execute", "verb": pressed.verb, "data": pressed.data}
        invoke = {"name": "adaptiveCard/action", "value": {"action": action, "trigger": "manual"}}
        answer = await self._post("/_conversation/v1/invoke", {**invoke, **self._reply(message)})
        self.seen.append(answer)
        value = json.loads(answer)
        if value.get("type") == ADAPTIVE_CARD:
            await self._show(message.id, "", value["value"])
        return message

    async def submit(self, title: str, **typed: str) -> None:
        """Press a button as a client that knows no Action.Execute: its data comes as a plain submit."""
        message = await self._with_button(title)
        pressed = button(message.card, title, typed)
        self._acted = self._events
        await self._post(
            "/_conversation/v1/submit", {"value": {**pressed.data, "verb": pressed.verb}, **self._reply(message)}
        )

    async def card_with(self, *texts: str, seconds: float = ANSWER_SECONDS) -> Message:
        """The answer to what we last typed or pressed, once it shows all of ``texts``.

        Raises ``AssertionError`` when there is none within ``seconds``.
        """
        return await self._answer(
            f"shows {texts}", lambda shown: all(text in shown.words for text in texts), seconds
        )

    async def message_with(self, *texts: str, seconds: float = ANSWER_SECONDS) -> Message:
        """The newest message with all of ``texts``, proactive or not; waits for it."""
        return await self._message(
            f"shows {texts}", lambda shown: all(text in shown.words for text in texts), seconds, since=0
        )

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Receive the bot's messages until the socket closes."""
        async for frame in socket:
            self.seen.append(frame.data)
            await self._take(json.loads(frame.data))

    async def _take(self, event: Json) -> None:
        if event.get("action") not in ("createMessage", "updateMessage"):
            return
        posted = event["message"]
        attached = [each for each in posted.get("attachments") or () if each["contentType"] == ADAPTIVE_CARD]
        await self._show(posted["messageId"], posted.get("text") or "", attached[0]["content"] if attached else {})

    async def _show(self, message_id: str, text: str, card: Json) -> None:
        async with self._changed:
            self._events += 1
            message = self.messages.setdefault(message_id, Message(message_id, self._events))
            message.changed, message.text, message.card = self._events, text, card
            self._changed.notify_all()

    async def _with_button(self, title: str) -> Message:
        return await self._answer(
            f"has a button {title!r}", lambda shown: title in titles(shown.card), ANSWER_SECONDS
        )

    async def _answer(self, what: str, fits: Callable[[Message], bool], seconds: float) -> Message:
        """The newest fitting message among those that came or changed since we last did something."""
        return await self._message(what, fits, seconds, since=self._acted)

    async def _message(self, what: str, fits: Callable[[Message], bool], seconds: float, since: int) -> Message:
        def newest() -> Message | None:
            answers = (each for each in reversed(self.messages.values()) if each.changed > since)
            return next(filter(fits, answers), None)

        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(newest)
        except TimeoutError:
            shown = "\n---\n".join(message.words for message in self.messages.values())
            raise AssertionError(f"no answer {what}; the chat shows:\n{shown}") from None
        found = newest()
        assert found is not None
        return found

    def _reply(self, message: Message) -> Json:
        return {"conversation": {"id": self._conversation}, "from": self._from, "replyToId": message.id}

    async def _post(self, path: str, body: Json) -> str:
        async with self._http.post(self.url + path, json=body) as response:
            text = await response.text()
            assert response.status == 200, f"{path}: {response.status} {text}"
            return text


@asynccontextmanager
async def running_playground(bot_url: str, logs: Path, locale: str = "en-US") -> AsyncIterator[Playground]:
    """The Playground in front of the bot, on a port of its own. Skips the test when Node or it is missing.

    The Playground always says that its locale is en-US (fixed in its source, 0.2.28); for another ``locale`` a
    relay between the two replaces it.
    """
    require("node")
    require("playground")
    async with (
        _speaking(locale, bot_url) as endpoint,
        running_services([playground_service(0, endpoint)], logs) as (process,),
        aiohttp.ClientSession() as http,
    ):
        url = await process.wait_ready(START_SECONDS)
        async with http.get(f"{url}/_internal/v1/testConfig") as response:
            config = (await response.json())["config"]
        async with http.ws_connect(f"{url}/_ws_conversation/v1/conversations/stream") as socket:
            playground = Playground(url, http, config["personalChat"]["id"], config["currentUser"]["id"])
            listening = asyncio.create_task(playground.listen(socket))
            yield playground
            await socket.close()
            await listening


@asynccontextmanager
async def _speaking(locale: str, bot_url: str) -> AsyncIterator[str]:
    """A relay that passes every activity to the bot with another locale."""

    async def relay(request: web.Request) -> web.Response:
        activity = {**await request.json(), "locale": locale}
        try:
            async with http.post(f"{bot_url}{request.path}", json=activity) as answer:
                return web.Response(
                    status=answer.status, body=await answer.read(), content_type=answer.content_type
                )
        except aiohttp.ClientError:
            return web.Response(status=502)

    application = web.Application(client_max_size=1024 * 1024)
    application.router.add_post("/api/messages", relay)
    runner = web.AppRunner(application, access_log=None)
    async with aiohttp.ClientSession() as http:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
