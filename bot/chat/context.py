"""What middlewares and commands receive: the turn, the services, and how to answer."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Action, Card, Event, Message, Turn
from bot.cards.field_errors import FormError, form_error
from bot.cards.parts import capped, summary, verbs, with_banner, without_buttons
from bot.cards.typed_secrets import hidden
from bot.chat.bot_context import BotContext
from bot.chat.exports.links import ExportLinks
from bot.chat.idempotency import MAX_LENGTH, PRESS_ID, with_press_id
from bot.chat.imports.download import Files
from bot.chat.preview_cache import PreviewCache
from bot.chat.turn_metrics import MeasuredTurn
from bot.languages import Texts
from bot.languages.quiet_hours import zone_of
from storage.encryption import Encryption
from storage.queries import history
from storage.queries.chat import presses
from storage.queries.health import alerts
from storage.tables.conversations import Press
from sync.audit import Act
from sync.domain.errors import SyncError
from sync.domain.model import Actor, IntegrationView, UnknownIntegration
from sync.domain.roles import Role
from sync.operations import Operations

MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name and description in each language, and its handlers.

    ``titles`` and ``descriptions`` are by language (``en``, ``pt``); ``aliases`` are accepted too. ``actions`` are
    the handlers of its cards' buttons by verb; all verbs begin with ``key``. Teams' menu takes ten commands: a
    command that is not ``listed`` is in the help only. ``least`` is the role that the command and all its verbs
    require. With ``takes_words`` the user may type an argument after the title.
    """

    key: str
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    open: "CommandHandler"
    least: Role
    aliases: tuple[str, ...] = ()
    listed: bool = True
    takes_words: bool = False
    actions: Mapping[str, "CommandHandler"] = field(default_factory=dict)

    def has(self, verb: str) -> bool:
        """Whether the verb of a button belongs to this command."""
        return verb in self.actions or verb == f"command.{self.key}"


@dataclass(frozen=True, slots=True)
class Services(BotContext):
    """The collaborators of all commands."""

    encryption: Encryption
    operations: Operations
    previews: PreviewCache
    export_links: ExportLinks
    files: Files
    commands: Sequence[Command]
    new_press_id: Callable[[], str] = lambda: secrets.token_hex(8)
    process: str = field(default_factory=lambda: secrets.token_hex(8))
    """Another one after each start."""

    least: Mapping[str, Role] = field(init=False)
    """The least role that each verb requires."""

    def __post_init__(self) -> None:
        least = {verb: one.least for one in self.commands for verb in (f"command.{one.key}", *one.actions)}
        object.__setattr__(self, "least", least)


