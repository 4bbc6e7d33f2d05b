"""What the conversation knows of a chat: who says what, and how to answer. No Bot Framework type passes here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import CloudLinkPresenceError

Card = dict[str, Any]
"""An Adaptive Card as JSON, version 1.5."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks. ``channel_id`` is the channel's own name for them (``29:...``); ``object_id`` is Entra's."""

    channel_id: str
    object_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation is, complete enough to speak there first, later."""

    service_url: str
    conversation_id: str
    tenant_id: str
    user_id: str
    bot_id: str
    channel_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """A line of text, without the mention of the bot and without surrounding blanks."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pressed button: its verb, and the card's inputs as strings (a toggle is ``"true"`` or ``"false"``).

    ``data`` may hold secrets: it is kept out of ``repr`` and must never be logged.
    """

    verb: str
    data: Mapping[str, str]
    card_id: str

    def __repr__(self) -> str:
        return f"Action(verb={self.verb!r}, card_id={self.card_id!r})"


@dataclass(frozen=True, slots=True)
class Installed:
    """The bot was added to this conversation."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The bot was removed from this conversation: nothing can be said here any more."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing that arrived, checked.

    ``locale`` (``pt-PT``) and ``time_zone`` (``Europe/Lisbon``) are the client's, empty when it did not say.
    """

    what: Message | Action | Installed | Removed
    sender: Sender
    address: Address
    tenant_id: str
    locale: str
    personal: bool
    time_zone: str = ""


class Turn(Protocol):
    """One incoming activity and the ways to answer it."""

    @property
    def incoming(self) -> Incoming: ...

    async def send(self, card: Card, summary: str) -> str:
        """Post a new card; ``summary`` is what a notification shows. Returns the posted activity's id."""
        ...

    async def replace(self, card: Card, summary: str) -> None:
        """Put ``card`` where the pressed card stands: in the invoke's answer and in the stored message.

        May be called several times in a turn (progress first, outcome last). Answering a message, it posts.
        """
        ...

    async def principal_name(self) -> str:
        """The sender's user principal name as the channel's roster has it; empty when it has none.

        Raises ``RosterUnavailable`` when the channel does not answer.
        """
        ...


class Messenger(Protocol):
    """Speaks first, in a conversation seen before. Raises ``Unreachable`` when blocked or uninstalled."""

    async def send(self, address: Address, card: Card, summary: str) -> str: ...

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None: ...


class Unreachable(CloudLinkPresenceError):
    """The conversation takes no more messages from the bot (403): never to be retried."""


class Undelivered(CloudLinkPresenceError):
    """The channel did not take a message, after retries; it may later. ``status`` is HTTP's, 0 for no answer.

    ``perhaps`` tells that the answer was lost on the way: the message may have arrived.
    """

    def __init__(self, status: int, *, perhaps: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.perhaps = perhaps


class RosterUnavailable(CloudLinkPresenceError):
    """The channel did not tell who somebody is: nothing is known of them, neither that they may nor that not."""


Handler = Callable[[Turn], Awaitable[None]]
