"""How fast a presence gets to Graph: printed (``pytest -s``), since time is not asserted."""

import asyncio
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import aiohttp

from core.clock import utc_now
from sync.domain.changes import Change, Done, SetPresence
from sync.domain.presence import Presence
from sync.teams.graph_client import GraphClient
from sync.teams.presence import PresenceWriter
from tests.support.engines import app_of, running_engine
from tests.support.services.sandboxes import SandboxHandle, running_sandbox

CHANGES = 1000
CALLS = 40


class KeptToken:
    """One token for the whole measurement."""

    def __init__(self, value: str) -> None:
        self._value = value

    async def token(self) -> str:
        return self._value

    def forget(self) -> None:
        raise AssertionError("the token was refused")


async def token_of(sandbox: SandboxHandle, http: aiohttp.ClientSession) -> str:
    app = app_of(sandbox)
    form = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    async with http.post(f"{sandbox.url}/{app.tenant_id}/oauth2/v2.0/token", data=form) as response:
        return str((await response.json())["access_token"])


async def test_a_thousand_changes_in_batches_and_one_by_one() -> None:
    async with running_sandbox() as sandbox, aiohttp.ClientSession() as http:
        await sandbox.set_faults(graphQuota=1_000_000)
        app = app_of(sandbox)
        writer = PresenceWriter(
            GraphClient(http, sandbox.url, KeptToken(await token_of(sandbox, http)), utc_now), app.client_id
        )
        shown = (user for user in sandbox.world.saved.teams if user.enabled and not user.guest and not user.refusal)
        users = [user.id for user in shown]
        changes: list[Change] = [
            SetPresence(users[number % len(users)], Presence.IN_A_CALL, 3600) for number in range(CHANGES)
        ]
        batched = await timed(writer, changes, 20)
        assert sandbox.world.journal.counts.batches == CHANGES // 20
        single = await timed(writer, changes, 1)
        print(
            f"\n{CHANGES} changes: {batched:.2f} s in batches of 20, {single:.2f} s one by one: "
            f"{single / batched:.1f} times as fast"
        )


async def timed(writer: PresenceWriter, changes: list[Change], size: int) -> float:
    began = perf_counter()
    for start in range(0, len(changes), size):
        outcomes = await writer.push(changes[start : start + size])
        assert outcomes == [Done()] * size
    return perf_counter() - began


async def test_from_webhook_to_acceptance(tmp_path: Path) -> None:
    """A call is answered on the phone; the time until the sandbox's Graph has the session."""
    async with running_sandbox() as sandbox, running_engine(sandbox, tmp_path) as running:
        await running.connect()
        await running.wait_until_sent()
        took = []
        for number in range(CALLS):
            extension = f"20{number % 8 + 1:02}"
            began = perf_counter()
            await sandbox.call(extension)
            await session_is(sandbox, extension, there=True)
            took.append(perf_counter() - began)
            await sandbox.hangup_all(extension)
            await session_is(sandbox, extension, there=False)
        cuts = [1000 * cut for cut in quantiles(took, n=100)]
        print(
            f"\nfrom phone to Graph, {CALLS} calls: median {cuts[49]:.0f} ms, "
            f"p90 {cuts[89]:.0f} ms, p99 {cuts[98]:.0f} ms"
        )
        assert running.metric("latency_seconds_count") >= CALLS


async def session_is(sandbox: SandboxHandle, extension: str, there: bool) -> None:
    person = sandbox.world.person(extension)
    user = next(user for user in sandbox.world.saved.teams if person and user.id == person.teams_id)
    async with asyncio.timeout(10):
        while (user.session is not None) != there:  # noqa: ASYNC110 the sandbox has no event for it
            await asyncio.sleep(0.001)
