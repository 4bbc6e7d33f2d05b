"""What it costs to send what is due, in full batches, against a raw ``$batch`` and a typed call of Graph's SDK."""

import asyncio
import gc
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from time import process_time

import aiohttp
import httpx
from cryptography.fernet import Fernet
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from msgraph.generated.users.item.presence.set_presence.set_presence_post_request_body import (
    SetPresencePostRequestBody,
)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from core.clock import utc_now
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.encryption import Encryption
from sync.cloudlink.tables import WireTables
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.presence import Presence
from sync.flow.flow import Flow
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.service_clients import HttpServiceClients, ServiceConfig
from sync.teams.host_credentials import HostCredentials
from tests.bench.change import BATCH, post_batch
from tests.bench.product import NO_LIMIT, Setup, fill, running_peer
from tests.support.storage.stores import sqlite_with_tables
from tests.support.sync.flows import flow_of

CHANGES, TYPED_CALLS, TURNS, TOGETHER = 2000, 100, 5, 4
DUE = "UPDATE person SET desired = :desired, desired_at = :now, due_at = :now, heard_at = :now"
LEFT = "SELECT count(*) FROM person WHERE applied IS DISTINCT FROM desired"


@dataclass(slots=True)
class Pushed:
    """Milliseconds of processor for a change, in each turn."""

    product: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    typed: list[float] = field(default_factory=list)

    @property
    def to_raw(self) -> float:
        return median(a / b for a, b in zip(self.product, self.raw, strict=True))

    @property
    def to_typed(self) -> float:
        return median(b / a for a, b in zip(self.product, self.typed, strict=True))

    def __str__(self) -> str:
        product, raw, typed = map(median, (self.product, self.raw, self.typed))
        return f"{product:.3f} ms, raw {raw:.3f} ms, typed {typed:.2f} ms"


async def measure(folder: Path) -> Pushed:
    pushed = Pushed()
    key = Fernet.generate_key().decode()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        peer = await stack.enter_async_context(running_peer(http))
        database = await stack.enter_async_context(open_database(sqlite_with_tables(folder)))
        await fill(database, Encryption([key]), Setup(CHANGES))
        flow = _flow(database, http, peer, key)
        await stack.enter_async_context(flow.running())
        sdk = _sdk(peer)
        for turn in range(-1, TURNS):
            await make_everyone_due(database, Presence.IN_A_CALL if turn % 2 else None)
            took = [
                await _cost(flow.push("i1"), CHANGES),
                await _cost(_post_raw(http, f"{peer}/v1.0/$batch"), CHANGES),
                await _cost(_call_typed(sdk), TYPED_CALLS),
            ]
            await _check_sent(database)
            gc.freeze()  # as app.py does after its start
            if turn >= 0:
                for values, each in zip((pushed.product, pushed.raw, pushed.typed), took, strict=True):
                    values.append(each)
    return pushed


def _flow(database: Database, http: aiohttp.ClientSession, peer: str, key: str) -> Flow:
    metrics, random = Metrics(CollectorRegistry()), Random(1)
    services = ServiceConfig(peer, peer, peer, WireTables(), HostCredentials())
    clients = HttpServiceClients(http, services, utc_now, random, metrics)
    jobs = LocalJobs(QueueConfig(utc_now, random, metrics))
    context = Context(database, clients, jobs, utc_now, random, metrics)
    return flow_of(context, CredentialStore(Encryption([key])), NO_LIMIT)


async def make_everyone_due(database: Database, desired: Presence | None) -> None:
    async with database.writing() as session:
        now = utc_now().replace(tzinfo=None).isoformat(" ", "microseconds")
        await (await session.connection()).execute(text(DUE), {"desired": desired, "now": now})


async def _check_sent(database: Database) -> None:
    async with database.session() as session:
        left = (await (await session.connection()).execute(text(LEFT))).scalar_one()
    if left:
        raise AssertionError(f"{left} changes were not sent")


async def _cost(work: object, changes: int) -> float:
    began = process_time()
    await work  # type: ignore[misc]
    return 1000 * (process_time() - began) / changes


async def _post_raw(http: aiohttp.ClientSession, url: str) -> None:
    users = [f"teams {number}" for number in range(CHANGES)]
    batches = [users[start : start + BATCH] for start in range(0, CHANGES, BATCH)]
    for start in range(0, len(batches), TOGETHER):
        await asyncio.gather(*(post_batch(http, url, batch) for batch in batches[start : start + TOGETHER]))


def _sdk(peer: str) -> GraphServiceClient:
    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider(), httpx.AsyncClient())
    adapter.base_url = f"{peer}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def _call_typed(sdk: GraphServiceClient) -> None:
    for number in range(TYPED_CALLS):
        body = SetPresencePostRequestBody(session_id="app", availability="Busy", activity="InACall")
        await sdk.users.by_user_id(f"teams {number}").presence.set_presence.post(body)
