"""The tables. Times are UTC; a column named ``*_sealed`` holds a secret encrypted by ``storage.sealing``."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, BigInteger, DateTime, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Column, Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC that stays aware of it: SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


UNSURE = "unsure"
"""The value of ``Person.applied`` while nobody can tell which presence Teams shows from us."""


def new_id() -> str:
    return uuid4().hex


class Integration(SQLModel, table=True):
    """A CloudLink account connected to a Teams tenant. ``owner_tenant`` is the wall: who may see it."""

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    name: str
    enabled: bool = False
    feature_version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)

    cloudlink_region: str = ""
    cloudlink_account_id: str
    cloudlink_client_id: str
    cloudlink_secret_sealed: str = Field(repr=False)

    tenant_id: str
    client_id: str
    client_secret_sealed: str = Field(repr=False)
    secret_expires_on: date | None = None

    webhook_token_sealed: str = Field(repr=False)
    webhook_token_hash: str = Field(unique=True, repr=False)
    subscription_id: str = ""
    subscription_url_hash: str = ""
    subscribed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    subscription_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    polled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    matched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_webhook_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_change_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    quota_spent: list[list[int]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    quota_blocked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)

    removing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Person(SQLModel, table=True):
    """A CloudLink user and, when matched, a Teams user; what Teams should show from us and what it does.

    ``desired`` is a value of ``sync.presence.Presence``, None for "nothing from us". ``applied`` is what
    Graph last accepted for ``applied_user_id``, or ``UNSURE`` while a request is under way: whoever dies
    then leaves a row that says so. ``applied_until`` is when Graph ends it by itself, at the latest.
    ``due_at`` is when the reconciler looks at the row next. Times named ``*_at`` that are integers are
    CloudLink's own clock in milliseconds; ``heard_at`` is ours.
    """

    __table_args__ = (
        UniqueConstraint("integration_id", "cloudlink_user_id"),
        UniqueConstraint("integration_id", "extension"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    cloudlink_user_id: str
    extension: str | None = None
    name: str = ""
    address: str = ""
    teams_user_id: str | None = Field(default=None, index=True)
    unmatched: str | None = None
    excluded: bool = False
    gone: bool = False

    do_not_disturb: bool = False
    offline: bool = False
    phone_at: int = Field(default=0, sa_type=BigInteger)
    phone_heard_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    line: str = "unknown"

    desired: str | None = None
    desired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied: str | None = None
    applied_user_id: str | None = None
    applied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    refusal: str = ""


class Call(SQLModel, table=True):
    """A call that a person is in, or lately was: an ended one is kept a while to refuse late events.

    ``at`` is the newest event's own time, in milliseconds since the epoch.
    """

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    call_id: str = Field(primary_key=True)
    state: str
    conference: bool = False
    at: int = Field(sa_type=BigInteger)
    heard_at: datetime = Field(sa_type=UtcDateTime)


class SeenEvent(SQLModel, table=True):
    """An event taken in already, so that its double is dropped."""

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    event_id: str = Field(primary_key=True)
    seen_at: datetime = Field(sa_type=UtcDateTime, index=True)


class UnknownState(SQLModel, table=True):
    """A state's name that CloudLink sent and no table knows: counted, shown in status, otherwise ignored."""

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    name: str = Field(primary_key=True)
    count: int = 0
    last_at: datetime = Field(sa_type=UtcDateTime)


class Problem(SQLModel, table=True):
    """Trouble of an integration, one open row for each fault: open while ``healed_at`` is None.

    ``lasting`` tells credentials that a human must mend from a service that is unwell for a while.
    ``checked_at`` is when it was last seen to be still so.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    service: str
    fault: str
    lasting: bool = False
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    since: datetime = Field(sa_type=UtcDateTime)
    checked_at: datetime = Field(sa_type=UtcDateTime)
    healed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Conversation(SQLModel, table=True):
    """A personal chat with somebody: where to speak first, and in which language."""

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
    seen_at: datetime = Field(sa_type=UtcDateTime)


class Draft(SQLModel, table=True):
    """A setup that is under way: what was typed so far. Its secrets are proven ones, sealed; no others."""

    tenant_id: str = Field(primary_key=True)
    user_object_id: str = Field(primary_key=True)
    id: str = Field(default_factory=new_id, unique=True)
    step: str
    values: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cloudlink_secret_sealed: str | None = Field(default=None, repr=False)
    integration_id: str | None = None
    card_id: str = ""
    updated_at: datetime = Field(sa_type=UtcDateTime)
