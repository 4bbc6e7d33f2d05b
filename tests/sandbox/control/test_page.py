import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import aiohttp
import pytest

from sandbox.control import page
from tests.sandbox.callers import signed_in
from tests.support.clocks import FakeClock
from tests.support.services.sandboxes import SandboxHandle, running_sandbox


class Stream:
    """The switchboard's event stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        """The next state; fails when none comes."""
        async with asyncio.timeout(30):
            while (await self._response.content.readline()).strip() != b"event: state":
                assert not self._response.content.at_eof()
            line = await self._response.content.readline()
        state: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return state


@asynccontextmanager
async def streaming(sandbox: SandboxHandle) -> AsyncIterator[Stream]:
    async with sandbox.session.get(f"{sandbox.url}/switchboard/events") as response:
        assert response.content_type == "text/event-stream"
        yield Stream(response)


async def test_the_page_is_served(sandbox: SandboxHandle) -> None:
    async with sandbox.session.get(f"{sandbox.url}/switchboard") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert "switchboard" in (await response.text()).lower()


async def test_only_the_pages_own_scripts_and_styles_may_run(sandbox: SandboxHandle) -> None:
    async with sandbox.session.get(f"{sandbox.url}/switchboard") as response:
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["frame-ancestors"] == "'none'"
    for element in ("script", "style"):
        inline = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        hashes = [b64encode(sha256(content.encode()).digest()).decode() for content in inline]
        assert hashes
        assert rules[f"{element}-src"].split() == [f"'sha256-{each}'" for each in hashes]
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", text.partition("<script>")[0])


async def test_the_state_comes_first_and_then_at_each_change(sandbox: SandboxHandle) -> None:
    async with streaming(sandbox) as stream:
        assert await stream.next() == await sandbox.state()
        await sandbox.ring("2001")
        assert (await stream.next())["people"][0]["phone"]["calls"][0]["state"] == "ringing"


async def test_changes_in_a_burst_come_together(sandbox: SandboxHandle) -> None:
    async with streaming(sandbox) as stream:
        await stream.next()
        for extension in range(2001, 2021):
            await sandbox.ring(str(extension))
        seen = 0
        while True:
            seen += 1
            people = (await stream.next())["people"]
            if sum(len(row["phone"]["calls"]) for row in people) == 20:
                break
        assert seen <= 5


async def test_expiry_is_streamed_without_any_change(sandbox: SandboxHandle, clock: FakeClock, ana: str) -> None:
    graph = await signed_in(sandbox)
    body = {
        "sessionId": sandbox.world.saved.registration.client_id,
        "availability": "Busy",
        "activity": "InACall",
        "expirationDuration": "PT5M",
    }
    await graph.post(f"/users/{ana}/presence/setPresence", body)
    async with streaming(sandbox) as stream:
        assert (await stream.next())["people"][0]["teams"]["shown"]["activity"] == "InACall"
        clock.advance(minutes=5)
        assert (await stream.next())["people"][0]["teams"]["shown"]["activity"] == "Available"


async def test_an_open_stream_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by itself: one that had to be cut off would not come to a proper end."""
    monkeypatch.setattr(page, "_AGEING_TICK", 3600)
    async with aiohttp.ClientSession() as session:
        async with running_sandbox() as sandbox:
            response = await session.get(f"{sandbox.url}/switchboard/events")
            await response.content.readline()
        await response.read()
        response.close()


async def test_a_closed_stream_is_removed(sandbox: SandboxHandle) -> None:
    listeners = len(sandbox.world.on_change)
    async with streaming(sandbox) as stream:
        await stream.next()
        assert len(sandbox.world.on_change) == listeners + 1
    for _ in range(100):
        await sandbox.ring("2001")
        await sandbox.hangup("2001")
        if len(sandbox.world.on_change) == listeners:
            break
        await asyncio.sleep(0.05)
    assert len(sandbox.world.on_change) == listeners
