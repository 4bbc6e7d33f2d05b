"""What one change costs the processor, from its webhooks until its outcome is stored, against the least it could.

The least is a bare endpoint that parses the same bodies, stores them durably in groups, and sends a raw ``$batch``
of 20. Both are measured in turns, so that other work on the machine meets both alike: only the ratio counts.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson
import psycopg
from aiohttp import web

from tests.bench.change_load import Load
from tests.bench.product import Product, Setup, running_peer, running_product, serving
from tests.support.storage.stores import sqlite_with_tables

Insert = Callable[[Sequence[tuple[str, str]]], None]

INSERT = "INSERT INTO floor_event VALUES (?, ?)"
PACE = 0.02
BATCH = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """``turns`` times ``changes`` for each side, ``per_second``."""

    changes: int = 200
    per_second: float = 50
    turns: int = 5


class Floor:
    """The least that keeps the promises: parse, store durably what arrived within a moment, answer, send."""

    def __init__(self, insert: Insert, http: aiohttp.ClientSession, url: str) -> None:
        self._insert = insert
        self._http = http
        self._url = url
        self._arrived: list[tuple[tuple[str, str], asyncio.Future[None]]] = []
        self._changes: list[str] = []
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, request: web.Request) -> web.Response:
        event = orjson.loads(await request.read())["content"]
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append(((event["eventId"], event["endpointId"]), stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        await stored
        if event["state"] in {"connected", "ended"}:
            self._changes.append(event["userId"])
            if len(self._changes) >= BATCH:
                users, self._changes = self._changes, []
                await post_batch(self._http, self._url, users)
        return web.Response(status=202)

    async def _store(self) -> None:
        while self._arrived:
            await asyncio.sleep(PACE)
            arrived, self._arrived = self._arrived, []
            await asyncio.to_thread(self._insert, [row for row, _ in arrived])
            for _, stored in arrived:
                stored.set_result(None)


async def post_batch(http: aiohttp.ClientSession, url: str, users: Sequence[str]) -> None:
    """A raw ``$batch`` that shows a call for each of these users."""
    requests = [
        {
            "id": str(number),
            "method": "POST",
            "url": f"/users/{user}/presence/setPresence",
            "headers": {"Content-Type": "application/json"},
            "body": {
                "sessionId": "app",
                "availability": "Busy",
                "activity": "InACall",
                "expirationDuration": "PT4H",
            },
        }
        for number, user in enumerate(users)
    ]
    async with http.post(url, data=orjson.dumps({"requests": requests})) as response:
        orjson.loads(await response.read())


@contextmanager
def floor_store(url: str, folder: Path) -> Iterator[Insert]:
    """A durable insert of rows on the same kind of database."""
    connection: Any
    if url.startswith("sqlite"):
        connection, insert_row = sqlite3.connect(folder / "floor.db", check_same_thread=False), INSERT
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    else:
        connection, insert_row = psycopg.connect(url.replace("+psycopg", "")), INSERT.replace("?", "%s")
    connection.execute("CREATE TABLE floor_event (id text PRIMARY KEY, place text)")
    connection.commit()

    def insert(rows: Sequence[tuple[str, str]]) -> None:
        connection.cursor().executemany(insert_row, rows)
        connection.commit()

    yield insert
    connection.close()


@dataclass(slots=True)
class Measured:
    """Milliseconds of processor for a change, in each turn, of one side and of what it is compared with."""

    one: list[float]
    other: list[float]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        return sorted(a / b for a, b in zip(self.one, self.other, strict=True))

    def __str__(self) -> str:
        return (
            f"{median(self.one):.2f} ms against {median(self.other):.2f} ms"
            f" ({self.ratios[0]:.2f} to {self.ratios[-1]:.2f})"
        )


async def against_the_least(url: str, folder: Path, plan: Plan) -> Measured:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        peer = await stack.enter_async_context(running_peer(http))
        product = await stack.enter_async_context(running_product(url, peer, Setup()))
        insert = stack.enter_context(floor_store(url, folder))
        floor = Floor(insert, http, f"{peer}/v1.0/$batch")
        least = await stack.enter_async_context(serving(floor.receive))
        return await _in_turns(http, peer, (product, Product(least)), plan)


async def of_many_people(folder: Path, plan: Plan, few: int = 1000, many: int = 100_000) -> Measured:
    """With ``many`` people against ``few``: two products on SQLite, each idle while the other is measured."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        peer = await stack.enter_async_context(running_peer(http))
        products = []
        for people in (many, few):
            (own := folder / str(people)).mkdir()
            url = sqlite_with_tables(own)
            products.append(await stack.enter_async_context(running_product(url, peer, Setup(people))))
        return await _in_turns(http, peer, (products[0], products[1]), plan)


async def _in_turns(http: aiohttp.ClientSession, peer: str, sides: tuple[Product, Product], plan: Plan) -> Measured:
    """One turn before those that count."""
    measured = Measured([], [])
    for turn in range(-1, plan.turns):
        for each, took in zip(sides, (measured.one, measured.other), strict=True):
            # turns of a person alternate: each load is a whole number of calls begun or ended
            load = Load(each.url, plan.changes, plan.per_second, plan.changes, turn + 1)
            began = each.processor_time()
            await http.post(f"{peer}/load", json=asdict(load), raise_for_status=True)
            if turn >= 0:
                took.append(1000 * (each.processor_time() - began) / plan.changes)
    return measured
