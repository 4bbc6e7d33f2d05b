"""Alembic's entry: runs the migrations on the connection that ``storage.schema`` passes in.

A new migration, after a change in ``storage/tables``:
``python -m storage.migrations "What changes"`` writes it; then set ``storage.schema.HEAD``.
"""

from typing import Any, Literal

from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from storage import tables  # noqa: F401


def plain_strings(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    render_item=plain_strings,
)
with context.begin_transaction():
    context.run_migrations()
