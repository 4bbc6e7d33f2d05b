"""Searching for secrets in everything a conversation leaves behind."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import aiohttp
import orjson

from tests.e2e.playground import Playground
from tests.e2e.product import Bot
from tests.support.services.sandboxes import Switchboard


def forms(secret: str) -> set[bytes]:
    """The forms a leaked secret may have: plain, in a URL, in base64."""
    raw = secret.encode()
    return {raw, quote(secret, safe="").encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw)}


def contents(*directories: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for each in directories for path in each.rglob("*") if path.is_file()}


async def stored_output(chat: Playground, sandbox: Switchboard, bot: Bot, logs: Path) -> dict[str, bytes]:
    """The bot's files, all logs, every frame of the chat, the metrics, and the sandbox's log."""
    found = contents(bot.data, logs)
    found |= {"chat": "\n".join(chat.seen).encode(), "sandbox's log": orjson.dumps(await sandbox.log())}
    return found | {"metrics": await metrics(bot)}


def leaks(found: Mapping[str, bytes], secrets: Iterable[str]) -> dict[str, str]:
    """Where a secret was found, and how it begins."""
    return {
        name: secret[:6] + "..."
        for secret in secrets
        for name, content in found.items()
        if any(form in content for form in forms(secret))
    }


async def metrics(bot: Bot) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(f"{bot.operations_url}/metrics") as response:
        return await response.read()
