"""A TCP proxy between a program and its PostgreSQL: it can be cut, stalled and restored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class DatabaseProxy:
    """Listens on a port of its own. ``url`` is the database's address through it."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = 0
        self._is_cut = False
        self._connections: set[asyncio.Task[None]] = set()
        self._open_writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        user = self._parts.username or "postgres"
        return f"postgresql://{user}@127.0.0.1:{self._port}{self._parts.path}"

    def stall(self) -> None:
        """Stop forwarding bytes; connections stay open."""
        self._flowing.clear()

    async def cut(self) -> None:
        """Break every connection, and each new one until ``restore``."""
        self._is_cut = True
        self._flowing.set()
        for writer in list(self._open_writers):
            writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def restore(self) -> None:
        self._is_cut = False

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            for each in server.sockets:  # what was accepted is known before it is cut
                asyncio.get_running_loop().remove_reader(each)
            for _ in range(2):
                await asyncio.sleep(0)
            await self.cut()
            server.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._relay(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._tracked(writer))
            server_reader, server_writer = await self._connect()
            await stack.enter_async_context(self._tracked(server_writer))
            await asyncio.gather(self._pump(reader, server_writer), self._pump(server_reader, writer))

    @asynccontextmanager
    async def _tracked(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        """A connection that ``cut`` breaks too, closed when the context ends."""
        self._open_writers.add(writer)
        if self._is_cut:
            writer.transport.abort()
        try:
            yield
        finally:
            self._open_writers.discard(writer)
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> Streams:
        folder = parse_qs(self._parts.query).get("host", [""])[0]
        if folder:
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{self._parts.port or 5432}")
        return await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[DatabaseProxy]:
    db_proxy = DatabaseProxy(url)
    async with db_proxy.listen():
        yield db_proxy
