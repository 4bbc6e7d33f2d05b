"""The guide's commands that back up and restore are run literally, and what they make is read by nobody else.

Only what a test machine lacks is replaced: ``sudo``, ``systemctl`` and ``docker`` are scripts, and the system's
folders are the test's own.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.keys import key_from_file
from tests.deploy.test_guide import block_with
from tests.support.processes import run_app
from tests.support.storage import postgres
from tests.support.storage.stores import (
    decrypted,
    integration,
    read_integration,
    sqlite_with_tables,
    stored,
    with_secrets,
)

SCRIPTS = {
    "sudo": 'exec "$@"',
    "systemctl": "true",
    "docker": 'while [ "$1" != exec ]; do [ $# -gt 1 ] || exit 0; shift; done; shift 3; exec "$@"',
}


class Machine:
    """Where the commands are run: their folders lie under ``root``, and new files are open to all by its umask."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "var/lib/private/cloudlink-presence"
        self.secrets = root / "deploy/secrets"
        for name, script in SCRIPTS.items():
            program = root / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/bash\n{script}\n")
            program.chmod(0o755)

    def run(self, words: str) -> None:
        """Run the block of the guide that holds ``words``."""
        commands = block_with(words)
        for folder in ("/var/lib/private", "/var/backups"):
            commands = commands.replace(folder, f"{self.root}{folder}")
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"umask 000\n{commands}"],
            cwd=self.root,
            check=True,
            env={
                "HOME": str(self.root),
                "PATH": os.pathsep.join((str(self.root / "bin"), str(postgres.programs()), os.environ["PATH"])),
                "PGHOST": postgres.server_url().partition("?host=")[2] if "docker" in commands else "",
            },
        )

    def modes(self, *folders: str) -> dict[str, str]:
        """Of each folder and all that is in it."""
        found = [path for folder in folders for path in ((self.root / folder), *(self.root / folder).iterdir())]
        return {path.name: oct(path.stat().st_mode & 0o777) for path in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def change(database: Database) -> None:
    """What the restore has to undo."""
    await stored(database, integration(id="i2"))


async def test_sqlite_while_the_bot_works(machine: Machine) -> None:
    key = key_from_file(machine.data / "secret.key")
    (machine.root / "var/backups").mkdir()
    url = sqlite_with_tables(machine.data)
    async with open_database(url) as database:
        row = with_secrets(integration(), Encryption([key]), client_secret_sealed="hunter2")
        await stored(database, row)
        assert (machine.data / "presence.db-wal").stat().st_size
        for _ in range(2):
            machine.run("VACUUM INTO")
            machine.run("secret.key /var/backups")
        await change(database)
        assert (machine.data / "presence.db-wal").exists()
        kept = {path.name: path.read_bytes() for path in machine.data.iterdir()}
    assert machine.modes("var/backups/presence", "var/backups/presence-key") == {
        "presence": "0o700",
        "presence.db": "0o600",
        "presence-key": "0o700",
        "secret.key": "0o600",
    }
    for name, content in kept.items():  # as after a kill: with a log of changes that the copy does not have
        (machine.data / name).write_bytes(content)
    (machine.data / "secret.key").write_text("lost")
    machine.run("rm -f presence.db-wal")
    assert machine.modes(str(machine.data)) == {
        machine.data.name: "0o700",
        "presence.db": "0o600",
        "secret.key": "0o600",
    }
    code, output, errors = run_app(machine.root, "rotate-keys", DATA_DIR=str(machine.data))
    assert (code, errors) == (1, "")
    assert "integration.client_secret_sealed: 0 again, 1 already, 0 unreadable" in output
    async with open_database(url) as database:
        assert decrypted(Encryption([key]), await read_integration(database), "client_secret_sealed") == "hunter2"
        with pytest.raises(AssertionError):
            await read_integration(database, "i2")


@pytest.fixture
def presence() -> Iterator[str]:
    """A database and a role of the names that the compose file gives them."""
    with psycopg.connect(postgres.server_url(), autocommit=True) as server:
        server.execute("CREATE ROLE presence SUPERUSER LOGIN")
        server.execute(f"CREATE DATABASE presence OWNER presence TEMPLATE {postgres.WITH_TABLES}")
        yield postgres.url_of("presence")
        server.execute("DROP DATABASE presence WITH (FORCE)")
        server.execute("DROP ROLE presence")


async def test_postgresql_while_the_bot_works(machine: Machine, presence: str) -> None:
    key = Fernet.generate_key().decode()
    machine.secrets.mkdir(parents=True)
    (machine.secrets / "secret_keys").write_text(key)
    async with open_database(presence) as database:
        await stored(database, with_secrets(integration(), Encryption([key]), client_secret_sealed="hunter2"))
        machine.run("pg_dump")
        machine.run("install -m 600 deploy/secrets/secret_keys")
        await change(database)
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE of_a_newer_release (id integer)")
    assert machine.modes("presence-backup", "presence-key") == {
        "presence-backup": "0o700",
        "presence.dump": "0o600",
        "presence-key": "0o700",
        "secret_keys": "0o600",
    }
    (machine.secrets / "secret_keys").unlink()
    machine.run("pg_restore")
    found = Encryption([(machine.secrets / "secret_keys").read_text()])
    async with open_database(presence) as database:
        assert decrypted(found, await read_integration(database), "client_secret_sealed") == "hunter2"
        with pytest.raises(AssertionError):
            await read_integration(database, "i2")
        async with database.engine.connect() as connection:
            newer = await connection.exec_driver_sql("SELECT to_regclass('of_a_newer_release')")
            assert newer.scalar() is None
