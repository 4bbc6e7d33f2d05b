"""The chain every turn passes on its way to a command: what concerns them all is done here, once."""

import asyncio
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Action, Installed, Message, Removed, RosterUnavailable, Turn, Undelivered, Unreachable
from bot.cards import integrations as things
from bot.cards import welcome as cards
from bot.cards.field_errors import Link, Links
from bot.chat.authorization import role_of, whom_to_ask
from bot.chat.context import CommandHandler, Services, TurnContext
from bot.chat.history_export import HistoryExport
from bot.chat.idempotency import ACTS
from bot.chat.preview_cache import PreviewCache
from bot.chat.router import Router
from bot.chat.turn_metrics import Outcome, TurnMetrics
from bot.commands import COMMANDS, channel_alerts
from bot.languages import Language, language_of, load_texts
from bot.roles.admins_setting import AdminsSetting
from core.clock import Clock
from core.logging import describe_error
from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries import conversations
from storage.queries.roles import Role
from storage.tables.conversations import Conversation as KnownConversation
from sync.audit import AuditLog
from sync.domain.errors import SyncError
from sync.domain.model import UnknownIntegration
from sync.operations import Operations

log = structlog.get_logger()

Proceed = Callable[[], Awaitable[None]]
Step = Callable[[TurnContext, Proceed], Awaitable[None]]


