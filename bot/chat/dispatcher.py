"""Runs the handler of a typed command or a pressed button: the end of the chain."""

from collections.abc import Sequence

from bot.activity import Action, Message, Undelivered, Unreachable
from bot.cards import help as help_cards
from bot.cards import welcome as cards
from bot.cards.help import HelpLine
from bot.chat.authority import acting
from bot.chat.context import Command, CommandHandler, TurnContext
from bot.chat.idempotency import ACTS
from bot.chat.router import Router
from storage.queries.chat import drafts

LEAVE = "leave"
"""The remark that asks to end what is under way."""


class Dispatcher:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def dispatch(self, context: TurnContext) -> None:
        match context.event:
            case Message(text) as message:
                await self._typed(context, text, self._router.command_of(message))
            case Action(verb, data):
                context.data = data
                await self._pressed(context, verb)
            case _:
                pass

    async def _typed(self, context: TurnContext, text: str, command: Command | None) -> None:
        if command:
            with acting(context, command.least):
                return await command.open(context)
        remark = self._router.remark(text)
        if remark == LEAVE and await self._is_setting_up(context):
            return await self._typed(context, text, self._router.named("setup"))
        if remark:
            offered = [self._router.named(key) for key in help_cards.REMARKS[remark][1]]
            lines = self._lines(context, offered)
            return await context.show(help_cards.remark_card(context.texts, remark, lines))
        nearest = self._lines(context, self._router.nearest(text))
        return await context.show(help_cards.unknown(context.texts, nearest))

    async def _is_setting_up(self, context: TurnContext) -> bool:
        async with context.services.database.session() as session:
            draft = await drafts.load(session, context.tenant, context.person)
        return draft is not None and context.role.covers(self._router.named("setup").least)

    def _lines(self, context: TurnContext, found: Sequence[Command]) -> list[HelpLine]:
        """The commands that the user may use, in their language."""
        language = context.texts.language
        return [
            HelpLine(one.key, one.titles[language], one.descriptions[language])
            for one in found
            if context.role.covers(one.least)
        ]

    async def _pressed(self, context: TurnContext, verb: str) -> None:
        """Run an act for the first press only; later presses show the current state instead."""
        handler = self._router.handler(verb)
        if handler is None:
            await context.show(cards.stale(context.texts))
        elif verb not in ACTS:
            with acting(context, context.needed(verb)):
                await handler(context)
        elif await context.claim_press(verb):
            await self._act(context, verb, handler)
        else:
            await self._router[ACTS[verb]](context)

    async def _act(self, context: TurnContext, verb: str, handler: CommandHandler) -> None:
        """Until the act has ended, or was released, its press counts as unfinished."""
        needed = context.needed(verb)
        try:
            with acting(context, needed):
                await handler(context)
        except (Unreachable, Undelivered):
            await context.finish_press(verb)
            raise
        except Exception:
            await context.release_press(verb)
            raise
        await context.finish_press(verb)
