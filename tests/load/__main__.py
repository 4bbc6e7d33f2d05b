"""``python -m tests.load``: a fleet of tenants on one PostgreSQL, and a report."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import psycopg

from tests.load.report import table
from tests.load.run import Plan, run
from tests.support.storage.postgres import fresh_database, server_url


def plan_from(arguments: list[str] | None = None) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    defaults = Plan()
    for field in fields(Plan):
        flag, default = f"--{field.name.replace('_', '-')}", getattr(defaults, field.name)
        if isinstance(default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(flag, type=type(default), default=default)
    return Plan(**vars(parser.parse_args(arguments)))


@contextmanager
def writing_durably() -> Iterator[None]:
    """The tests' server does not wait for its disk; under load it must."""
    _set_fsync("on")
    try:
        yield
    finally:
        _set_fsync("off")


def _set_fsync(value: str) -> None:
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET fsync = {value}")
        connection.execute("SELECT pg_reload_conf()")


def main() -> int:
    """Exit code 1: an alarm, such as a wrong presence in the end or a quota exceeded."""
    plan = plan_from()
    logs = Path(tempfile.mkdtemp(prefix="load-"))
    print(f"Logs are in {logs}.", file=sys.stderr)
    with writing_durably(), fresh_database() as url:
        outcome = asyncio.run(run(plan, url, logs))
    print(table(outcome))
    return int(bool(outcome.alarms))


if __name__ == "__main__":
    sys.exit(main())
