"""The chain every turn passes on its way to a command: what concerns them all is done here, once."""

import asyncio
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from prometheus_client import CollectorRegistry
from sqlmodel.ext.asyncio.session import AsyncSession

from bot import channels
from bot.access import AccessRules
from bot.admission import role_of, whom_to_ask
from bot.cards import integrations as things
from bot.cards import welcome as cards
from bot.commands import COMMANDS
from bot.complaints import Link, Links
from bot.exchange import Answer, Desk, Exchange
from bot.exports import Exports
from bot.languages import Language, language_of, load_texts
from bot.ports import CredentialsPort, IntegrationsPort, UpdatesPort
from bot.presses import ACTS
from bot.previews import Previews
from bot.recorded import Recorded
from bot.router import Router
from bot.turns import Action, Installed, Message, Removed, RosterUnavailable, Turn, Undelivered, Unreachable
from bot.watch import Outcome, TurnWatch
from storage import conversations
from storage.database import Database
from storage.roles import Role
from storage.sealing import Seal
from storage.tables import Conversation as KnownConversation
from sync.clock import Clock
from sync.errors import SyncError
from sync.metrics import Metrics
from sync.model import UnknownIntegration

log = structlog.get_logger()

Proceed = Callable[[], Awaitable[None]]
Step = Callable[[Exchange, Proceed], Awaitable[None]]


