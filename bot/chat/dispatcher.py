"""Runs the handler of a typed command or a pressed button: the end of the chain."""

from bot.activity import Action, Message, Undelivered, Unreachable
from bot.cards import welcome as cards
from bot.chat.authority import acting
from bot.chat.context import TurnContext
from bot.chat.idempotency import ACTS
from bot.chat.router import Router


class Dispatcher:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def dispatch(self, context: TurnContext) -> None:
        match context.turn.incoming.event:
            case Message(text):
                await self._typed(context, text)
            case Action(verb, data):
                context.data = data
                await self._pressed(context, verb)
            case _:
                pass

    async def _typed(self, context: TurnContext, text: str) -> None:
        command = self._router.command(text)
        if command:
            with acting(context, command.least):
                return await command.open(context)
        language = context.texts.language
        nearest = [(found.key, found.titles[language]) for found in self._router.nearest(text)]
        return await context.show(cards.unknown(context.texts, nearest))

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
