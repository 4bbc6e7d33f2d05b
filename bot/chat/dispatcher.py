"""Runs the handler of a typed command or a pressed button: the end of the chain."""

from collections.abc import Sequence

from bot.activity import Action, Message, Undelivered, Unreachable
from bot.cards import help as help_cards
from bot.cards import welcome as cards
from bot.cards.help import HelpLine
from bot.chat.authority import acting
from bot.chat.context import Command, TurnContext
from bot.chat.idempotency import ACTS
from bot.chat.router import Router


class Dispatcher:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def dispatch(self, context: TurnContext) -> None:
        match context.turn.incoming.event:
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
        if remark:
            offered = [self._router.named(key) for key in help_cards.REMARKS[remark][1]]
            lines = self._lines(context, offered)
            return await context.show(help_cards.remark_card(context.texts, remark, lines))
        nearest = self._lines(context, self._router.nearest(text))
        return await context.show(help_cards.unknown(context.texts, nearest))

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
            return await context.show(cards.stale(context.texts))
        needed = context.needed(verb)
        if verb in ACTS and not await context.claim_press(verb):
            return await self._router[ACTS[verb]](context)
        try:
            with acting(context, needed):
                return await handler(context)
        except (Unreachable, Undelivered):
            raise
        except Exception:
            if verb in ACTS:
                await context.release_press(verb)
            raise
