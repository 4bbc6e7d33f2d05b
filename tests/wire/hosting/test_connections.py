"""Connections that send nothing, too little or too slowly, and too many of them, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from core.http.connections import ConnectionGate, ConnectionLimits
from core.http.server import listening
from tests.support.captured_log import captured_log
from tests.support.eventually import eventually

REQUEST = b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n"
QUICK = ConnectionLimits(header_seconds=0.2, idle_seconds=0.2)
PATIENT = ConnectionLimits(header_seconds=60, idle_seconds=60)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    def __init__(self) -> None:
        self.port = 0
        self.closed: list[str] = []
        self.release = asyncio.Event()
        self.is_busy = False
        self._opened: list[asyncio.StreamWriter] = []

    async def hello(self, _: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def slow(self, _: web.Request) -> web.Response:
        self.is_busy = True
        await self.release.wait()
        return web.Response(text="at last")

    async def connect(self, peer: str = "127.0.0.1") -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(peer, 0))
        self._opened.append(writer)
        return reader, writer

    async def is_served(self, peer: str = "127.0.0.1") -> bool:
        reader, writer = await self.connect(peer)
        writer.write(REQUEST)
        with suppress(ConnectionError):
            line = await reader.readline()
            writer.close()
            return line.startswith(b"HTTP/1.1 200")
        return False

    def close(self) -> None:
        for writer in self._opened:
            writer.close()


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[Server]:
    server, application = Server(), web.Application()
    application.router.add_get("/", server.hello)
    application.router.add_get("/slow", server.slow)
    async with listening(application, "127.0.0.1", 0, ConnectionGate(limits, server.closed.append)) as server.port:
        yield server
        server.close()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What is still sent until the server ends the connection."""
    with suppress(ConnectionError):
        return await reader.read()
    return b""


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: bot\r\nX-A"])
async def test_a_connection_without_a_whole_request_is_closed(sent: bytes) -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        writer.write(sent)
        assert await rest_of(reader) == b""
        assert server.closed == ["silent"]


async def test_headers_that_trickle_do_not_keep_a_connection_open() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        ended = asyncio.create_task(rest_of(reader))
        writer.write(b"GET / HTTP/1.1\r\n")
        while not ended.done():
            writer.write(b"A")
            await asyncio.wait([ended], timeout=0.02)
        assert server.closed == ["silent"]


async def test_an_idle_connection_is_closed_after_its_answer_and_that_is_no_fault() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        writer.write(REQUEST)
        assert (await rest_of(reader)).endswith(b"hello")
        assert server.closed == []


async def test_a_kept_connection_serves_the_next_request_and_its_headers_may_not_trickle() -> None:
    async with serving(ConnectionLimits(header_seconds=0.2, idle_seconds=60)) as server:
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(REQUEST)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        assert await rest_of(reader) == b""
        assert server.closed == ["silent"]


async def test_a_request_that_is_being_handled_is_not_closed() -> None:
    async with serving(QUICK) as server:
        reader, writer = await server.connect()
        writer.write(REQUEST.replace(b"GET /", b"GET /slow"))
        silent, _ = await server.connect()
        assert await rest_of(silent) == b""
        server.release.set()
        assert (await rest_of(reader)).endswith(b"at last")


async def test_one_peer_has_so_many_connections_and_another_is_served() -> None:
    async with serving(ConnectionLimits(total=9, per_peer=3, header_seconds=60)) as server:
        writers = [(await server.connect())[1] for _ in range(3)]
        assert not await server.is_served()
        assert server.closed == ["too_many_of_peer"]
        assert await server.is_served("127.0.0.2")
        writers[0].close()
        await eventually(server.is_served)


async def test_there_are_so_many_connections_in_all() -> None:
    async with serving(ConnectionLimits(total=3, per_peer=3, header_seconds=60)) as server:
        opened = [await server.connect(f"127.0.0.{number}") for number in (2, 3, 4)]
        assert not await server.is_served()
        assert server.closed == ["too_many"]
        opened[0][1].close()
        await eventually(server.is_served)


async def test_who_has_few_takes_the_place_of_a_silent_one_of_who_has_the_most() -> None:
    """Whose request is being handled keeps its connection."""
    async with serving(ConnectionLimits(total=4, per_peer=2, header_seconds=60)) as server:
        busy, writer = await server.connect("127.0.0.2")
        writer.write(REQUEST.replace(b"GET /", b"GET /slow"))
        silent, _ = await server.connect("127.0.0.2")
        others = [await server.connect("127.0.0.3") for _ in range(2)]
        await eventually(lambda: server.is_busy)
        for peer, left in (("127.0.0.4", silent), ("127.0.0.5", others[0][0])):
            reader, writer = await server.connect(peer)
            writer.write(REQUEST)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
            assert await rest_of(left) == b""
        assert not await server.is_served("127.0.0.6")
        assert server.closed == ["too_many_of_peer", "too_many_of_peer", "too_many"]
        server.release.set()
        assert (await busy.readuntil(b"at last")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("peer", "same", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("fe80::1%eth0", "fe80::2", "fe81::1"),
    ],
)
async def test_a_network_of_ipv6_is_one_peer(peer: str, same: str, other: str) -> None:
    class Silent:
        is_waiting = True

        def abort(self) -> None: ...

    gate = ConnectionGate(ConnectionLimits(per_peer=1))
    assert [gate.admit(each, Silent()) for each in (peer, same, other)] == [True, False, True]
    gate.close()


async def test_the_log_has_one_line_about_all_of_them() -> None:
    with captured_log() as log:
        async with serving(ConnectionLimits(total=3, per_peer=2, header_seconds=60)) as server:
            for peer in ("127.0.0.2", "127.0.0.2", "127.0.0.3"):
                await server.connect(peer)
            for _ in range(5):
                assert not await server.is_served("127.0.0.2")
        (line,) = log.lines("connections_closed")
    assert (line["last_peer"], line["too_many_of_peer"]) == ("127.0.0.2", 5)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"]
)
async def test_a_malformed_request_gets_an_answer_that_names_no_software(sent: bytes) -> None:
    with captured_log() as log:
        async with serving(PATIENT) as server:
            reader, writer = await server.connect()
            writer.write(sent)
            answer = (await rest_of(reader)).lower()
    assert answer.startswith(b"http/1.")
    assert b"python" not in answer
    assert b"aiohttp" not in answer
    assert [line["event"] for line in log.lines()] == ["connections_closed"]
