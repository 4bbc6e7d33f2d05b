"""Every secret is encrypted with the first key, whatever is written during the run; none is lost or overwritten."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Column, insert, select
from sqlmodel import SQLModel

from storage import key_rotation
from storage.database import Database
from storage.encryption import Encryption
from storage.key_rotation import RotationCounts, encrypted_columns, has_unreadable_secrets, re_encrypt_all
from storage.tables.conversations import Draft
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from tests.support.clocks import NOON
from tests.support.stores import empty_store, integration, read_integration, stored

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
BOTH = Encryption([NEW, OLD])
COLUMNS = encrypted_columns()


def no_progress(name: str, counts: RotationCounts) -> None: ...


def secret_of(column: Column[Any]) -> str:
    return f"the secret in {column}"


def values_of(table: Any, encryption: Encryption) -> dict[str, Any]:
    """A row of ``table`` with a secret in every encrypted column, encrypted by ``encryption``."""
    rows: Mapping[str, SQLModel] = {
        "integration": integration(),
        "draft": Draft(tenant_id="t1", user_object_id="ada", step="azure", updated_at=NOON),
        "rotation": Rotation(integration_id="i1", owner_tenant="t1", kind="by_hand", step="wait", started_at=NOON),
    }
    sealed = {column.name: encryption.encrypt(secret_of(column)) for column in COLUMNS if column.table is table}
    return rows[table.name].model_dump() | sealed


async def fill(database: Database, encryption: Encryption) -> None:
    async with database.engine.begin() as connection:
        for table in SQLModel.metadata.sorted_tables:
            if any(column.table is table for column in COLUMNS):
                await connection.execute(insert(table).values(values_of(table, encryption)))


async def secrets_in(database: Database) -> dict[str, str]:
    async with database.engine.connect() as connection:
        return {str(column): (await connection.execute(select(column))).scalar_one() for column in COLUMNS}


async def test_every_encrypted_column_of_every_table_is_re_encrypted(tmp_path: Path) -> None:
    assert {"integration", "draft", "rotation"} <= {column.table.name for column in COLUMNS}
    async with empty_store(tmp_path) as database:
        await fill(database, Encryption([OLD]))
        reported: dict[str, int] = {}
        counts = await re_encrypt_all(
            database, BOTH, lambda name, counts: reported.update({name: counts.re_encrypted})
        )
        assert counts == RotationCounts(re_encrypted=len(COLUMNS))
        assert reported == {str(column): 1 for column in COLUMNS}
        new = Encryption([NEW])
        opened = {name: new.decrypt(sealed) for name, sealed in (await secrets_in(database)).items()}
        assert opened == {str(column): secret_of(column) for column in COLUMNS}
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts(unchanged=len(COLUMNS))


async def test_what_no_key_decrypts_is_counted_and_not_changed(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, Encryption([FOREIGN]))
        before = await secrets_in(database)
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts(unreadable=len(COLUMNS))
        assert await secrets_in(database) == before


async def test_a_row_without_a_secret_is_skipped(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts()
        async with database.writing() as session:
            session.add(Draft(tenant_id="t1", user_object_id="ada", step="cloudlink", updated_at=NOON))
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts()
        assert not await has_unreadable_secrets(database, BOTH)


async def test_each_row_once_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    async with empty_store(tmp_path) as database:
        old = Encryption([OLD])
        for number in range(7):
            user, key = f"u{number % 3}", old.encrypt(str(number))
            await stored(
                database,
                Draft(
                    tenant_id=f"t{number}",
                    user_object_id=user,
                    step="azure",
                    cloudlink_secret_sealed=key,
                    updated_at=NOON,
                ),
            )
        reported: list[int] = []
        counts = await re_encrypt_all(database, BOTH, lambda _, counts: reported.append(counts.re_encrypted))
        assert counts == RotationCounts(re_encrypted=7)
        assert reported == [2, 4, 6, 7]


@pytest.mark.parametrize("by", [Encryption([NEW, OLD]), Encryption([OLD])])
async def test_a_secret_replaced_during_the_run_is_not_overwritten(tmp_path: Path, by: Encryption) -> None:
    """Between the reading of a batch and its writing; by a bot with the new keys, or by one not restarted yet."""
    async with empty_store(tmp_path) as database:
        await fill(database, Encryption([OLD]))
        (column,) = [column for column in COLUMNS if column.name == "client_secret_sealed"]
        async for rows in key_rotation._batches(database, column):
            await replace_secret(database, by.encrypt("typed in during the run"))
            counts = await key_rotation._re_encrypt_rows(database, BOTH, column, rows)
        assert counts.re_encrypted + counts.unchanged == 1
        row = await read_integration(database)
        assert Encryption([NEW]).decrypt(row.client_secret_sealed) == "typed in during the run"


async def replace_secret(database: Database, sealed: str) -> None:
    async with database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row is not None
        row.client_secret_sealed = sealed


@pytest.mark.parametrize("column", COLUMNS, ids=str)
async def test_a_lost_key_is_noticed_in_a_sample(tmp_path: Path, column: Column[Any]) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, Encryption([NEW]))
        assert not await has_unreadable_secrets(database, BOTH)
        async with database.engine.begin() as connection:
            lost = Encryption([FOREIGN]).encrypt("lost")
            await connection.execute(column.table.update().values({column.name: lost}))
        assert await has_unreadable_secrets(database, BOTH)
