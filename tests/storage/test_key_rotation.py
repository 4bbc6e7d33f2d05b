"""Every secret is encrypted with the first key, whatever is written during the run; none is lost or overwritten."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Column
from sqlmodel import SQLModel, select

from storage import key_rotation
from storage.database import Database
from storage.encryption import Encryption, SecretUnreadable, place_of
from storage.key_rotation import (
    RotationCounts,
    bind_all,
    encrypted_columns,
    has_unreadable_secrets,
    re_encrypt_all,
)
from storage.tables.conversations import Draft
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from tests.support.clocks import NOON
from tests.support.storage.stores import decrypted, empty_store, integration, read_integration, stored, with_secrets

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
BOTH = Encryption([NEW, OLD])
COLUMNS = encrypted_columns()
ALL = {str(column): f"the secret in {column}" for column in COLUMNS}


def no_progress(name: str, counts: RotationCounts) -> None: ...


def secret_of(column: Column[Any]) -> str:
    return ALL[str(column)]


def rows_with(encrypt: Callable[[str, bytes], str]) -> list[SQLModel]:
    """A row of each table with a secret in every encrypted column."""
    rows: Mapping[str, SQLModel] = {
        "integration": integration(),
        "draft": Draft(tenant_id="t1", user_object_id="ada", step="azure", updated_at=NOON),
        "rotation": Rotation(integration_id="i1", owner_tenant="t1", kind="by_hand", step="wait", started_at=NOON),
    }
    for column in COLUMNS:
        row = rows[column.table.name]
        setattr(row, column.name, encrypt(secret_of(column), place_of(row, column.name)))
    return list(rows.values())


def bare(key: str) -> Callable[[str, bytes], str]:
    """Encrypts as releases before 0.2 did."""
    return lambda secret, _: Fernet(key).encrypt(secret.encode()).decode()


async def fill(database: Database, encrypt: Callable[[str, bytes], str]) -> None:
    await stored(database, *rows_with(encrypt))


async def secrets_in(database: Database) -> dict[str, str]:
    async with database.engine.connect() as connection:
        return {str(column): (await connection.execute(select(column))).scalar_one() for column in COLUMNS}


async def opened(database: Database, encryption: Encryption) -> dict[str, str]:
    """Every secret that decrypts in its place."""
    found = {}
    async with database.session() as session:
        for table in (Integration, Draft, Rotation):
            row = (await session.exec(select(table))).one()
            for column in COLUMNS:
                if column.table.name == row.__tablename__ and getattr(row, column.name):
                    with suppress(SecretUnreadable):
                        found[str(column)] = decrypted(encryption, row, column.name)
    return found


@pytest.mark.parametrize("encrypt", [Encryption([OLD]).encrypt, bare(OLD)], ids=["bound", "bare"])
async def test_every_encrypted_column_of_every_table_is_re_encrypted(
    tmp_path: Path, encrypt: Callable[[str, bytes], str]
) -> None:
    assert {"integration", "draft", "rotation"} <= {column.table.name for column in COLUMNS}
    async with empty_store(tmp_path) as database:
        await fill(database, encrypt)
        reported: dict[str, int] = {}
        counts = await re_encrypt_all(
            database, BOTH, lambda name, counts: reported.update({name: counts.re_encrypted})
        )
        assert counts == RotationCounts(re_encrypted=len(COLUMNS))
        assert reported == {str(column): 1 for column in COLUMNS}
        assert await opened(database, Encryption([NEW])) == ALL
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts(unchanged=len(COLUMNS))


@pytest.mark.parametrize("encrypt", [Encryption([FOREIGN]).encrypt, bare(FOREIGN)], ids=["bound", "bare"])
async def test_what_no_key_decrypts_is_counted_and_not_changed(
    tmp_path: Path, encrypt: Callable[[str, bytes], str]
) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, encrypt)
        before = await secrets_in(database)
        assert await re_encrypt_all(database, BOTH, no_progress) == RotationCounts(unreadable=len(COLUMNS))
        await bind_all(database, BOTH)
        assert await secrets_in(database) == before


async def test_the_start_binds_bare_tokens_and_changes_no_other(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, bare(OLD))
        await stored(database, with_secrets(integration(id="i2"), Encryption([OLD]), client_secret_sealed="bound"))
        other = (await read_integration(database, "i2")).client_secret_sealed
        await bind_all(database, BOTH)
        async with database.writing() as session:
            row = await session.get(Integration, "i2")
            assert row is not None
            assert row.client_secret_sealed == other
            await session.delete(row)
        assert await opened(database, Encryption([NEW])) == ALL


async def test_no_bare_token_is_read_once_all_are_bound(tmp_path: Path) -> None:
    """Of a backup of the time before, put into another tenant's row."""
    async with empty_store(tmp_path) as database:
        await fill(database, bare(NEW))
        await bind_all(database, BOTH)
        planted = Fernet(NEW).encrypt(b"a neighbour's secret").decode()
        await replace_secret(database, planted)
        await bind_all(database, BOTH)
        counts = await re_encrypt_all(database, BOTH, no_progress)
        assert counts == RotationCounts(unchanged=len(COLUMNS) - 1, unreadable=1)
        assert (await read_integration(database)).client_secret_sealed == planted
        assert await has_unreadable_secrets(database, BOTH)


