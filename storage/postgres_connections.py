"""What each connection to PostgreSQL needs: text without NUL characters, and transactions without a ping before."""

from typing import Any

from psycopg import Error
from psycopg.abc import Buffer
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InvalidatePoolError

IDLE_SECONDS = 10
"""A process that says nothing for so long within a transaction hangs, or its machine is gone: the server ends it.

Its locks would hold up the others until the machine answers again, or for two hours, after which TCP gives it up.
"""


def configure(engine: Engine, *, prefer_indexes: bool = False) -> None:
    """``prefer_indexes``: for statements of which each finds few rows, in tables too new to have statistics."""
    event.listen(engine, "connect", _strip_nul)
    event.listen(engine, "connect", _leave_begin_to_us)
    event.listen(engine, "connect", _limit_idling)
    event.listen(engine, "checkout", _begin)
    event.listen(engine, "begin", _begin_another)
    if prefer_indexes:
        event.listen(engine, "connect", _prefer_indexes)


class NulStrippingDumper(StrDumperUnknown):
    """PostgreSQL cannot store a NUL character, and names that come from outside may contain one."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", ""))


def _strip_nul(_connection: Any, record: Any) -> None:
    """Leave NUL characters out of every parameter, in writes and in conditions."""
    record.driver_connection.adapters.register_dumper(str, NulStrippingDumper)


def _leave_begin_to_us(connection: Any, _record: Any) -> None:
    connection.autocommit = True


def _limit_idling(connection: Any, _record: Any) -> None:
    connection.cursor().execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")


def _prefer_indexes(connection: Any, _record: Any) -> None:
    """PostgreSQL takes any list of values for a hundred rows, and reads a whole table of some thousands instead."""
    connection.cursor().execute("SET enable_seqscan = off")


def _begin(connection: Any, _record: Any, _proxy: Any) -> None:
    """Begin the transaction for which a connection leaves the pool; if that fails, SQLAlchemy takes a new one.

    So a connection that the server closed is found out as by a ping, with no statement more.
    """
    try:
        connection.cursor().execute("BEGIN")
    except Error as lost:
        raise InvalidatePoolError from lost


def _begin_another(connection: Connection) -> None:
    """Begin also the next transaction on the same connection."""
    driver = connection.connection.driver_connection
    if driver and driver.info.transaction_status == TransactionStatus.IDLE:
        connection.exec_driver_sql("BEGIN")
