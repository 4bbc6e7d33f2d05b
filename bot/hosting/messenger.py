"""Sends proactive messages to known conversations."""

from bot.activity import Address, Card, Undelivered, Unreachable
from bot.hosting.framework import ConversationChannel, Framework


class ProactiveMessenger:
    """Implements ``bot.activity.Messenger`` with turns started by the bot."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    async def send(self, address: Address, card: Card, summary: str) -> str:
        """Returns the posted activity's id. Raises ``Undelivered``, and ``Unreachable`` also if it is gone."""
        posted: list[str] = []

        async def send_card(channel: ConversationChannel) -> None:
            posted.append(await channel.send(card, summary))

        try:
            await self._framework.run_proactive(address, send_card)
        except Undelivered as failure:
            if failure.status == 404:
                raise Unreachable from None
            raise
        return posted[0]

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None:
        """Raises ``Unreachable`` and ``Undelivered``."""

        async def update_card(channel: ConversationChannel) -> None:
            await channel.update(card, summary, activity_id)

        await self._framework.run_proactive(address, update_card)
