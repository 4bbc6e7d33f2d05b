"""The interface to the bot SDK: runs turns and sends proactive messages. Only ``sdk`` implements it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bot.activity import Address, Card
from bot.hosting.activity_parser import ParsedActivity


@dataclass(frozen=True, slots=True)
class ConnectorResponse:
    """The HTTP response to an invoke or to an activity with expected replies."""

    status: int
    body: dict[str, Any] | None


class ConversationChannel(Protocol):
    """Sends to one conversation during a turn. Raises ``Unreachable`` and ``Undelivered``."""

    async def send(self, card: Card, summary: str) -> str:
        """Returns the posted activity's id, empty when the channel gave none."""
        ...

    async def update(self, card: Card, summary: str, activity_id: str) -> None: ...

    async def answer(self, status: int, body: dict[str, Any]) -> None:
        """Answer the current invoke."""
        ...

    async def principal_name(self, address: Address) -> str:
        """The user principal name of ``address.user_id``; empty when the roster has none.

        Raises ``RosterUnavailable``.
        """
        ...


Logic = Callable[[ConversationChannel], Awaitable[None]]


class Framework(Protocol):
    """Runs ``logic`` in a turn, and raises what ``logic`` raises."""

    async def run(self, parsed: ParsedActivity, logic: Logic) -> ConnectorResponse | None:
        """Run a turn for a received, checked activity."""
        ...

    async def run_proactive(self, address: Address, logic: Logic) -> None:
        """Run a turn started by the bot, in a known conversation."""
        ...
