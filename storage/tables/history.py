"""The audit log: what administrators and the bot did."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class HistoryEntry(SQLModel, table=True):
    """An entry of the audit log: what a person, or the bot, did. It outlives the integration; never a secret.

    ``act`` is a ``sync.audit.Act``; ``result`` is ``done`` or the key of what went wrong.
    """

    __tablename__ = "act"

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    integration_id: str = Field(default="", index=True)
    integration_name: str = ""
    actor_id: str
    actor_name: str = ""
    act: str
    result: str
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime, index=True)
