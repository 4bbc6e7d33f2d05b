"""Notices, and the preferences for them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class Notice(SQLModel, table=True):
    """One warning to one person or channel, unique by its subject, so that it is sent once.

    ``topic`` and ``stage`` are its subject: ``expiry`` and a threshold, or ``problem`` and the problem's id.
    ``state`` is ``waiting``, ``sending`` (claimed; a crash leaves it so), ``sent``, ``unreachable``,
    ``dropped`` (not needed now), ``closing`` (acted upon, its card must still be updated) or ``closed`` (its card
    says by whom). ``due_at`` is when it may be sent, or its card updated, next.
    """

    __table_args__ = (UniqueConstraint("integration_id", "topic", "stage", "audience"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    owner_tenant: str
    topic: str
    stage: str
    audience: str
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: str = "waiting"
    attempts: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    conversation_id: str = ""
    activity_id: str = ""
    closed_by: str = ""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AlertPreference(SQLModel, table=True):
    """How an administrator wants to be warned about an integration (empty id: any). Times as ``HH:MM``.

    ``digest`` is a ``sync.domain.reports.Cadence``, chosen at ``digest_at``.
    """

    owner_tenant: str = Field(primary_key=True)
    user_object_id: str = Field(primary_key=True)
    integration_id: str = Field(primary_key=True, default="")
    muted: bool = False
    quiet_from: str = ""
    quiet_until: str = ""
    time_zone: str = "UTC"
    digest: str = ""
    digest_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AlertChannel(SQLModel, table=True):
    """A channel that is warned too: where to post."""

    owner_tenant: str = Field(primary_key=True)
    conversation_id: str = Field(primary_key=True)
    service_url: str
    bot_id: str
    channel_id: str
    language: str = "en"
    added_by: str = ""
    added_at: datetime = Field(sa_type=UtcDateTime)
    unreachable: bool = False
