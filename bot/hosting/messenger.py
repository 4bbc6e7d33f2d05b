"""Speaks first, in a conversation seen before."""

from bot.activity import Address, Card
from bot.hosting.framework import ConversationChannel, Framework


class ProactiveMessenger:
    """Implements ``bot.activity.Messenger`` by turns of the bot's own."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    async def send(self, address: Address, card: Card, summary: str) -> str:
        """Returns the posted activity's id. Raises ``Unreachable`` and ``Undelivered``."""
        posted: list[str] = []

        async def say(talk: ConversationChannel) -> None:
            posted.append(await talk.send(card, summary))

        await self._framework.speak(address, say)
        return posted[0]

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None:
        """Raises ``Unreachable`` and ``Undelivered``."""

        async def change(talk: ConversationChannel) -> None:
            await talk.update(card, summary, activity_id)

        await self._framework.speak(address, change)
