"""``POST /api/messages``: admit, run the turn, answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random, SystemRandom

import aiohttp
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from bot.activity import Handler, Messenger
from bot.hosting.activity_parser import ParsedActivity, What, invoke_error
from bot.hosting.admission import Admission
from bot.hosting.bot_token import TokenSource, token_source
from bot.hosting.config import HostingConfig
from bot.hosting.delivery import Delivery, Sleep
from bot.hosting.framework import ConversationChannel, Framework
from bot.hosting.installs import Installs
from bot.hosting.messenger import ProactiveMessenger
from bot.hosting.rate_limit import RateLimit
from bot.hosting.refusals import Refused, json_answer, refuse
from bot.hosting.sdk import botbuilder
from bot.hosting.signing_keys import SigningKeys
from bot.hosting.turn import ActivityTurn
from bot.hosting.turn_runner import ANSWER_SECONDS, TurnFailed, TurnRunner, log_failure
from bot.hosting.verifier import Verifier
from core.clock import Clock
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline

log = structlog.get_logger()

MakeFramework = Callable[[HostingConfig, aiohttp.ClientSession, TokenSource, Delivery], Framework]


class Host:
    """The bot as the web sees it (``messages``) and as the product speaks first (``messenger``)."""

    def __init__(
        self,
        gate: Admission,
        installs: Installs,
        framework: Framework,
        running: TurnRunner,
        messenger: Messenger,
        metrics: Metrics,
    ) -> None:
        self.messenger = messenger
        self._gate = gate
        self._installs = installs
        self._framework = framework
        self._running = running
        self._metrics = metrics

    async def messages(self, request: web.Request) -> web.Response:
        """Answers a request to ``/api/messages``. Raises nothing."""
        try:
            arrival = await self._gate.admit(request)
        except Refused as refusal:
            self._metrics.refused.labels(status=str(refusal.status)).inc()
            return refuse(refusal, request.remote)
        if arrival.what is None or self._installs.is_double(arrival.what, arrival.address.conversation_id):
            return web.Response(status=200)
        try:
            return await self._process(arrival, arrival.what)
        except TurnFailed:
            return web.Response(status=500)
        except Exception as error:
            log_failure(error)
            return web.Response(status=500)

    async def _process(self, arrival: ParsedActivity, what: What) -> web.Response:
        answer = await self._framework.run(arrival, partial(self._turn, arrival, what))
        return json_answer(answer.status, answer.body) if answer else web.Response(status=200)

    async def _turn(self, arrival: ParsedActivity, what: What, talk: ConversationChannel) -> None:
        turn = ActivityTurn(talk, arrival, what)
        try:
            await self._running.run(turn, to_its_end=arrival.expects_replies)
        except TurnFailed as failure:
            if not arrival.invoked:
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
    *,
    sleep: Sleep = asyncio.sleep,
    random: Random | None = None,
    answer_seconds: float = ANSWER_SECONDS,
    make_framework: MakeFramework = botbuilder,
    deadline: ShutdownDeadline | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator[Host]:
    """The bot for the length of the block; turns under way are let finish on leaving it, for as
    long as ``deadline`` allows.

    A turn slower than ``answer_seconds`` is answered with the card shown so far and goes on.
    """
    delivery = Delivery(RateLimit(clock), clock, sleep, random or SystemRandom())
    framework = make_framework(config, http, token_source(config, clock), delivery)
    running = TurnRunner(handler, answer_seconds, deadline or ShutdownDeadline())
    gate = Admission(config, _verifier(config, http, clock))
    try:
        messenger = ProactiveMessenger(framework)
        yield Host(gate, Installs(clock), framework, running, messenger, metrics or Metrics(CollectorRegistry()))
    finally:
        await running.close()


def _verifier(config: HostingConfig, http: aiohttp.ClientSession, clock: Clock) -> Verifier | None:
    """None, with a warning, under the development switch: then nobody is asked who they are."""
    if config.dangerously_allow_unauthenticated:
        log.warning("authentication_is_off")
        return None
    keys = SigningKeys(config.openid_metadata_url, http, clock)
    return Verifier(config.app_id, config.token_issuer, keys, clock)
