"""Speaks first, in a conversation seen before."""

from botbuilder.core import TurnContext

from bot.hosting.activities import reference, with_card
from bot.hosting.adapter import TeamsAdapter
from bot.turns import Address, Card


class ProactiveMessenger:
    """Implements ``bot.turns.Messenger`` by botbuilder's ``continue_conversation``."""

    def __init__(self, adapter: TeamsAdapter, app_id: str) -> None:
        self._adapter = adapter
        self._app_id = app_id

    async def send(self, address: Address, card: Card, summary: str) -> str:
        """Returns the posted activity's id. Raises ``Unreachable`` and ``Undelivered``."""
        posted: list[str] = []

        async def say(context: TurnContext) -> None:
            response = await context.send_activity(with_card(card, summary))
            posted.append((response.id if response else None) or "")

        await self._adapter.continue_conversation(reference(address), say, self._app_id)
        return posted[0]

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None:
        """Raises ``Unreachable`` and ``Undelivered``."""

        async def change(context: TurnContext) -> None:
            await context.update_activity(with_card(card, summary, activity_id))

        await self._adapter.continue_conversation(reference(address), change, self._app_id)
