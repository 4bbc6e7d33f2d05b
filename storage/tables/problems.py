"""Problems an administrator must act on."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, text
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id

_OPEN = text("healed_at IS NULL")


class Problem(SQLModel, table=True):
    """A problem of an integration, one open row for each service and fault: open while ``healed_at`` is None.

    A ``lasting`` one needs an administrator, who must correct credentials; another ends when the service is
    available again. ``checked_at`` is when it was last observed.
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