class Conversation:
    """Answers turns; a ``bot.turns.Handler``. Commands know nothing of the steps before them."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        integrations: IntegrationsPort,
        access: AccessRules,
        clock: Clock,
        links: Links | None = None,
        exports: Exports | None = None,
        new_reference: Callable[[], str] = lambda: secrets.token_hex(4),
        *,
        updates: UpdatesPort,
        credentials: CredentialsPort,
        metrics: Metrics | None = None,
    ) -> None:
        languages = load_texts()
        exports = exports or Exports(database, seal, clock, languages, access)
        self._desk = Desk(
            database,
            seal,
            integrations,
            access,
            clock,
            languages,
            links or Links(),
            Previews(clock),
            exports,
            updates,
            credentials,
            COMMANDS,
        )
        self._router = Router(COMMANDS)
        self._watch = TurnWatch(metrics or Metrics(CollectorRegistry()))
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
        exchange = Exchange(turn, self._desk, self._desk.languages[language])
        exchange.desk = self._desk_of(exchange)
        with self._watch.turn(turn.incoming.what) as watched:
            exchange.watched = watched
            await self._proceed(exchange, 0)

    def _desk_of(self, exchange: Exchange) -> Desk:
        """The desk for one who speaks: what is done at it is recorded as done by them."""
        desk = self._desk
        recorded = Recorded(desk.integrations, desk.database, desk.clock, exchange.tenant, exchange.actor)
        return replace(desk, integrations=recorded)

    async def _proceed(self, exchange: Exchange, place: int) -> None:
        if place == len(self._chain):
            await self._match(exchange)
        else:
            await self._chain[place](exchange, lambda: self._proceed(exchange, place + 1))

    async def _apologise(self, exchange: Exchange, proceed: Proceed) -> None:
        """What nobody foresaw becomes an apology; the log gets where, but no message that might tell a secret."""
        try:
            await proceed()
        except (Unreachable, Undelivered):
            raise
        except Exception as error:
            reference = self._new_reference()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            log.error("turn_failed", reference=reference, error=type(error).__name__, place=place)
            exchange.watched.outcome = Outcome.FAILED
            await exchange.show(cards.apology(exchange.texts, reference))

    async def _only_personal(self, exchange: Exchange, proceed: Proceed) -> None:
        """Groups and channels are asked to meet in a personal chat, and shown nothing else.

        The only exception: an administrator's wish that a channel be warned too, or no longer.
        """
        incoming = exchange.turn.incoming
        wish = None if incoming.personal else channels.wish(incoming)
        if incoming.personal:
            await proceed()
        elif wish is not None and (await self._recognise(exchange)).covers(Role.ADMINISTRATOR):
            await channels.obey(exchange, wish)
        elif not isinstance(incoming.what, Removed):
            bot = incoming.address.bot_id
            link = Link(exchange.texts("personal.open"), self._desk.links.personal_chat(bot)) if bot else None
            await exchange.show(cards.meet_in_personal(exchange.texts, link))

    async def _remember(self, exchange: Exchange, proceed: Proceed) -> None:
        """Where to speak first, later, and the language that was chosen here."""
        incoming = exchange.turn.incoming
        async with self._desk.database.writing() as session:
            if isinstance(incoming.what, Removed):
                await conversations.mark_unreachable(session, exchange.tenant, exchange.person)
                return
            known = await _remember(exchange, session)
        if known.language in list(Language):
            exchange.texts = self._desk.languages[Language(known.language)]
        exchange.welcomed, exchange.admin_as = known.welcomed, known.admin_as
        await proceed()

    async def _admit(self, exchange: Exchange, proceed: Proceed) -> None:
        """Who has no role is told whom to ask, unless they say what everybody may."""
        await self._recognise(exchange)
        if exchange.role is not Role.EVERYONE:
            await proceed()
        elif self._needed(exchange) is Role.EVERYONE:
            await self._match(exchange)
        elif not exchange.recognised:
            exchange.watched.outcome = Outcome.FAILED
            what = exchange.turn.incoming.what
            again = "" if isinstance(what, Action) else self._verb(what)
            await exchange.send(cards.not_recognised(exchange.texts, again))
        else:
            log.info("sender_refused", tenant=exchange.tenant, person=exchange.person)
            exchange.watched.outcome = Outcome.REFUSED
            await exchange.show(cards.refused(exchange.texts, await whom_to_ask(exchange)))

    async def _recognise(self, exchange: Exchange) -> Role:
        """Finds out the speaker's role: everyone's, for now, if the channel does not tell who they are."""
        try:
            exchange.role = await role_of(exchange)
        except RosterUnavailable:
            exchange.recognised = False
        return exchange.role

    async def _permit(self, exchange: Exchange, proceed: Proceed) -> None:
        """Each command takes a role, for its words and for its buttons alike."""
        needed = self._needed(exchange)
        if needed is None or exchange.role.covers(needed):
            return await proceed()
        exchange.watched.outcome = Outcome.REFUSED
        log.info("command_refused", tenant=exchange.tenant, person=exchange.person, role=exchange.role.value)
        asked = await whom_to_ask(exchange)
        return await exchange.show(cards.not_for_role(exchange.texts, exchange.role, needed, asked))

    def _needed(self, exchange: Exchange) -> Role | None:
        """The least role for what was said or pressed; None for what means nothing here."""
        what = exchange.turn.incoming.what
        if isinstance(what, Action):
            return exchange.needed(what.verb)
        command = self._router.command(what.text) if isinstance(what, Message) else None
        return command.least if command else None

    async def _one_at_a_time(self, exchange: Exchange, proceed: Proceed) -> None:
        """A second press waits for the first, and then finds its work done."""
        async with self._queues.turn_of((exchange.tenant, exchange.person)):
            await proceed()

    async def _welcome(self, exchange: Exchange, proceed: Proceed) -> None:
        """The first words, or being added, bring the welcome; a command said first is then carried out too."""
        what = exchange.turn.incoming.what
        if isinstance(what, Installed) or not exchange.welcomed:
            await exchange.send(cards.welcome(exchange.texts))
            async with self._desk.database.writing() as session:
                await conversations.mark_welcomed(session, exchange.tenant, exchange.person)
            command = self._router.command(what.text) if isinstance(what, Message) else None
            if not isinstance(what, Action) and (command is None or command.key == "help"):
                return
        await proceed()

    async def _explain(self, exchange: Exchange, proceed: Proceed) -> None:
        """What the outside answered, or an integration that is gone, said in words."""
        try:
            await proceed()
        except UnknownIntegration:
            await exchange.show(cards.stale(exchange.texts))
        except SyncError as error:
            verb = self._verb(exchange.turn.incoming.what)
            await exchange.show(things.failed(exchange.texts, exchange.complaint(error), verb, _harmless(exchange)))

    def _verb(self, what: object) -> str:
        """What to press to try the same again; empty when there is no such thing."""
        if isinstance(what, Action):
            return what.verb
        command = self._router.command(what.text) if isinstance(what, Message) else None
        return f"command.{command.key}" if command else ""

    async def _match(self, exchange: Exchange) -> None:
        match exchange.turn.incoming.what:
            case Message(text):
                await self._hear(exchange, text)
            case Action(verb, data):
                exchange.data = data
                answer = self._router.answer(verb)
                await (self._act(exchange, verb, answer) if answer else exchange.show(cards.stale(exchange.texts)))
            case _:
                pass

    async def _act(self, exchange: Exchange, verb: str, answer: Answer) -> None:
        """What would be done twice is done for the first press alone; any other is shown how things stand."""
        if verb not in ACTS:
            return await answer(exchange)
        if not await exchange.is_pressed_first(verb):
            return await self._router[ACTS[verb]](exchange)
        try:
            return await answer(exchange)
        except (Unreachable, Undelivered):
            raise
        except Exception:
            await exchange.take_back_press(verb)
            raise

    async def _hear(self, exchange: Exchange, text: str) -> None:
        command = self._router.command(text)
        if command:
            return await command.open(exchange)
        language = exchange.texts.language
        nearest = [(found.key, found.titles[language]) for found in self._router.nearest(text)]
        return await exchange.show(cards.unknown(exchange.texts, nearest))


async def _remember(exchange: Exchange, session: AsyncSession) -> KnownConversation:
    incoming = exchange.turn.incoming
    address = incoming.address
    return await conversations.remember(
        session,
        tenant_id=exchange.tenant,
        user_object_id=exchange.person,
        service_url=address.service_url,
        conversation_id=address.conversation_id,
        user_id=address.user_id,
        bot_id=address.bot_id,
        channel_id=address.channel_id,
        locale=incoming.locale,
        now=exchange.now,
        name=incoming.sender.name,
        time_zone=incoming.time_zone,
    )


def _harmless(exchange: Exchange) -> dict[str, str]:
    """Of a pressed button's data, what may be put on a card again."""
    return {key: exchange.data[key] for key in ("integration", "page") if key in exchange.data}


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
