"""Text in PostgreSQL: it cannot store a NUL character, and names that come from outside may contain one."""

from typing import Any

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown


class NulStrippingDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", ""))


def strip_nul(_connection: Any, record: Any) -> None:
    """For each new connection: leave NUL characters out of every parameter, in writes and in conditions."""
    record.driver_connection.adapters.register_dumper(str, NulStrippingDumper)
