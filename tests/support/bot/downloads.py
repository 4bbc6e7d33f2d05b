"""The files that a chat's links lead to, over HTTP."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from bot.chat.exports.download import Exports
from bot.chat.exports.files import BYTE_ORDER_MARK, export_files
from bot.chat.exports.links import ExportLinks
from storage.encryption import Encryption
from tests.support.bot.chat import KEY, Chat
from tests.support.services.servers import TestServer


@asynccontextmanager
async def serving_files(chat: Chat, settings: Mapping[str, Any] | None = None) -> AsyncIterator[TestServer]:
    """The bot's own address, which the chat knows as the public one."""
    handler: list[Exports] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        return await handler[0].serve(request)

    application = web.Application()
    application.router.add_get("/exports/{token}", serve)
    running = TestServer(application)
    async with running:
        url = str(running.make_url("")).rstrip("/")
        chat.export_links = ExportLinks(Encryption([KEY]), chat.clock, public_url=url)
        chat.restart()
        files = export_files(chat.services, settings or {})
        handler.append(Exports(chat.services, chat.export_links, files))
        yield running


async def fetch(url: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    async with aiohttp.ClientSession() as http, http.request(method, url) as answer:
        return answer.status, dict(answer.headers), (await answer.read()).decode()


def rows(text: str, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)), delimiter=separator))
