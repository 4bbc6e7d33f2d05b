"""Recording the SQL statements sent to a database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from storage.database import Database
from storage.transaction import Transaction


@contextmanager
def recorded_statements(database: Database) -> Iterator[list[str]]:
    """The statements sent to the database within the block, by sessions and by transactions."""
    statements: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    rows, write = Transaction.rows, Transaction.write

    def record_rows(transaction: Transaction, statement: str, *values: Any) -> Any:
        statements.append(statement)
        return rows(transaction, statement, *values)

    def record_write(transaction: Transaction, statement: str, values: Sequence[Any]) -> None:
        statements.extend([statement] if values else [])
        write(transaction, statement, values)

    event.listen(database.engine.sync_engine, "before_cursor_execute", record)
    with patch.multiple(Transaction, rows=record_rows, write=record_write):
        try:
            yield statements
        finally:
            event.remove(database.engine.sync_engine, "before_cursor_execute", record)
