"""``POST /api/messages``: admit, run the turn, answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random, SystemRandom

import aiohttp
import structlog
from aiohttp import web
from botbuilder.core import TurnContext

from bot.hosting.activities import arrived
from bot.hosting.adapter import TeamsAdapter
from bot.hosting.arrivals import Arrival, What, invoke_error
from bot.hosting.bot_token import token_source
from bot.hosting.config import HostingConfig
from bot.hosting.connector import Authentication, Connectors
from bot.hosting.delivery import Delivery, Sleep
from bot.hosting.gate import Gate
from bot.hosting.installs import Installs
from bot.hosting.messenger import ProactiveMessenger
from bot.hosting.pace import Pace
from bot.hosting.refusals import Refused, json_answer, refuse
from bot.hosting.running import ANSWER_SECONDS, Running, TurnFailed, log_failure
from bot.hosting.signing_keys import SigningKeys
from bot.hosting.turn import ActivityTurn
from bot.hosting.verifier import Verifier
from bot.turns import Handler, Messenger
from sync.clock import Clock

log = structlog.get_logger()


class Host:
    """The bot as the web sees it (``messages``) and as the product speaks first (``messenger``)."""

    def __init__(
        self, gate: Gate, installs: Installs, adapter: TeamsAdapter, running: Running, messenger: Messenger
    ) -> None:
        self.messenger = messenger
        self._gate = gate
        self._installs = installs
        self._adapter = adapter
        self._running = running

    async def messages(self, request: web.Request) -> web.Response:
        """Answers a request to ``/api/messages``. Raises nothing."""
        try:
            arrival = await self._gate.admit(request)
        except Refused as refusal:
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
        answer = await self._adapter.run(arrived(arrival), partial(self._turn, arrival, what))
        return json_answer(int(answer.status), answer.body) if answer else web.Response(status=200)

    async def _turn(self, arrival: Arrival, what: What, context: TurnContext) -> None:
        turn = ActivityTurn(self._adapter, context, arrival, what)
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
) -> AsyncIterator[Host]:
    """The bot for the length of the block; turns under way are let finish on leaving it.

    A turn slower than ``answer_seconds`` is answered with the card shown so far and goes on.
    """
    delivery = Delivery(Pace(clock), clock, sleep, random or SystemRandom())
    connectors = Connectors(config, token_source(config, clock), http)
    adapter = TeamsAdapter(Authentication(config, connectors), delivery)
    running = Running(handler, answer_seconds)
    gate = Gate(config, _verifier(config, http, clock))
    messenger = ProactiveMessenger(adapter, config.app_id)
    try:
        yield Host(gate, Installs(clock), adapter, running, messenger)
    finally:
        await running.close()


def _verifier(config: HostingConfig, http: aiohttp.ClientSession, clock: Clock) -> Verifier | None:
    """None, with a warning, under the development switch: then nobody is asked who they are."""
    if config.dangerously_allow_unauthenticated:
        log.warning("authentication_is_off")
        return None
    keys = SigningKeys(config.openid_metadata_url, http, clock)
    return Verifier(config.app_id, config.token_issuer, keys, clock)
