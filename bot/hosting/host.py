"""``POST /api/messages``: admits the request, runs the turn, answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random, SystemRandom

import aiohttp
import structlog
from aiohttp import web

from bot.activity import Event, Handler, Messenger
from bot.hosting.activity_parser import ParsedActivity, invoke_error
from bot.hosting.admission import Admission
from bot.hosting.auth.bot_token import TokenSource, token_source
from bot.hosting.auth.signing_keys import SigningKeys
from bot.hosting.auth.verifier import Verifier
from bot.hosting.config import HostingConfig
from bot.hosting.delivery import Delivery, Sleep
from bot.hosting.framework import ConversationChannel, Framework
from bot.hosting.installs import InstallDeduplicator
from bot.hosting.messenger import ProactiveMessenger
from bot.hosting.rate_limit import RateLimit
from bot.hosting.refusals import Refused, json_answer, refuse
from bot.hosting.sdk import botbuilder
from bot.hosting.turn import ActivityTurn
from bot.hosting.turn_runner import ANSWER_SECONDS, TurnFailed, TurnRunner, log_failure
from core.clock import Clock, steady_now
from core.limited_log import LimitedLog
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline

log = structlog.get_logger()

MakeFramework = Callable[[HostingConfig, aiohttp.ClientSession, TokenSource, Delivery], Framework]


class Host:
    """The bot's HTTP endpoint (``messages``) and its proactive messages (``messenger``)."""

    def __init__(
        self,
        admission: Admission,
        installs: InstallDeduplicator,
        framework: Framework,
        turn_runner: TurnRunner,
        metrics: Metrics,
    ) -> None:
        self.messenger: Messenger = ProactiveMessenger(framework)
        self._admission = admission
        self._installs = installs
        self._framework = framework
        self._turn_runner = turn_runner
        self._metrics = metrics
        self._refusals = LimitedLog()

    async def messages(self, request: web.Request) -> web.Response:
        """Handle a request to ``/api/messages``. Raises nothing."""
        try:
            parsed = await self._admission.admit(request)
        except Refused as refusal:
            self._metrics.refused.labels(status=str(refusal.status)).inc()
            return refuse(refusal, request.remote, self._refusals)
        if parsed.event is None or self._installs.is_duplicate(parsed.event, parsed.address.conversation_id):
            return web.Response(status=200)
        try:
            return await self._process(parsed, parsed.event)
        except TurnFailed:
            pass
        except Exception as error:
            log_failure(error)
        self._installs.forget(parsed.address.conversation_id)
        return web.Response(status=500)

    async def _process(self, parsed: ParsedActivity, event: Event) -> web.Response:
        answer = await self._framework.run(parsed, partial(self._turn, parsed, event))
        return json_answer(answer.status, answer.body) if answer else web.Response(status=200)

    async def _turn(self, parsed: ParsedActivity, event: Event, channel: ConversationChannel) -> None:
        turn = ActivityTurn(channel, parsed, event)
        try:
            await self._turn_runner.run(turn, until_done=parsed.expects_replies)
        except TurnFailed as failure:
            if not parsed.invoked:
                raise
            message = f"Something went wrong. Reference: {failure.reference}"
            await turn.answer_invoke(invoke_error(500, "InternalServerError", message))
        else:
            await turn.answer_invoke()


@asynccontextmanager
async def open_host(
    config: HostingConfig,
    handler: Handler,
    http: aiohttp.ClientSession,
    clock: Clock,
    metrics: Metrics,
    *,
    steady_clock: Clock = steady_now,
    sleep: Sleep = asyncio.sleep,
    random: Random | None = None,
    answer_seconds: float = ANSWER_SECONDS,
    make_framework: MakeFramework = botbuilder,
    deadline: ShutdownDeadline | None = None,
    tokens: TokenSource | None = None,
) -> AsyncIterator[Host]:
    """Run the bot for the length of the block; on leaving it, open turns may finish until ``deadline``.

    Intervals are measured by ``steady_clock``, which is not set back with the machine's ``clock``.
    A turn slower than ``answer_seconds`` is answered with the card shown so far and continues in the background.
    """
    delivery = Delivery(RateLimit(steady_clock), clock, sleep, random or SystemRandom())
    framework = make_framework(config, http, tokens or token_source(config, steady_clock), delivery)
    turn_runner = TurnRunner(handler, answer_seconds, deadline or ShutdownDeadline())
    admission = Admission(config, _verifier(config, http, clock, steady_clock))
    try:
        yield Host(admission, InstallDeduplicator(steady_clock), framework, turn_runner, metrics)
    finally:
        await turn_runner.close()


def _verifier(
    config: HostingConfig, http: aiohttp.ClientSession, clock: Clock, steady_clock: Clock
) -> Verifier | None:
    """None, with a warning, under the development switch: then callers are not authenticated."""
    if config.dangerously_allow_unauthenticated:
        log.warning("authentication_is_off")
        return None
    keys = SigningKeys(config.openid_metadata_url, http, steady_clock)
    return Verifier(config.app_id, config.token_issuer, keys, clock)
