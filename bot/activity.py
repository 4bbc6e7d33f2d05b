"""The interface between the bot and its channel: events, turns and messages. It uses no Bot Framework type."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.errors import CloudLinkPresenceError

Card = dict[str, Any]
"""An Adaptive Card as JSON, version 1.5."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The user who sent an activity. ``channel_id`` is the channel's id (``29:...``); ``object_id`` is Entra's."""

    channel_id: str
    object_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a conversation, complete enough for proactive messages."""

    service_url: str
    conversation_id: str
    tenant_id: str
    user_id: str
    bot_id: str
    channel_id: str


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file sent with a message. Who has the ``url`` may read it, for some minutes: it is never logged."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A typed text, without the mention of the bot and without surrounding blanks, and a file sent with it."""

    text: str
    file: AttachedFile | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A pressed button: its verb, and the card's inputs as strings (a toggle is ``"true"`` or ``"false"``).

    ``data`` may hold secrets: it is kept out of ``repr`` and must never be logged. ``automatic``: the client asked
    for the card again because it was opened; nobody pressed anything.
    """

    verb: str
    data: Mapping[str, str]
    card_id: str
    automatic: bool = False

    def __repr__(self) -> str:
        return f"Action(verb={self.verb!r}, card_id={self.card_id!r})"


@dataclass(frozen=True, slots=True)
class Installed:
    """The bot was added to this conversation."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The bot was removed from this conversation and can send nothing to it any more."""


Event = Message | Action | Installed | Removed


@dataclass(frozen=True, slots=True)
class Incoming:
    """One incoming event, checked.

    ``locale`` (``pt-PT``) and ``time_zone`` (``Europe/Lisbon``) are the client's; empty if not sent.
    """

    event: Event
    sender: Sender
    address: Address
    tenant_id: str
    locale: str
    personal: bool
    time_zone: str = ""


class Turn(Protocol):
    """One incoming activity and how to answer it."""

    @property
    def incoming(self) -> Incoming: ...

    async def send(self, card: Card, summary: str) -> str:
        """Post a new card; ``summary`` is what a notification shows. Returns the posted activity's id."""
        ...

    async def replace(self, card: Card, summary: str) -> None:
        """Replace the pressed card with ``card``: in the invoke's response and in the stored message.

        May be called several times in a turn (progress first, outcome last). After a typed message it posts.
        """
        ...

    async def principal_name(self) -> str:
        """The sender's user principal name as the channel's roster has it; empty when it has none.

        Raises ``RosterUnavailable`` when the channel does not answer.
        """
        ...


class Messenger(Protocol):
    """Sends proactive messages to known conversations. Raises ``Unreachable`` when blocked, uninstalled or gone."""

    async def send(self, address: Address, card: Card, summary: str) -> str: ...

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None: ...


class Unreachable(CloudLinkPresenceError):
    """The conversation accepts no messages from the bot (403), or does not exist (404); never retry."""


class Undelivered(CloudLinkPresenceError):
    """The channel did not accept a message, after retries; it may later. ``status`` is HTTP's, 0 for no response.

    ``perhaps`` means that the response was lost: the message may have arrived.
    """

    def __init__(self, status: int, *, perhaps: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.perhaps = perhaps


class RosterUnavailable(CloudLinkPresenceError):
    """The channel's roster is unavailable: the user's role is unknown."""


Handler = Callable[[Turn], Awaitable[None]]
