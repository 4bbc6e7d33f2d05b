"""The bot's own database role is created as documented, and can do what the bot does and nothing else."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from storage.database import database_url, open_database
from storage.schema import migrate, upgrade
from tests.support.processes import run_app
from tests.support.storage import postgres
from tests.support.storage.stores import integration, read_integration, stored
from tests.support.tools import ROOT

ROLE = ROOT / "deploy/database-role.sql"
PASSWORD = "Zr8'x"


@pytest.fixture(params=["a superuser", "an administrator in a cloud", "one who created the tables before"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address by which the administrator reaches the database."""
    with postgres.fresh_database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE admin LOGIN CREATEROLE CREATEDB")
        own = url.replace("postgres:@", "admin:@")
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO admin").format(name))
        if "tables" in request.param:
            engine = create_engine(database_url(own), poolclass=NullPool)
            with engine.begin() as before:
                upgrade(before)
        yield url if "superuser" in request.param else own
        connection.execute("DROP OWNED BY presence_app CASCADE")
        connection.execute("DROP ROLE presence_app")
        connection.execute("REASSIGN OWNED BY admin TO postgres")
        connection.execute("DROP OWNED BY admin CASCADE")
        connection.execute("DROP ROLE admin")


def create_role(url: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(postgres.programs() / "psql"), url, "--set=ON_ERROR_STOP=1", "--quiet", f"--file={ROLE}"],
        env={"PATH": os.environ["PATH"], "PGOPTIONS": f"-c presence.password={password}" if password else ""},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_bot_migrates_and_works_with_it_and_can_do_no_more(database: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert (create_role(database).returncode, create_role(database).stderr) == (0, "")
    own = re.sub(r"//\w+:@", "//presence_app:Zr8%27x@", database)
    assert own != database
    async with open_database(own) as store:
        await migrate(store)
        await stored(store, integration())
        assert (await read_integration(store)).id == "i1"
    keys = Fernet.generate_key().decode()
    assert run_app(tmp_path, "rotate-keys", DATABASE_URL=own, SECRET_KEYS=keys)[0] == 1
    with psycopg.connect(own, autocommit=True) as connection:
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert owners == [("presence_app",)]
        name = sql.Identifier(connection.info.dbname)
        for statement in (
            sql.SQL("CREATE DATABASE another"),
            sql.SQL("CREATE ROLE another"),
            sql.SQL("DROP DATABASE {}").format(name),
            sql.SQL("CREATE SCHEMA another"),
            sql.SQL("COPY integration TO PROGRAM 'cat'"),
            sql.SQL("SELECT pg_read_file('/etc/passwd')"),
            sql.SQL("SELECT * FROM pg_authid"),
            sql.SQL("ALTER ROLE presence_app SUPERUSER"),
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse)):
                connection.execute(statement)


async def test_without_a_password_nothing_is_created(database: str) -> None:
    refused = create_role(database, "")
    assert (refused.returncode != 0, "presence.password is not set" in refused.stderr) == (True, True)
    assert create_role(database).returncode == 0
