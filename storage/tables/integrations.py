"""Integrations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index
from sqlmodel import Column, Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class Integration(SQLModel, table=True):
    """A CloudLink account connected to a Teams tenant. Only people of ``owner_tenant`` may see it.

    ``credential`` is a value of ``sync.domain.model.CredentialKind``; ``expiry_source`` says where the
    expiry comes from (``admin``, ``graph``, ``certificate``). ``revision`` counts edits, for optimistic locking.
    ``status_text`` is the status message shown during a call (from feature version 3), where ``status_texts`` has
    none for the line state (empty: none is shown). ``mapping`` is what Teams shows for a line state where that is
    not the default (``sync.presence.mapping``), ``further`` for some people (``sync.presence.further_mappings``).
    ``previous_secret_sealed`` holds the former credentials
    (``sync.credentials.store``) until the new ones are proven; ``pending_certificate_sealed`` a certificate whose
    public part was given out and is not used yet.

    ``scope`` says who is shown (``sync.people.scope.rules``); while it is ``scope_pending``, not everyone was
    judged by it.

    ``enabled_at`` is when it was enabled last; None while it is not enabled, and when that was before the history.
    ``live_since`` is when the current subscription's first event came. ``unreported`` are people, by id, of whom a
    poll found a call that no event has reported, and when (seconds since the epoch); ``missed`` counts those that
    none ever did, from ``missed_since`` to ``missed_at``. Since
    ``catch_up_since`` events may have been lost, and not everybody was polled.

    ``last_change_at`` is when Graph last accepted what changed something in Teams, ``accepted_at`` when it last
    accepted that a presence is shown, renewals included.

    ``schedule`` says when calls are shown (``sync.domain.schedule``); when it is empty, always. ``closed``: nothing
    is shown now, by what it said when it was acted on last, at ``turned_at``; ``turns_at`` is when that changes.

    ``tenant_id`` and ``client_id`` are in lower case: equal ones share sessions and quota.

    ``host_proven_for`` is the tenant and application of which control was proved, by credentials of its own, when
    the host's credentials were taken into use; empty for none.
    """

    __table_args__ = (Index("ix_integration_quota", "tenant_id", "client_id"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    name: str
    enabled: bool = False
    enabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
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
    expiry_source: str = ""
    secret_key_id: str = ""
    auto_rotate: bool = False
    credential: str = "secret"
    host_proven_for: str = ""
    certificate_sealed: str | None = Field(default=None, repr=False)
    pending_certificate_sealed: str | None = Field(default=None, repr=False)
    previous_secret_sealed: str | None = Field(default=None, repr=False)
    expiry_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revision: int = 1
    status_text: str = ""
    status_texts: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    mapping: dict[str, str | None] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    scope: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    scope_pending: bool = False
    further: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    schedule: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    closed: bool = False
    turned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    turns_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    webhook_token_sealed: str = Field(repr=False)
    webhook_token_hash: str = Field(unique=True, repr=False)
    subscription_id: str = ""
    subscription_url_hash: str = ""
    subscribed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    subscription_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    polled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    matched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_webhook_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    live_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    unreported: dict[str, float] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    missed: int = 0
    missed_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    missed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    catch_up_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_change_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    quota_spent: list[list[float]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    quota_limit: int = 1500
    quota_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    quota_blocked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)

    removing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LeftQuota(SQLModel, table=True):
    """What integrations had spent of an application's quota when they were removed, or took another application.

    The next integration with the same tenant and application continues with it. Deleted after a day.
    """

    tenant_id: str = Field(primary_key=True)
    client_id: str = Field(primary_key=True)
    left_at: datetime = Field(sa_type=UtcDateTime)
    quota_spent: list[list[float]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    quota_limit: int
    quota_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    quota_blocked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
