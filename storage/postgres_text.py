"""Texts in PostgreSQL: it keeps no NUL in one, and names from outside may hold one."""

from typing import Any

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown


class NulStrippingDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", ""))


def strip_nul(_connection: Any, record: Any) -> None:
    """For each new connection: a NUL is left out of what is written and asked for."""
    record.driver_connection.adapters.register_dumper(str, NulStrippingDumper)
