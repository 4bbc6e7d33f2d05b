"""The chain that every turn passes on its way to a command; the order of its middlewares is set here."""

import secrets
from collections.abc import Callable

from bot.activity import Turn
from bot.chat.authorization import CommandPermission, MembersOnly
from bot.chat.context import Middleware, Services, TurnContext
from bot.chat.conversation import PersonalChatOnly, Welcome, store_conversation
from bot.chat.dispatcher import Dispatcher
from bot.chat.failures import ServiceErrorHandler, UnexpectedErrorHandler
from bot.chat.router import Router
from bot.chat.turn_metrics import TurnMetrics
from bot.chat.turn_queue import TurnQueue
from bot.commands.health import channel_alerts
from bot.commands.naming import IntegrationsNamed
from bot.commands.unrecognised import Unrecognised
from bot.languages import language_of
from core.metrics import Metrics


class Pipeline:
    """Answers turns; a ``bot.activity.Handler``. Commands know nothing of the middlewares before them."""

    def __init__(
        self,
        services: Services,
        metrics: Metrics,
        crowd_limit: Middleware,
        new_reference: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        router = Router(services.commands)
        self._services = services
        self._metrics = TurnMetrics(metrics)
        self._dispatcher = Dispatcher(router)
        self._chain: tuple[Middleware, ...] = (
            UnexpectedErrorHandler(new_reference),
            crowd_limit,
            PersonalChatOnly(channel_alerts.command_of),
            TurnQueue(),
            store_conversation,
            MembersOnly(router, self._dispatcher),
            IntegrationsNamed(router),
            CommandPermission(router),
            Welcome(router),
            ServiceErrorHandler(router),
            Unrecognised(router),
        )

    async def __call__(self, turn: Turn) -> None:
        texts = self._services.languages[language_of(turn.incoming.locale)]
        context = TurnContext(turn, self._services, texts)
        with self._metrics.turn(turn.incoming.event) as measured:
            context.measured = measured
            await self._proceed(context, 0)

    async def _proceed(self, context: TurnContext, position: int) -> None:
        if position == len(self._chain):
            await self._dispatcher.dispatch(context)
        else:
            await self._chain[position](context, lambda: self._proceed(context, position + 1))
