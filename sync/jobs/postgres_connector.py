"""The queue's connections: nothing is asked of them before a statement, which is sent again if its one is lost."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Result = TypeVar("Result")

CONNECTIONS = 8
CONNECT_TIMEOUT = 3.0


class RetryingConnector(PsycopgConnector):
    """Each statement is a transaction of its own.

    One whose answer was lost with the connection may have been done. Again it does no harm: a job that was queued
    is refused by its queueing lock, and one that was fetched, which nobody runs, is found and queued again
    (``PostgresJobs._rescue``).
    """

    def __init__(self, conninfo: str) -> None:
        super().__init__(
            conninfo=conninfo,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_TIMEOUT,
            configure=_commit_each,
            pool_factory=_pool,
        )

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        await self._sent(super().execute_query_async, query, arguments)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        return await self._sent(super().execute_query_one_async, query, arguments)

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        return await self._sent(super().execute_query_all_async, query, arguments)

    async def _sent(
        self, execute: Callable[..., Awaitable[Result]], query: LiteralString, arguments: dict[str, Any]
    ) -> Result:
        try:
            return await execute(query, **arguments)
        except ConnectorException as error:
            if not isinstance(error.__cause__, OperationalError) or isinstance(error.__cause__, PoolTimeout):
                raise
            await self.pool.check()
            return await execute(query, **arguments)


@contextmanager
def despite_outages() -> Iterator[None]:
    """Go on after the block though the database does not answer: soon it may."""
    try:
        yield
    except ConnectorException as error:
        if not isinstance(error.__cause__, OperationalError):
            raise


def _pool(**options: Any) -> AsyncConnectionPool:
    """Procrastinate's ``check``, a ping before each statement, is left out."""
    return AsyncConnectionPool(**{**options, "check": None})


async def _commit_each(connection: AsyncConnection) -> None:
    """Without it each statement takes two round trips more."""
    await connection.set_autocommit(True)
