"""One incoming activity and how to answer it."""

from typing import Any

from bot.activity import Action, Card, Event, Incoming, Undelivered
from bot.hosting.activity_parser import ParsedActivity
from bot.hosting.framework import ConversationChannel

CARD_TYPE = "application/vnd.microsoft.card.adaptive"

_CANNOT_UPDATE = frozenset({404, 405, 501})


class ActivityTurn:
    """Implements ``bot.activity.Turn``.

    The stored message is left alone when a card refreshes itself: its update would make the client ask again.
    """

    def __init__(self, channel: ConversationChannel, parsed: ParsedActivity, event: Event) -> None:
        self._channel = channel
        self._parsed = parsed
        self._incoming = parsed.incoming(event)
        self._shown_id = event.card_id if isinstance(event, Action) and not event.automatic else ""
        self._answer: Card | None = None
        self._principal_name: str | None = None

    @property
    def incoming(self) -> Incoming:
        return self._incoming

    async def send(self, card: Card, summary: str) -> str:
        return await self._channel.send(card, summary)

    async def replace(self, card: Card, summary: str) -> None:
        self._answer = card
        if self._shown_id and await self._update(card, summary):
            return
        if not self._parsed.invoked:
            self._shown_id = await self.send(card, summary)

    async def _update(self, card: Card, summary: str) -> bool:
        """Whether the stored message now shows ``card``. An invoke's response shows it in any case."""
        try:
            await self._channel.update(card, summary, self._shown_id)
        except Undelivered as failure:
            if not self._parsed.invoked and failure.status not in _CANNOT_UPDATE:
                raise
            return False
        return True

    async def principal_name(self) -> str:
        if self._principal_name is None:
            self._principal_name = await self._channel.principal_name(self._incoming.address)
        return self._principal_name

    async def answer_invoke(self, body: dict[str, Any] | None = None) -> None:
        """Answer the invoke with ``body`` or with the card shown last; does nothing for other activities."""
        if self._parsed.invoked:
            await self._channel.answer(200, body or _invoke_answer(self._answer))


def _invoke_answer(card: Card | None) -> dict[str, Any]:
    """The card, or an empty message (Teams: Universal Actions for Adaptive Cards, "Response format")."""
    if card is None:
        return {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": ""}
    return {"statusCode": 200, "type": CARD_TYPE, "value": card}