class Pipeline:
    """Answers turns; a ``bot.activity.Handler``. Commands know nothing of the steps before them."""

    def __init__(
        self,
        database: Database,
        encryption: Encryption,
        operations: Operations,
        access: AdminsSetting,
        clock: Clock,
        links: Links | None = None,
        exports: HistoryExport | None = None,
        new_reference: Callable[[], str] = lambda: secrets.token_hex(4),
        *,
        metrics: Metrics | None = None,
    ) -> None:
        languages = load_texts()
        exports = exports or HistoryExport(database, encryption, clock, languages, access)
        self._services = Services(
            database,
            encryption,
            operations,
            access,
            clock,
            languages,
            links or Links(),
            PreviewCache(clock),
            exports,
            AuditLog(database, clock),
            COMMANDS,
        )
        self._router = Router(COMMANDS)
        self._watch = TurnMetrics(metrics or Metrics(CollectorRegistry()))
        self._new_reference = new_reference
        self._queues = Queues()
        self._chain: tuple[Step, ...] = (
            self._apologise,
            self._only_personal,
            self._one_at_a_time,
            self._remember,
            self._admit,
            self._permit,
            self._welcome,
            self._explain,
        )

    async def __call__(self, turn: Turn) -> None:
        language = language_of(turn.incoming.locale)
        context = TurnContext(turn, self._services, self._services.languages[language])
        with self._watch.turn(turn.incoming.what) as watched:
            context.watched = watched
            await self._proceed(context, 0)

    async def _proceed(self, context: TurnContext, place: int) -> None:
        if place == len(self._chain):
            await self._match(context)
        else:
            await self._chain[place](context, lambda: self._proceed(context, place + 1))

    async def _apologise(self, context: TurnContext, proceed: Proceed) -> None:
        """What nobody foresaw becomes an apology; the log gets where, but no message that might tell a secret."""
        try:
            await proceed()
        except (Unreachable, Undelivered):
            raise
        except Exception as error:
            reference = self._new_reference()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            log.error("turn_failed", reference=reference, error=describe_error(error), place=place)
            context.watched.outcome = Outcome.FAILED
            await context.show(cards.apology(context.texts, reference))

    async def _only_personal(self, context: TurnContext, proceed: Proceed) -> None:
        """Groups and channels are asked to meet in a personal chat, and shown nothing else.

        The only exception: an administrator's wish that a channel be warned too, or no longer.
        """
        incoming = context.turn.incoming
        wish = None if incoming.personal else channel_alerts.wish(incoming)
        if incoming.personal:
            await proceed()
        elif wish is not None and (await self._recognise(context)).covers(Role.ADMINISTRATOR):
            await channel_alerts.obey(context, wish)
        elif not isinstance(incoming.what, Removed):
            bot = incoming.address.bot_id
            link = Link(context.texts("personal.open"), self._services.links.personal_chat(bot)) if bot else None
            await context.show(cards.meet_in_personal(context.texts, link))

    async def _remember(self, context: TurnContext, proceed: Proceed) -> None:
        """Where to speak first, later, and the language that was chosen here."""
        incoming = context.turn.incoming
        async with self._services.database.writing() as session:
            if isinstance(incoming.what, Removed):
                await conversations.mark_unreachable(session, context.tenant, context.person)
                return
            known = await _remember(context, session)
        if known.language in list(Language):
            context.texts = self._services.languages[Language(known.language)]
        context.welcomed, context.admin_as = known.welcomed, known.admin_as
        await proceed()

    async def _admit(self, context: TurnContext, proceed: Proceed) -> None:
        """Who has no role is told whom to ask, unless they say what everybody may."""
        await self._recognise(context)
        if context.role is not Role.EVERYONE:
            await proceed()
        elif self._needed(context) is Role.EVERYONE:
            await self._match(context)
        elif not context.recognised:
            context.watched.outcome = Outcome.FAILED
            what = context.turn.incoming.what
            again = "" if isinstance(what, Action) else self._verb(what)
            await context.send(cards.not_recognised(context.texts, again))
        else:
            log.info("sender_refused", tenant=context.tenant, person=context.person)
            context.watched.outcome = Outcome.REFUSED
            await context.show(cards.refused(context.texts, await whom_to_ask(context)))

    async def _recognise(self, context: TurnContext) -> Role:
        """Finds out the speaker's role: everyone's, for now, if the channel does not tell who they are."""
        try:
            context.role = await role_of(context)
        except RosterUnavailable:
            context.recognised = False
        return context.role

    async def _permit(self, context: TurnContext, proceed: Proceed) -> None:
        """Each command takes a role, for its words and for its buttons alike."""
        needed = self._needed(context)
        if needed is None or context.role.covers(needed):
            return await proceed()
        context.watched.outcome = Outcome.REFUSED
        log.info("command_refused", tenant=context.tenant, person=context.person, role=context.role.value)
        asked = await whom_to_ask(context)
        return await context.show(cards.not_for_role(context.texts, context.role, needed, asked))

    def _needed(self, context: TurnContext) -> Role | None:
        """The least role for what was said or pressed; None for what means nothing here."""
        what = context.turn.incoming.what
        if isinstance(what, Action):
            return context.needed(what.verb)
        command = self._router.command(what.text) if isinstance(what, Message) else None
        return command.least if command else None

    async def _one_at_a_time(self, context: TurnContext, proceed: Proceed) -> None:
        """A second press waits for the first, and then finds its work done."""
        async with self._queues.turn_of((context.tenant, context.person)):
            await proceed()

    async def _welcome(self, context: TurnContext, proceed: Proceed) -> None:
        """The first words, or being added, bring the welcome; a command said first is then carried out too."""
        what = context.turn.incoming.what
        if isinstance(what, Installed) or not context.welcomed:
            await context.send(cards.welcome(context.texts))
            async with self._services.database.writing() as session:
                await conversations.mark_welcomed(session, context.tenant, context.person)
            command = self._router.command(what.text) if isinstance(what, Message) else None
            if not isinstance(what, Action) and (command is None or command.key == "help"):
                return
        await proceed()

    async def _explain(self, context: TurnContext, proceed: Proceed) -> None:
        """What the outside answered, or an integration that is gone, said in words."""
        try:
            await proceed()
        except UnknownIntegration:
            await context.show(cards.stale(context.texts))
        except SyncError as error:
            verb = self._verb(context.turn.incoming.what)
            await context.show(things.failed(context.texts, context.form_error(error), verb, _harmless(context)))

    def _verb(self, what: object) -> str:
        """What to press to try the same again; empty when there is no such thing."""
        if isinstance(what, Action):
            return what.verb
        command = self._router.command(what.text) if isinstance(what, Message) else None
        return f"command.{command.key}" if command else ""

    async def _match(self, context: TurnContext) -> None:
        match context.turn.incoming.what:
            case Message(text):
                await self._hear(context, text)
            case Action(verb, data):
                context.data = data
                answer = self._router.answer(verb)
                await (self._act(context, verb, answer) if answer else context.show(cards.stale(context.texts)))
            case _:
                pass

    async def _act(self, context: TurnContext, verb: str, answer: CommandHandler) -> None:
        """What would be done twice is done for the first press alone; any other is shown how things stand."""
        if verb not in ACTS:
            return await answer(context)
        if not await context.is_pressed_first(verb):
            return await self._router[ACTS[verb]](context)
        try:
            return await answer(context)
        except (Unreachable, Undelivered):
            raise
        except Exception:
            await context.take_back_press(verb)
            raise

    async def _hear(self, context: TurnContext, text: str) -> None:
        command = self._router.command(text)
        if command:
            return await command.open(context)
        language = context.texts.language
        nearest = [(found.key, found.titles[language]) for found in self._router.nearest(text)]
        return await context.show(cards.unknown(context.texts, nearest))


async def _remember(context: TurnContext, session: AsyncSession) -> KnownConversation:
    incoming = context.turn.incoming
    address = incoming.address
    return await conversations.upsert(
        session,
        tenant_id=context.tenant,
        user_object_id=context.person,
        service_url=address.service_url,
        conversation_id=address.conversation_id,
        user_id=address.user_id,
        bot_id=address.bot_id,
        channel_id=address.channel_id,
        locale=incoming.locale,
        now=context.now,
        name=incoming.sender.name,
        time_zone=incoming.time_zone,
    )


def _harmless(context: TurnContext) -> dict[str, str]:
    """Of a pressed button's data, what may be put on a card again."""
    return {key: context.data[key] for key in ("integration", "page") if key in context.data}


class Queues:
    """One queue a person, kept only while somebody stands in it."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn_of(self, person: tuple[str, str]) -> AsyncIterator[None]:
        lock, waiting = self._locks.get(person, (asyncio.Lock(), 0))
        self._locks[person] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks.pop(person)
            if waiting > 1:
                self._locks[person] = (lock, waiting - 1)
