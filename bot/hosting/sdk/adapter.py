"""botbuilder's adapter, sending through ``Delivery``."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from azure.core.exceptions import DeserializationError
from botbuilder.core import InvokeResponse, TurnContext
from botbuilder.integration.aiohttp import CloudAdapter
from botbuilder.schema import Activity, ActivityEventNames, ActivityTypes, ResourceResponse
from msrest.exceptions import ClientException

from bot.hosting.delivery import Delivery, UnreadableResponse
from bot.hosting.sdk.connector import Authentication

T = TypeVar("T")


class TeamsAdapter(CloudAdapter):  # type: ignore[misc]
    """Runs turns (``process_activity``) and proactive turns (``continue_conversation``).

    ``CloudAdapter.process`` is not used: it answers bad input with 500 and serialises bodies twice
    (botbuilder 4.17.1). ``Host.messages`` replaces it.
    """

    def __init__(self, authentication: Authentication, delivery: Delivery) -> None:
        super().__init__(authentication)
        self._authentication = authentication
        self._delivery = delivery

    async def run(
        self, activity: Activity, logic: Callable[[TurnContext], Awaitable[None]]
    ) -> InvokeResponse | None:
        """Run a turn whose caller was verified; return the response, if the activity expects one."""
        return await self.process_activity(self._authentication.verified(), activity, logic)

    async def send_activities(self, context: TurnContext, activities: list[Activity]) -> list[ResourceResponse]:
        responses: list[ResourceResponse] = []
        for activity in activities:
            send = partial(super().send_activities, context, [activity])
            if activity.type == ActivityTypes.invoke_response:
                responses += await send()
                continue
            if context.activity.name == ActivityEventNames.continue_conversation:
                activity.reply_to_id = None
            responses += await self._delivery.deliver(
                activity.conversation.id, partial(translate_parse_errors, send)
            )
        return responses

    async def update_activity(self, context: TurnContext, activity: Activity) -> ResourceResponse | None:
        update = partial(super().update_activity, context, activity)
        return await self._delivery.deliver(activity.conversation.id, partial(translate_parse_errors, update))


async def translate_parse_errors(call: Callable[[], Awaitable[T]]) -> T:
    """Raises ``UnreadableResponse`` when msrest cannot parse a successful response."""
    try:
        return await call()
    except (ClientException, DeserializationError):
        raise UnreadableResponse from None
