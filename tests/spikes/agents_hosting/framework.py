"""``Framework`` and ``ConversationChannel`` on the Agents SDK."""

from functools import partial
from typing import Any

import aiohttp
from microsoft_agents.activity import Activity, ActivityTypes, ResourceResponse
from microsoft_agents.hosting.core import ChannelServiceAdapter, ClaimsIdentity, TurnContext

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.auth.bot_token import TokenSource
from bot.hosting.config import HostingConfig
from bot.hosting.connector_http import ConnectorHttp
from bot.hosting.delivery import Delivery
from bot.hosting.framework import ConnectorResponse, Framework, Logic
from bot.hosting.roster import principal_name
from tests.spikes.agents_hosting.activities import card_message, continuation, incoming_activity, invoke_response
from tests.spikes.agents_hosting.connector import Connector, Connectors


class Adapter(ChannelServiceAdapter):
    """Sends through ``Delivery``. The SDK's ``CloudAdapter`` is not used, for the reasons botbuilder's is not."""

    def __init__(self, connectors: Connectors, delivery: Delivery) -> None:
        super().__init__(connectors)  # type: ignore[arg-type]
        self._delivery = delivery

    def _resolve_if_connector_client_is_needed(self, activity: Activity) -> bool:
        """Always: with expected replies the SDK makes none, and then no stored message can be updated."""
        return True

    async def send_activities(  # type: ignore[override]  # as the SDK's own adapter overrides its protocol
        self, context: TurnContext, activities: list[Activity]
    ) -> list[ResourceResponse]:
        responses: list[ResourceResponse] = []
        for activity in activities:
            send = partial(super().send_activities, context, [activity])
            if activity.type == ActivityTypes.invoke_response:
                responses += await send()
            else:
                responses += await self._delivery.deliver(activity.conversation.id, send)
        return responses

    async def update_activity(  # type: ignore[override]
        self, context: TurnContext, activity: Activity
    ) -> Any:
        update = partial(super().update_activity, context, activity)
        return await self._delivery.deliver(activity.conversation.id, update)


class AgentsSdk:
    """Implements ``Framework``."""

    def __init__(self, adapter: Adapter, delivery: Delivery, app_id: str) -> None:
        self._adapter = adapter
        self._delivery = delivery
        self._identity = ClaimsIdentity({"aud": app_id, "appid": app_id})

    async def run(self, parsed: ParsedActivity, logic: Logic) -> ConnectorResponse | None:
        answer: Any = await self._adapter.process_activity(
            self._identity, incoming_activity(parsed), partial(self._run_logic, logic)
        )
        return ConnectorResponse(int(answer.status), answer.body) if answer else None

    async def run_proactive(self, address: Address, logic: Logic) -> None:
        await self._adapter.continue_conversation_with_claims(
            self._identity, continuation(address), partial(self._run_logic, logic)
        )

    async def _run_logic(self, logic: Logic, context: TurnContext) -> None:
        await logic(TurnContextChannel(context, self._delivery))


class TurnContextChannel:
    """Implements ``ConversationChannel`` on the SDK's turn context."""

    def __init__(self, context: TurnContext, delivery: Delivery) -> None:
        self._context = context
        self._delivery = delivery

    async def send(self, card: Card, summary: str) -> str:
        return (await self._context.send_activity(card_message(card, summary))).id or ""

    async def update(self, card: Card, summary: str, activity_id: str) -> None:
        await self._context.update_activity(card_message(card, summary, activity_id))

    async def answer(self, status: int, body: dict[str, Any]) -> None:
        await self._context.send_activity(invoke_response(status, body))

    async def principal_name(self, address: Address) -> str:
        connector: Any = self._context.turn_state["ConnectorClient"]
        assert isinstance(connector, Connector)
        members = partial(connector.conversations.members, address.conversation_id)
        return await principal_name(self._delivery, partial(members, address.user_id), members, address)


def agents_sdk(
    config: HostingConfig, http: aiohttp.ClientSession, tokens: TokenSource, delivery: Delivery
) -> Framework:
    return AgentsSdk(Adapter(Connectors(config, ConnectorHttp(http, tokens)), delivery), delivery, config.app_id)
