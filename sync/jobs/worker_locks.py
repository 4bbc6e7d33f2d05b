"""How other processes know that a worker is alive: it holds an advisory lock, which ends with its connection.

PostgreSQL releases a session's locks when the session ends ("Explicit Locking", advisory locks): milliseconds after
the end of the process, and for a machine that disappeared once the server's keepalives fail.
"""

import asyncio
from contextlib import suppress

from psycopg import AsyncConnection, OperationalError

FIRST_LOCK = 0xC10F << 40
"""The lock of the worker with the id 0; that of each other is its id further."""

KEEPALIVES = "SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2"
"""The server's, in seconds (PostgreSQL, "Connection Settings"): a machine that is silent for 3 s is gone."""

CONNECT_SECONDS = 3


class WorkerLocks:
    """Holds the locks of the workers of this process, by their ids, on one connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: AsyncConnection | None = None
        self._locked: set[int] = set()
        self._turn = asyncio.Lock()
        self.worker_ids: set[int] = set()

    async def hold(self, worker_id: int) -> None:
        """Raises ``psycopg.Error``."""
        self.worker_ids.add(worker_id)
        await self.keep()

    def release(self, worker_id: int) -> None:
        """A worker has ended: its lock ends when the others are kept."""
        self.worker_ids.discard(worker_id)

    async def keep(self) -> None:
        """Lock again what was lost with a connection. Raises ``psycopg.Error``."""
        async with self._turn:
            connection = await self._connected()
            for ended in self._locked - self.worker_ids:
                await connection.execute("SELECT pg_advisory_unlock(%s)", [FIRST_LOCK + ended])
            for missing in self.worker_ids - self._locked:
                await connection.execute("SELECT pg_advisory_lock(%s)", [FIRST_LOCK + missing])
            self._locked = set(self.worker_ids)

    async def _connected(self) -> AsyncConnection:
        """The connection, if it still answers; otherwise a new one, without locks."""
        if self._connection and not self._connection.closed:
            with suppress(OperationalError):
                await self._connection.execute("SELECT 1")
                return self._connection
        self._locked = set()
        self._connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS
        )
        await self._connection.execute(KEEPALIVES)
        return self._connection

    async def aclose(self) -> None:
        if self._connection:
            await self._connection.close()
