"""What a bot's SDK does for this package: run turns, and speak first. botbuilder's part ends behind these seams."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity


@dataclass(frozen=True, slots=True)
class ConnectorResponse:
    """What an invoke, or an activity with expected replies, is answered with over HTTP."""

    status: int
    body: dict[str, Any] | None


class ConversationChannel(Protocol):
    """A conversation with the bot's turn to speak. Raises ``Unreachable`` and ``Undelivered``."""

    async def send(self, card: Card, summary: str) -> str:
        """Returns the posted activity's id, empty when the channel gave none."""
        ...

    async def update(self, card: Card, summary: str, activity_id: str) -> None: ...

    async def answer(self, status: int, body: dict[str, Any]) -> None:
        """Answers the invoke under way."""
        ...

    async def principal_name(self, address: Address) -> str:
        """The user principal name of ``address.user_id``; empty when the roster has none.

        Raises ``RosterUnavailable``.
        """
        ...


Logic = Callable[[ConversationChannel], Awaitable[None]]


class Framework(Protocol):
    """Runs ``logic`` in a turn, and raises what it raises."""

    async def run(self, arrival: ParsedActivity, logic: Logic) -> ConnectorResponse | None:
        """A turn about what arrived and was checked."""
        ...

    async def speak(self, address: Address, logic: Logic) -> None:
        """A turn of the bot's own, in a conversation seen before."""
        ...
