"""``Framework`` and ``ConversationChannel`` on botbuilder."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
from botbuilder.core import TurnContext
from botbuilder.schema import Activity, ActivityTypes, DeliveryModes

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.auth.bot_token import TokenSource
from bot.hosting.config import HostingConfig
from bot.hosting.connector_http import ConnectorHttp
from bot.hosting.delivery import Delivery
from bot.hosting.framework import ConnectorResponse, Framework, Logic
from bot.hosting.roster import principal_name
from bot.hosting.sdk.activities import SentAnswer, card_message, conversation_reference, incoming_activity
from bot.hosting.sdk.adapter import TeamsAdapter, translate_parse_errors
from bot.hosting.sdk.connector import Authentication, Connectors


class Botbuilder:
    """Implements ``Framework``."""

    def __init__(self, adapter: TeamsAdapter, delivery: Delivery, app_id: str) -> None:
        self._adapter = adapter
        self._delivery = delivery
        self._app_id = app_id

    async def run(self, parsed: ParsedActivity, logic: Logic) -> ConnectorResponse | None:
        answer = await self._adapter.run(incoming_activity(parsed), partial(self._run_logic, logic))
        return ConnectorResponse(int(answer.status), answer.body) if answer else None

    async def run_proactive(self, address: Address, logic: Logic) -> None:
        await self._adapter.continue_conversation(
            conversation_reference(address), partial(self._run_logic, logic), self._app_id
        )

    async def _run_logic(self, logic: Logic, context: TurnContext) -> None:
        await logic(TurnContextChannel(context, self._delivery))


class TurnContextChannel:
    """Implements ``ConversationChannel`` on botbuilder's turn context."""

    def __init__(self, context: TurnContext, delivery: Delivery) -> None:
        self._context = context
        self._delivery = delivery

    async def send(self, card: Card, summary: str) -> str:
        posted = await self._context.send_activity(card_message(card, summary))
        return (posted.id if posted else None) or ""

    async def update(self, card: Card, summary: str, activity_id: str) -> None:
        await self._context.update_activity(card_message(card, summary, activity_id))

    async def answer(self, status: int, body: dict[str, Any]) -> None:
        inline = self._context.activity.delivery_mode == DeliveryModes.expect_replies
        value = {"status": status, "body": body} if inline else SentAnswer(status=status, body=body)
        await self._context.send_activity(Activity(type=ActivityTypes.invoke_response, value=value))

    async def principal_name(self, address: Address) -> str:
        conversations = self._context.turn_state[TeamsAdapter.BOT_CONNECTOR_CLIENT_KEY].conversations
        get_member = partial(
            conversations.get_conversation_member, address.conversation_id, address.user_id, raw=True
        )
        get_members = partial(conversations.get_conversation_members, address.conversation_id, raw=True)
        return await principal_name(
            self._delivery, partial(_json, get_member), partial(_json, get_members), address
        )


async def _json(call: Callable[[], Awaitable[Any]]) -> Any:
    """The response's raw JSON: botbuilder's model of a member has no principal name."""
    return (await translate_parse_errors(call)).response.json()


def botbuilder(
    config: HostingConfig, http: aiohttp.ClientSession, tokens: TokenSource, delivery: Delivery
) -> Framework:
    connectors = Connectors(config, ConnectorHttp(http, tokens))
    return Botbuilder(TeamsAdapter(Authentication(config, connectors), delivery), delivery, config.app_id)
