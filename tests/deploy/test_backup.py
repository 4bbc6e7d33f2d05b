"""The guide's commands that back up, restore and change the key are run literally; their files are closed.

Only what a test machine lacks is replaced: ``sudo``, ``systemctl`` and ``docker`` are scripts, and the system's
folders are the test's own.
"""

import os
import subprocess
import sys
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
from tests.support.tools import ROOT

SCRIPTS = {
    "sudo": '[ "$1" != -u ] || shift 2; exec "$@"',
    "systemctl": "true",
    "docker": 'while [ "$1" != exec ]; do [ $# -gt 1 ] || exit 0; shift; done; shift 3; exec "$@"',
}

SEALED = ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")


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

    def run(self, words: str) -> str:
        """Run the block of the guide that holds ``words``; returns what it prints."""
        commands = block_with(words)
        for folder in ("/var/lib/private", "/var/backups", "/etc/cloudlink-presence", "/run/cloudlink"):
            commands = commands.replace(folder, f"{self.root}{folder}")
        commands = commands.replace("/opt/cloudlink-presence", str(ROOT)).replace(
            ".venv/bin/python", sys.executable
        )
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"umask 000\n{commands}"],
            cwd=self.root,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "HOME": str(self.root),
                "PATH": os.pathsep.join((str(self.root / "bin"), str(postgres.programs()), os.environ["PATH"])),
                "PGHOST": postgres.server_url().partition("?host=")[2] if "presence.dump" in commands else "",
                "PGUSER": "presence",
            },
        ).stdout

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


@pytest.mark.parametrize(
    ("program", "secrets", "backup", "copy_of_key"),
    [
        ("exec -T database", "deploy/secrets", "presence-backup", "presence-key"),
        ("sudo -u postgres", "etc/cloudlink-presence/secrets", "var/backups/presence", "var/backups/presence-key"),
    ],
    ids=["in a container", "of one's own"],
)
async def test_postgresql_while_the_bot_works(
    program: str, secrets: str, backup: str, copy_of_key: str, machine: Machine, presence: str
) -> None:
    key = Fernet.generate_key().decode()
    file = machine.root / secrets / "secret_keys"
    file.parent.mkdir(parents=True)
    (machine.root / "var/backups").mkdir(parents=True)
    file.write_text(key)
    async with open_database(presence) as database:
        await stored(database, with_secrets(integration(), Encryption([key]), client_secret_sealed="hunter2"))
        machine.run(f"{program} pg_dump")
        machine.run(f"{secrets}/secret_keys ")
        await change(database)
        async with database.engine.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE of_a_newer_release (id integer)")
    assert machine.modes(backup, copy_of_key) == {
        Path(backup).name: "0o700",
        "presence.dump": "0o600",
        "presence-key": "0o700",
        "secret_keys": "0o600",
    }
    file.unlink()
    machine.run(f"{program} pg_restore")
    found = Encryption([file.read_text()])
    async with open_database(presence) as database:
        assert decrypted(found, await read_integration(database), "client_secret_sealed") == "hunter2"
        with pytest.raises(AssertionError):
            await read_integration(database, "i2")
        async with database.engine.connect() as connection:
            newer = await connection.exec_driver_sql("SELECT to_regclass('of_a_newer_release')")
            assert newer.scalar() is None


async def with_its_secrets(url: str, key: str) -> None:
    secrets = dict.fromkeys(SEALED, "hunter2")
    async with open_database(url) as database:
        await stored(database, with_secrets(integration(), Encryption([key]), **secrets))


async def check_the_key(url: str, key: str) -> None:
    async with open_database(url) as database:
        assert decrypted(Encryption([key]), await read_integration(database), "client_secret_sealed") == "hunter2"


async def test_the_key_is_replaced_on_one_machine(machine: Machine) -> None:
    old, url = key_from_file(machine.data / "secret.key"), sqlite_with_tables(machine.data)
    await with_its_secrets(url, old)
    secrets = machine.root / "etc/cloudlink-presence/secrets"
    secrets.parent.mkdir(parents=True)
    secrets.mkdir(0o700)
    last = "3 secrets encrypted again with the first key, 0 had it already."
    assert machine.run("test -e secret_keys").splitlines()[-1] == last
    assert machine.run("test -e secret_keys").endswith(
        "0 secrets encrypted again with the first key, 3 had it already.\n"
    )
    assert machine.modes(str(secrets)) == {"secrets": "0o700", "secret_keys": "0o600"}
    machine.run("rm /etc/cloudlink-presence/secrets/secret_keys")
    new = key_from_file(machine.data / "secret.key")
    assert (new != old, list(secrets.iterdir())) == (True, [])
    await check_the_key(url, new)


async def test_the_key_is_replaced_with_web_and_workers(machine: Machine, presence: str) -> None:
    old = Fernet.generate_key().decode()
    await with_its_secrets(presence, old)
    secrets = machine.root / "etc/cloudlink-presence/secrets"
    secrets.mkdir(parents=True)
    keys = secrets / "secret_keys"
    keys.write_text(old)
    (secrets / "database_url").write_text(presence)
    machine.run("$(cat secret_keys)")
    said = [machine.run("/run/cloudlink-presence-web CREDENTIALS").splitlines()[-1] for _ in range(2)]
    assert said == [
        "3 secrets encrypted again with the first key, 0 had it already.",
        "0 secrets encrypted again with the first key, 3 had it already.",
    ]
    machine.run("$(cut -d, -f1 secret_keys)")
    new = keys.read_text().strip()
    assert new != old
    await check_the_key(presence, new)
