"""Encrypts stored secrets again: with the first key, so that older keys can be removed, and for their place.

It works in batches, each in its own transaction, while bots run: a secret that is replaced in the meantime is not
overwritten. After an interruption, a second run continues with the rest.

Releases before 0.2 stored bare Fernet tokens, which decrypt in any place. Only this module reads them, until a run
leaves none and stores the row of ``SecretsBound``: from then on a bare token is refused like any other text.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from storage import tables  # noqa: F401
from storage.database import Database, insert_or_ignore
from storage.encryption import PLACES, PREFIX, Encryption, SecretUnreadable, place_in
from storage.tables.secrets import SecretsBound

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

Renew = Callable[[str, bytes], str | None]
"""The new text of a secret in its place; None if it stays as it is. Raises ``SecretUnreadable``."""


def encrypted_columns() -> list[Column[Any]]:
    """Every column that holds encrypted secrets: their names end in ``_sealed``."""
    columns = (column for table in SQLModel.metadata.sorted_tables for column in table.columns)
    return [column for column in columns if column.name.endswith("_sealed")]


async def re_encrypt_all(database: Database, encryption: Encryption, progress: Progress) -> RotationCounts:
    """Encrypt everything with the first key. What no key decrypts is counted and not changed."""
    reads_bare = not await _all_bound(database)

    def renew(secret: str, place: bytes) -> str | None:
        if reads_bare and _is_bare(secret):
            return encryption.bind(secret, place)
        is_newest = encryption.uses_newest_key(secret, place)
        return None if is_newest else encryption.encrypt(encryption.decrypt(secret, place), place)

    total = RotationCounts()
    for column in encrypted_columns():
        total.add(await _renew_column(database, column, renew, progress))
    await _note_if_all_bound(database)
    return total


async def bind_all(database: Database, encryption: Encryption) -> None:
    """Encrypt the bare tokens of an earlier release for their places. What no key decrypts is not changed."""
    if await _all_bound(database):
        return

    def renew(secret: str, place: bytes) -> str | None:
        return encryption.bind(secret, place) if _is_bare(secret) else None

    for column in encrypted_columns():
        await _renew_column(database, column, renew, lambda *_: None, _bare(column))
    await _note_if_all_bound(database)


async def has_unreadable_secrets(database: Database, encryption: Encryption) -> bool:
    """Whether a stored secret cannot be decrypted with any key, judged by a sample of each column."""
    for column in encrypted_columns():
        rows = await _fetch(database, _secrets(column).limit(SAMPLE))
        if not all(encryption.can_decrypt(row[-1], place_in(column, row[:-1])) for row in rows):
            return True
    return False


def _is_bare(secret: str) -> bool:
    return not secret.startswith(PREFIX)


def _bare(column: Column[Any]) -> ColumnElement[bool]:
    return column.not_like(f"{PREFIX}%")


async def _all_bound(database: Database) -> bool:
    async with database.session() as session:
        return await session.get(SecretsBound, 1) is not None


async def _note_if_all_bound(database: Database) -> None:
    async with database.writing() as session:
        connection = await session.connection()
        for column in encrypted_columns():
            if (await connection.execute(_secrets(column).where(_bare(column)).limit(1))).first():
                return
        await session.exec(insert_or_ignore(session, SecretsBound).values(id=1))


async def _renew_column(
    database: Database, column: Column[Any], renew: Renew, progress: Progress, *which: ColumnElement[bool]
) -> RotationCounts:
    counts = RotationCounts()
    async for rows in _batches(database, column, *which):
        counts.add(await _renew_rows(database, column, renew, rows))
        progress(str(column), counts)
    return counts


def _secrets(column: Column[Any]) -> Any:
    """The rows with a secret in this column: the columns of their place, then the secret."""
    return select(*_place(column), column).where(column.is_not(None), column != "")


def _place(column: Column[Any]) -> list[Column[Any]]:
    return [column.table.columns[name] for name in PLACES[column.table.name]]


async def _batches(
    database: Database, column: Column[Any], *which: ColumnElement[bool]
) -> AsyncIterator[Sequence[Row[Any]]]:
    place = _place(column)
    query = _secrets(column).where(*which).order_by(*place).limit(BATCH)
    rows = await _fetch(database, query)
    while rows:
        yield rows
        rows = await _fetch(database, query.where(tuple_(*place) > tuple_(*rows[-1][:-1])))


async def _fetch(database: Database, query: Any) -> Sequence[Row[Any]]:
    async with database.session() as session:
        return (await (await session.connection()).execute(query)).all()


async def _renew_rows(
    database: Database, column: Column[Any], renew: Renew, rows: Sequence[Row[Any]]
) -> RotationCounts:
    counts = RotationCounts()
    async with database.writing() as session:
        connection = await session.connection()
        for row in rows:
            try:
                is_changed = await _renew_row(connection, column, renew, row[:-1], row[-1])
            except SecretUnreadable:
                counts.unreadable += 1
            else:
                counts.re_encrypted += is_changed
                counts.unchanged += not is_changed
    return counts


async def _renew_row(
    connection: AsyncConnection, column: Column[Any], renew: Renew, place: Sequence[Any], secret: str | None
) -> bool:
    """Whether the row was changed; one replaced since it was read is read again. Raises ``SecretUnreadable``."""
    this = [part == value for part, value in zip(_place(column), place, strict=True)]
    while secret and (renewed := renew(secret, place_in(column, place))):
        unchanged = update(column.table).where(*this, column == secret)
        if (await connection.execute(unchanged.values({column.name: renewed}))).rowcount:
            return True
        secret = (await connection.execute(select(column).where(*this))).scalar()
    return False
