"""Feature updates of an integration."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class FeatureUpdate(SQLModel, table=True):
    """An installation of a feature update: its step and its progress; resumed after a crash.

    ``state``: ``waiting`` (for the one before it), ``running``, ``completed``, ``rolling_back``, ``failed`` or
    ``undone`` (rolled back on request). ``facts`` is what its steps keep for each other and for the rollback.
    ``cards`` are those that show it, while they must be updated.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    owner_tenant: str
    version: int
    state: str
    step: str
    done: int = 0
    total: int = 0
    fault: str = ""
    started_by: str = ""
    started_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cards: list[dict[str, str]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
