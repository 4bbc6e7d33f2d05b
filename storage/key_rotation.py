"""Seals every secret anew with the first key, so that an older one can be thrown away.

Slice by slice, each a transaction of its own, while the bot works: what somebody writes meanwhile is not
overwritten. Begun again, it goes on with what is left.
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

SLICE = 500
SAMPLE = 20


@dataclass(slots=True)
class RotationCounts:
    """How many secrets were sealed anew, had the first key already, or can be opened with no key at hand."""

    anew: int = 0
    already: int = 0
    unreadable: int = 0

    def add(self, other: "RotationCounts") -> None:
        self.anew += other.anew
        self.already += other.already
        self.unreadable += other.unreadable


Told = Callable[[str, RotationCounts], None]
"""Is told a column (``table.column``) and how many of its secrets are through."""


def encrypted_columns() -> list[Column[Any]]:
    """Every column that holds sealed secrets; by their name."""
    everywhere = (column for table in SQLModel.metadata.sorted_tables for column in table.columns)
    return [column for column in everywhere if column.name.endswith("_sealed")]


async def re_encrypt_all(database: Database, encryption: Encryption, told: Told) -> RotationCounts:
    """Seal everything with the first key. What no key opens stays as it is, and is counted."""
    everything = RotationCounts()
    for column in encrypted_columns():
        counts = RotationCounts()
        async for rows in _slices(database, column):
            counts.add(await _reseal_rows(database, encryption, column, rows))
            told(str(column), counts)
        everything.add(counts)
    return everything


async def has_unreadable_secrets(database: Database, encryption: Encryption) -> bool:
    """Whether secrets are stored that no key at hand opens, as far as a few of each column tell."""
    async with database.session() as session:
        for column in encrypted_columns():
            sample = select(column).where(column.is_not(None), column != "").limit(SAMPLE)
            found = (await (await session.connection()).execute(sample)).scalars()
            if not all(encryption.can_decrypt(sealed) for sealed in found):
                return True
    return False


async def _slices(database: Database, column: Column[Any]) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows with a secret in this column: their keys, then the secret."""
    key = column.table.primary_key.columns
    query = select(*key, column).where(column.is_not(None), column != "").order_by(*key).limit(SLICE)
    rows: Sequence[Row[Any]] = await _read(database, query)
    while rows:
        yield rows
        rows = await _read(database, query.where(tuple_(*key) > tuple_(*rows[-1][:-1])))


async def _read(database: Database, query: Any) -> Sequence[Row[Any]]:
    async with database.session() as session:
        return (await (await session.connection()).execute(query)).all()


async def _reseal_rows(
    database: Database, encryption: Encryption, column: Column[Any], rows: Sequence[Row[Any]]
) -> RotationCounts:
    counts = RotationCounts()
    async with database.writing() as session:
        connection = await session.connection()
        for row in rows:
            try:
                is_new = await _reseal_one(connection, encryption, column, row[:-1], row[-1])
            except SecretUnreadable:
                counts.unreadable += 1
            else:
                counts.anew += is_new
                counts.already += not is_new
    return counts


async def _reseal_one(
    connection: AsyncConnection, encryption: Encryption, column: Column[Any], key: Sequence[Any], sealed: str | None
) -> bool:
    """Whether there was anything to do. Raises ``Unreadable``."""
    this = [part == value for part, value in zip(column.table.primary_key.columns, key, strict=True)]
    while sealed and not encryption.uses_newest_key(sealed):
        change = (
            update(column.table).where(*this, column == sealed).values({column.name: encryption.re_encrypt(sealed)})
        )
        if (await connection.execute(change)).rowcount:
            return True
        sealed = (await connection.execute(select(column).where(*this))).scalar()
    return False