@dataclass(slots=True)
class TurnContext:
    """A turn on its way through the chain.

    ``data`` are the pressed button's inputs, empty for a typed message. ``banner`` is added to every card shown.
    ``named`` are the integrations that a typed command names, and ``said`` is the command without them;
    ``unknown_name`` is a name beside it that no integration has.
    While the user is not ``recognised`` (the roster is unavailable) their role is unknown.
    """

    turn: Turn
    services: Services
    texts: Texts
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    welcomed: bool = False
    admin_as: str = ""
    client_zone: str = ""
    role: Role = Role.EVERYONE
    owner_by_setting: bool = False
    recognised: bool = True
    banner: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    said: Message | None = None
    unknown_name: str = ""
    measured: MeasuredTurn = field(default_factory=MeasuredTurn)

    @property
    def event(self) -> Event:
        """What happened; of a typed command, without the names of integrations in it."""
        return self.said or self.turn.incoming.event

    @property
    def tenant(self) -> str:
        return self.turn.incoming.tenant_id

    @property
    def person(self) -> str:
        """The user's id in the database: Entra's object id, or the channel's id where there is none."""
        sender = self.turn.incoming.sender
        return sender.object_id or sender.channel_id

    @property
    def actor(self) -> Actor:
        """The user, as history names them, and the button that they press."""
        event, press_id = self.turn.incoming.event, self.data.get(PRESS_ID, "")[:MAX_LENGTH]
        press = f"{press_id}/{event.verb}" if press_id and isinstance(event, Action) else ""
        return Actor(self.person, self.turn.incoming.sender.name, press)

    @property
    def operations(self) -> Operations:
        return self.services.operations

    @property
    def now(self) -> datetime:
        return self.services.clock()

    async def zone(self) -> str:
        """The user's time zone: the one they chose for their alerts, their client's, or their language's."""
        async with self.services.database.session() as session:
            chosen = await alerts.time_zone(session, self.tenant, self.person)
        return zone_of(chosen, self.client_zone, self.texts.language)

    async def show(self, card: Card) -> None:
        """Answer with ``card``: it replaces the pressed card, or follows the typed message."""
        await self.turn.replace(self._finished(card), summary(card))

    async def send(self, card: Card) -> str:
        """Send ``card`` as a new message. Returns the posted activity's id."""
        return await self.turn.send(self._finished(card), summary(card))

    def _finished(self, card: Card) -> Card:
        """Without the buttons of commands that require another role than the user's, if that is known."""
        card = hidden(card, self.turn.incoming.event)
        card = with_banner(card, *self.banner) if self.banner else card
        known = verbs(card)
        if self.recognised:
            card = without_buttons(card, {verb for verb in known if not self.may(verb)})
        return with_press_id(card, self.services.new_press_id(), known)

    def may(self, verb: str) -> bool:
        """Whether the user's role allows this verb."""
        needed = self.needed(verb)
        return needed is not None and self.role.covers(needed)

    def needed(self, verb: str) -> Role | None:
        """The least role a verb requires; None for a verb that belongs to no command, which no role allows."""
        return self.services.least.get(verb)

    def form_error(self, error: SyncError, client_id: str = "") -> FormError:
        return form_error(error, self.texts, self.services.links, client_id)

    def number(self, name: str) -> int:
        """The number of at most nine digits in ``data``; 0 if it is missing or malformed."""
        text = self.data.get(name, "")
        return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else 0

    async def record(
        self, session: AsyncSession, view: IntegrationView | None, act: Act, **facts: str | int
    ) -> None:
        """Record an act (on ``view``) in history, in the transaction of the act itself."""
        await history.record(
            session,
            owner_tenant=self.tenant,
            integration_id=view.id if view else "",
            integration_name=view.name if view else "",
            actor_id=self.actor.id,
            actor_name=self.actor.name,
            act=act,
            result=history.DONE,
            facts=dict(facts),
            now=self.now,
        )

    async def claim_press(self, verb: str) -> bool:
        """Whether this is the first press of the card's button; if not, the banner names who pressed it first."""
        press = self._press(verb)
        if press is None:
            return True
        async with self.services.database.writing() as session:
            first = await presses.claim(session, press)
        if first is None:
            return True
        ago = self.texts.relative(first.at, max(self.now, first.at + timedelta(seconds=1)))
        outcome = "pressed.unfinished" if first.locked_by else "pressed.once"
        self.banner = (self.texts("pressed.by", who=capped(first.pressed_by), ago=ago), self.texts(outcome))
        return False

    async def finish_press(self, verb: str) -> None:
        """The act has ended: the button is not to be pressed again."""
        press = self._press(verb)
        if press is not None:
            async with self.services.database.writing() as session:
                await presses.finish(session, press)

    async def release_press(self, verb: str) -> None:
        """Let the button be pressed again, after a failure that changed nothing."""
        press = self._press(verb)
        if press is not None:
            async with self.services.database.writing() as session:
                await presses.release(session, press)

    def _press(self, verb: str) -> Press | None:
        press_id = self.data.get(PRESS_ID, "")[:MAX_LENGTH]
        if not press_id:
            return None
        return Press(
            owner_tenant=self.tenant,
            stamp=press_id,
            verb=verb,
            pressed_by=self.actor.name or self.actor.id,
            locked_by=self.services.process,
            at=self.now,
        )

    async def integration(self) -> IntegrationView:
        """The integration named in ``data``. Raises ``UnknownIntegration`` for a foreign, removed or missing id."""
        wanted = self.data.get("integration", "")
        for view in await self.operations.integrations.list(self.tenant):
            if view.id == wanted:
                return view
        raise UnknownIntegration


CommandHandler = Callable[[TurnContext], Awaitable[None]]
Proceed = Callable[[], Awaitable[None]]
"""Runs the rest of the chain."""

Middleware = Callable[[TurnContext, Proceed], Awaitable[None]]
