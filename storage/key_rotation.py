"""Encrypts every stored secret with the first key, so that older keys can be removed.

It works in batches, each in its own transaction, while the bot runs: a secret that is replaced in the meantime is
not overwritten. After an interruption, a second run continues with the rest.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from storage import tables  # noqa: F401
from storage.database import Database
from storage.encryption import Encryption, SecretUnreadable

BATCH = 500
SAMPLE = 20


@dataclass(slots=True)
class RotationCounts:
    """How many secrets were encrypted again, had the first key already, or cannot be decrypted with any key."""

    re_encrypted: int = 0
    unchanged: int = 0
    unreadable: int = 0

    def add(self, other: "RotationCounts") -> None:
        self.re_encrypted += other.re_encrypted
        self.unchanged += other.unchanged
        self.unreadable += other.unreadable


Progress = Callable[[str, RotationCounts], None]
"""Called after each batch with a column (``table.column``) and the counts of that column so far."""


def encrypted_columns() -> list[Column[Any]]:
    """Every column that holds encrypted secrets: their names end in ``_sealed``."""
    columns = (column for table in SQLModel.metadata.sorted_tables for column in table.columns)
    return [column for column in columns if column.name.endswith("_sealed")]


async def re_encrypt_all(database: Database, encryption: Encryption, progress: Progress) -> RotationCounts:
    """Encrypt everything with the first key. What no key decrypts is counted and not changed."""
    total = RotationCounts()
    for column in encrypted_columns():
        counts = RotationCounts()
        async for rows in _batches(database, column):
            counts.add(await _re_encrypt_rows(database, encryption, column, rows))
            progress(str(column), counts)
        total.add(counts)
    return total


async def has_unreadable_secrets(database: Database, encryption: Encryption) -> bool:
    """Whether a stored secret cannot be decrypted with any key, judged by a sample of each column."""
    async with database.session() as session:
        for column in encrypted_columns():
            sample = select(column).where(column.is_not(None), column != "").limit(SAMPLE)
            secrets = (await (await session.connection()).execute(sample)).scalars()
            if not all(map(encryption.can_decrypt, secrets)):
                return True
    return False


async def _batches(database: Database, column: Column[Any]) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows with a secret in this column: the primary key's columns, then the secret."""
    key = column.table.primary_key.columns
    query = select(*key, column).where(column.is_not(None), column != "").order_by(*key).limit(BATCH)
    rows = await _fetch(database, query)
    while rows:
        yield rows
        rows = await _fetch(database, query.where(tuple_(*key) > tuple_(*rows[-1][:-1])))


async def _fetch(database: Database, query: Any) -> Sequence[Row[Any]]:
    async with database.session() as session:
        return (await (await session.connection()).execute(query)).all()


async def _re_encrypt_rows(
    database: Database, encryption: Encryption, column: Column[Any], rows: Sequence[Row[Any]]
) -> RotationCounts:
    counts = RotationCounts()
    async with database.writing() as session:
        connection = await session.connection()
        for row in rows:
            try:
                is_changed = await _re_encrypt_row(connection, encryption, column, row[:-1], row[-1])
            except SecretUnreadable:
                counts.unreadable += 1
            else:
                counts.re_encrypted += is_changed
                counts.unchanged += not is_changed
    return counts


async def _re_encrypt_row(
    connection: AsyncConnection, encryption: Encryption, column: Column[Any], key: Sequence[Any], secret: str | None
) -> bool:
    """Whether the row was changed; one replaced since it was read is read again. Raises ``SecretUnreadable``."""
    this = [part == value for part, value in zip(column.table.primary_key.columns, key, strict=True)]
    while secret and not encryption.uses_newest_key(secret):
        unchanged = update(column.table).where(*this, column == secret)
        if (await connection.execute(unchanged.values({column.name: encryption.re_encrypt(secret)}))).rowcount:
            return True
        secret = (await connection.execute(select(column).where(*this))).scalar()
    return False
