"""One thing said and its answer, with all that an answer may need: what a command is given."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Card, Turn
from bot.cards.field_errors import FormError, Links, form_error
from bot.cards.parts import capped, summary, told, verbs, without_buttons
from bot.chat.history_export import HistoryExport
from bot.chat.idempotency import LONGEST, STAMP, stamped
from bot.chat.preview_cache import PreviewCache
from bot.chat.turn_metrics import MeasuredTurn
from bot.languages import Language, Texts
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from storage.database import Database
from storage.encryption import Encryption
from storage.queries import presses
from storage.queries.roles import Role
from storage.tables.conversations import Press
from sync.audit import Act, AuditLog, Subject
from sync.domain.errors import SyncError
from sync.domain.model import Actor, IntegrationView, UnknownIntegration
from sync.operations import Operations


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what is typed for it and said of it in each language, and what it does.

    ``titles`` and ``descriptions`` by language (``en``, ``pt``); ``aliases`` are understood too. ``actions`` are
    the verbs of its cards' buttons, all beginning with ``key``. Teams' menu takes ten commands: those that are
    not ``listed`` are in help alone. ``least`` is the role it takes, for its words and for all its verbs. With
    ``takes_words`` something of one's own may follow what is typed.
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
        """Whether a button's verb is this command's."""
        return verb in self.actions or verb == f"command.{self.key}"


@dataclass(frozen=True, slots=True)
class Services:
    """What all commands work with."""

    database: Database
    encryption: Encryption
    operations: Operations
    access: AdminsSetting
    clock: Clock
    languages: Mapping[Language, Texts]
    links: Links
    previews: PreviewCache
    exports: HistoryExport
    audit: AuditLog
    commands: Sequence[Command]
    new_stamp: Callable[[], str] = lambda: secrets.token_hex(8)


@dataclass(slots=True)
class TurnContext:
    """A turn on its way through the chain. ``data`` are the pressed button's inputs, empty for typed words.

    ``told`` is said on every card that is shown. Whoever is not ``recognised`` may have any role.
    """

    turn: Turn
    services: Services
    texts: Texts
    data: Mapping[str, str] = field(default_factory=dict, repr=False)
    welcomed: bool = False
    admin_as: str = ""
    role: Role = Role.EVERYONE
    recognised: bool = True
    told: tuple[str, ...] = ()
    watched: MeasuredTurn = field(default_factory=MeasuredTurn)

    @property
    def tenant(self) -> str:
        return self.turn.incoming.tenant_id

    @property
    def person(self) -> str:
        """Who speaks, as the store knows them: Entra's object id, or the channel's own where there is none."""
        sender = self.turn.incoming.sender
        return sender.object_id or sender.channel_id

    @property
    def actor(self) -> Actor:
        """Who speaks, as history names them."""
        return Actor(self.person, self.turn.incoming.sender.name)

    @property
    def operations(self) -> Operations:
        return self.services.operations

    @property
    def now(self) -> datetime:
        return self.services.clock()

    async def show(self, card: Card) -> None:
        """The answer: in the place of the pressed card, or below the typed words."""
        await self.turn.replace(self._finished(card), summary(card))

    async def send(self, card: Card) -> str:
        """A card of its own, whatever was pressed. Returns the posted activity's id."""
        return await self.turn.send(self._finished(card), summary(card))

    def _finished(self, card: Card) -> Card:
        card = told(card, *self.told) if self.told else card
        return stamped(self._without_what_they_may_not(card), self.services.new_stamp())

    def _without_what_they_may_not(self, card: Card) -> Card:
        """Without the buttons of commands that take another role than the speaker's, if that is known."""
        if not self.recognised:
            return card
        return without_buttons(card, {verb for verb in verbs(card) if not self.may(verb)})

    def may(self, verb: str) -> bool:
        """Whether the speaker may press it."""
        needed = self.needed(verb)
        return needed is not None and self.role.covers(needed)

    def needed(self, verb: str) -> Role | None:
        """The least role a button takes; None, which nobody has, for what belongs to no command."""
        return next((command.least for command in self.services.commands if command.has(verb)), None)

    def form_error(self, error: SyncError, tenant_id: str = "", client_id: str = "") -> FormError:
        return form_error(error, self.texts, self.services.links, tenant_id, client_id)

    async def record(
        self, session: AsyncSession, view: IntegrationView | None, act: Act, **facts: str | int
    ) -> None:
        """Record that the sender did this (to ``view``), in the transaction of ``session``."""
        subject = Subject(self.tenant, view.id, view.name) if view else Subject(self.tenant)
        await self.services.audit.record(session, act, self.actor, subject, facts)

    async def is_pressed_first(self, verb: str) -> bool:
        """Whether nobody pressed this button of this card before; whoever did is told of on what is shown."""
        press = self._press(verb)
        if press is None:
            return True
        async with self.services.database.writing() as session:
            first = await presses.claim(session, press)
        if first is None:
            return True
        ago = self.texts.relative(first.at, max(self.now, first.at + timedelta(seconds=1)))
        self.told = (self.texts("pressed.by", who=capped(first.pressed_by), ago=ago), self.texts("pressed.once"))
        return False

    async def take_back_press(self, verb: str) -> None:
        """Nothing was done: the button may be pressed again."""
        press = self._press(verb)
        if press is not None:
            async with self.services.database.writing() as session:
                await presses.release(session, press)

    def _press(self, verb: str) -> Press | None:
        stamp, by = self.data.get(STAMP, "")[:LONGEST], self.actor.name or self.actor.id
        return (
            Press(owner_tenant=self.tenant, stamp=stamp, verb=verb, pressed_by=by, at=self.now) if stamp else None
        )

    async def integration(self) -> IntegrationView:
        """The one that ``data`` names. Raises ``UnknownIntegration`` for a foreign, gone or missing id."""
        wanted = self.data.get("integration", "")
        for view in await self.operations.integrations.list(self.tenant):
            if view.id == wanted:
                return view
        raise UnknownIntegration


CommandHandler = Callable[[TurnContext], Awaitable[None]]