async def test_a_bare_token_without_its_key_waits_for_the_key(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, bare(OLD))
        await bind_all(database, Encryption([NEW]))
        assert await has_unreadable_secrets(database, Encryption([NEW]))
        await bind_all(database, BOTH)
        assert await opened(database, Encryption([NEW])) == ALL


async def test_several_processes_bind_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "BATCH", 3)
    async with empty_store(tmp_path) as database:
        token = Fernet(OLD).encrypt(b"hunter2").decode()
        rows = [integration(id=f"i{number}", client_secret_sealed=token) for number in range(20)]
        for row in rows:
            row.cloudlink_secret_sealed = row.webhook_token_sealed = ""
        await stored(database, *rows)
        await asyncio.gather(*(bind_all(database, BOTH) for _ in range(4)))
        async with database.session() as session:
            found = (await session.exec(select(Integration))).all()
        assert [decrypted(BOTH, row, "client_secret_sealed") for row in found] == ["hunter2"] * 20


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
            user = f"u{number % 3}"
            row = Draft(tenant_id=f"t{number}", user_object_id=user, step="azure", updated_at=NOON)
            await stored(database, with_secrets(row, old, cloudlink_secret_sealed=str(number)))
        reported: list[int] = []
        counts = await re_encrypt_all(database, BOTH, lambda _, counts: reported.append(counts.re_encrypted))
        assert counts == RotationCounts(re_encrypted=7)
        assert reported == [2, 4, 6, 7]


@pytest.mark.parametrize("by", [Encryption([NEW, OLD]).encrypt, Encryption([OLD]).encrypt, bare(OLD)])
@pytest.mark.parametrize("run", [re_encrypt_all, bind_all])
async def test_a_secret_replaced_during_the_run_is_not_overwritten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: Callable[[str, bytes], str],
    run: Callable[..., Awaitable[object]],
) -> None:
    """Between the reading of a batch and its writing; by a bot with the new keys, or by one not restarted yet."""
    async with empty_store(tmp_path) as database:
        await fill(database, bare(OLD))
        read, place = key_rotation._fetch, place_of(await read_integration(database), "client_secret_sealed")

        async def fetch_and_replace(*arguments: Any) -> Any:
            rows = await read(*arguments)
            await replace_secret(database, by("typed in during the run", place))
            return rows

        monkeypatch.setattr(key_rotation, "_fetch", fetch_and_replace)
        await run(database, BOTH, *([no_progress] if run is re_encrypt_all else []))
        monkeypatch.undo()
        await bind_all(database, BOTH)
        found = await read_integration(database)
        assert decrypted(BOTH, found, "client_secret_sealed") == "typed in during the run"


async def replace_secret(database: Database, sealed: str) -> None:
    async with database.writing() as session:
        row = await session.get(Integration, "i1")
        assert row is not None
        row.client_secret_sealed = sealed


@pytest.mark.parametrize("column", COLUMNS, ids=str)
async def test_a_lost_key_is_noticed_in_a_sample(tmp_path: Path, column: Column[Any]) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database, Encryption([NEW]).encrypt)
        assert not await has_unreadable_secrets(database, BOTH)
        async with database.engine.begin() as connection:
            lost = Encryption([FOREIGN]).encrypt("lost", b"")
            await connection.execute(column.table.update().values({column.name: lost}))
        assert await has_unreadable_secrets(database, BOTH)
