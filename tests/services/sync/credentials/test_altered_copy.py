"""Someone who can write to the database, or restores an altered copy of it, gains no secret by that."""

from itertools import product
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.encryption import Encryption
from storage.key_rotation import encrypted_columns
from storage.keys import open_encryption
from storage.tables.conversations import Draft
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Service
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

KEY, FOREIGN = (Fernet.generate_key().decode() for _ in range(2))
ENCRYPTION = Encryption([KEY])
COLUMNS = [column.name for column in encrypted_columns() if column.table.name == "integration"]
ALTERED = {
    "moved to the intruder's row": (
        "UPDATE integration SET client_secret_sealed ="
        " (SELECT client_secret_sealed FROM integration WHERE id = 'i1') WHERE id = 'i2'"
    ),
    "moved to a column that is sent elsewhere": (
        "UPDATE integration SET cloudlink_secret_sealed = client_secret_sealed"
    ),
    "moved to another table": (
        "UPDATE draft SET client_secret_sealed = (SELECT client_secret_sealed FROM integration WHERE id = 'i1')"
    ),
    "the row given to the intruder's tenant": "UPDATE integration SET owner_tenant = 't2' WHERE id = 'i1'",
    "the row under another id": "UPDATE integration SET id = 'i3' WHERE id = 'i1'",
    "cut off": "UPDATE integration SET client_secret_sealed = substr(client_secret_sealed, 1, 60)",
    "emptied": "UPDATE integration SET client_secret_sealed = ''",
    "two exchanged": (
        "UPDATE integration SET client_secret_sealed = cloudlink_secret_sealed,"
        " cloudlink_secret_sealed = client_secret_sealed"
    ),
}


async def fill(database: Database) -> None:
    """Ours, with a secret in each column, and what the intruder has."""
    for name, owner in (("i1", "t1"), ("i2", "t2")):
        row = integration(id=name, owner_tenant=owner, client_id=f"app of {name}")
        await stored(database, with_secrets(row, ENCRYPTION, **dict.fromkeys(COLUMNS, f"hunter2 of {name}")))
    draft = Draft(tenant_id="t2", user_object_id="eve", step="azure", updated_at=NOON)
    await stored(database, with_secrets(draft, ENCRYPTION, client_secret_sealed="hunter2 of eve"))


async def refusals(session: AsyncSession) -> set[Fault]:
    """Why secrets cannot be read; each of the others is what was stored there."""
    store, found = CredentialStore(ENCRYPTION), set[Fault]()
    rows = [*(await session.exec(select(Integration))).all(), *(await session.exec(select(Draft))).all()]
    for row, column in product(rows, COLUMNS):
        name = row.id if isinstance(row, Integration) else "eve"
        try:
            if getattr(row, column, None) is not None:
                assert store.decrypt(row, column, Service.ENTRA) == f"hunter2 of {name}"
        except CredentialsWrong as error:
            found.add(error.fault)
    return found


async def test_what_was_altered_is_unreadable(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with empty_store(tmp_path) as database:
        await fill(database)
        for name, statement in ALTERED.items():
            with subtests.test(name):
                async with AsyncSession(database.engine) as session:
                    assert await refusals(session) == set()
                    session.expunge_all()
                    await session.exec(text(statement))  # type: ignore[call-overload]
                    assert await refusals(session) == {Fault.SECRET_UNREADABLE}


async def test_with_another_key_nothing_of_a_copy_is_read_and_the_start_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also after a rotation of the keys of which a restored backup knows nothing."""
    async with empty_store(tmp_path) as database:
        await fill(database)
        for keys, is_readable in (([FOREIGN], False), ([FOREIGN, KEY], True)):
            store, row = CredentialStore(Encryption(keys)), await read_integration(database)
            assert [store.can_decrypt(row, column) for column in COLUMNS] == [is_readable] * len(COLUMNS)
            await open_encryption(database, keys)
            assert ("secrets_unreadable" in capsys.readouterr().out) is not is_readable
