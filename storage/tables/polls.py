"""Rounds of polling: which phones are still to be read."""

from datetime import datetime

from sqlalchemy import JSON
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime


class PollChunk(SQLModel, table=True):
    """Phones, by extension, that the integration's current round of polling has still to read, together.

    The lowest position is next. ``began_at`` is when the round began; a ``whole`` one reads everyone.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    extensions: list[str] = Field(sa_column=Column(JSON, nullable=False))
    began_at: datetime = Field(sa_type=UtcDateTime)
    whole: bool = True
