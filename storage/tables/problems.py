"""Problems an administrator must act on."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, text
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id

_OPEN = text("healed_at IS NULL")


class Problem(SQLModel, table=True):
    """Trouble of an integration, one open row for each fault: open while ``healed_at`` is None.

    ``lasting`` tells credentials that a human must mend from a service that is unwell for a while.
    ``checked_at`` is when it was last seen to be still so.
    """

    __table_args__ = (Index("ix_problem_open", "integration_id", sqlite_where=_OPEN, postgresql_where=_OPEN),)

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    service: str
    fault: str
    lasting: bool = False
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    since: datetime = Field(sa_type=UtcDateTime)
    checked_at: datetime = Field(sa_type=UtcDateTime)
    healed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
