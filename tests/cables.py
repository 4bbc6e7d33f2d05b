"""The cable between a program and its PostgreSQL: it can be cut, held still, and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Cable:
    """Listens on a port of its own. ``url`` is the database's address through it."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._joined: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        user = self._parts.username or "postgres"
        return f"postgresql://{user}@127.0.0.1:{self._port}{self._parts.path}"

    def hold(self) -> None:
        """Nothing goes through any more, and nobody is told."""
        self._flowing.clear()

    async def cut(self) -> None:
        """Every connection breaks, and no new one is taken."""
        if self._server:
            self._server.close()
        self._flowing.set()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._joined, return_exceptions=True)

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await self._far_end()
        both = {writer, there_writer}
        self._writers |= both
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            self._writers -= both

    async def _far_end(self) -> Streams:
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
async def cable_to(url: str) -> AsyncIterator[Cable]:
    cable = Cable(url)
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()
