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

from bot.hosting.arrivals import Arrival, What, invoke_error
from bot.hosting.bot_token import TokenSource, token_source
from bot.hosting.config import HostingConfig
from bot.hosting.delivery import Delivery, Sleep
from bot.hosting.framework import Framework, Talk
from bot.hosting.gate import Gate
from bot.hosting.installs import Installs
from bot.hosting.messenger import ProactiveMessenger
from bot.hosting.pace import Pace
from bot.hosting.refusals import Refused, json_answer, refuse
from bot.hosting.running import ANSWER_SECONDS, Running, TurnFailed, log_failure
from bot.hosting.sdk import botbuilder
from bot.hosting.signing_keys import SigningKeys
from bot.hosting.turn import ActivityTurn
from bot.hosting.verifier import Verifier
from bot.turns import Handler, Messenger
from sync.clock import Clock
from sync.grace import Grace
from sync.metrics import Metrics

log = structlog.get_logger()

MakeFramework = Callable[[HostingConfig, aiohttp.ClientSession, TokenSource, Delivery], Framework]


class Host:
    """The bot as the web sees it (``messages``) and as the product speaks first (``messenger``)."""

    def __init__(
        self,
        gate: Gate,
        installs: Installs,
        framework: Framework,
        running: Running,
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

    async def _process(self, arrival: Arrival, what: What) -> web.Response:
        answer = await self._framework.run(arrival, partial(self._turn, arrival, what))
        return json_answer(answer.status, answer.body) if answer else web.Response(status=200)

    async def _turn(self, arrival: Arrival, what: What, talk: Talk) -> None:
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
    grace: Grace | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator[Host]:
    """The bot for the length of the block; turns under way are let finish on leaving it, for as
    long as ``grace`` allows.

    A turn slower than ``answer_seconds`` is answered with the card shown so far and goes on.
    """
    delivery = Delivery(Pace(clock), clock, sleep, random or SystemRandom())
    framework = make_framework(config, http, token_source(config, clock), delivery)
    running = Running(handler, answer_seconds, grace or Grace())
    gate = Gate(config, _verifier(config, http, clock))
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
