"""Conversations with people, their drafts, and the buttons they pressed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class Conversation(SQLModel, table=True):
    """A personal chat: where to send proactive messages, and in which language.

    ``language`` is None until the person has typed something, empty while it is the client's. ``admin_as`` is the
    entry of ``ADMINS`` that admitted the person, empty when none did; ``time_zone`` is that of the person's client
    (``Europe/Lisbon``), empty when it is not known.
    """

    tenant_id: str = Field(primary_key=True)
    user_object_id: str = Field(primary_key=True)
    service_url: str
    conversation_id: str
    user_id: str
    bot_id: str
    channel_id: str
    locale: str = ""
    language: str | None = None
    welcomed: bool = False
    unreachable: bool = False
    admin_as: str = ""
    name: str = ""
    time_zone: str = ""
    seen_at: datetime = Field(sa_type=UtcDateTime)


class Draft(SQLModel, table=True):
    """A setup in progress: what was typed so far, secrets encrypted. A refused secret is not kept."""

    tenant_id: str = Field(primary_key=True)
    user_object_id: str = Field(primary_key=True)
    id: str = Field(default_factory=new_id, unique=True)
    step: str
    values: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cloudlink_secret_sealed: str | None = Field(default=None, repr=False)
    client_secret_sealed: str | None = Field(default=None, repr=False)
    integration_id: str | None = None
    card_id: str = ""
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Press(SQLModel, table=True):
    """A pressed button, stored to deduplicate presses. ``stamp`` is the id of the card.

    ``locked_by`` is the process in which its act runs, empty once the act has ended.
    """

    owner_tenant: str = Field(primary_key=True)
    stamp: str = Field(primary_key=True)
    verb: str = Field(primary_key=True)
    pressed_by: str = ""
    locked_by: str = ""
    at: datetime = Field(sa_type=UtcDateTime, index=True)
