"""The tables. Times are UTC; a column named ``*_sealed`` holds a secret encrypted by ``storage.sealing``."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, BigInteger, DateTime, Index, UniqueConstraint, text
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
    """A CloudLink account connected to a Teams tenant. ``owner_tenant`` is the wall: who may see it.

    ``credential`` is a value of ``sync.model.CredentialKind``; ``expiry_source`` tells who told of the expiry
    (``admin``, ``graph``, ``certificate``). ``revision`` counts edits, so that two cannot overwrite each other.
    ``status_text`` is the status message shown while somebody is on the phone (from feature version 3).
    ``previous_secret_sealed`` holds the former credentials (``sync.former``) until the new ones have proven good;
    ``pending_certificate_sealed`` a certificate whose public part has been handed out, but not taken up yet.
    """

    __table_args__ = (Index("ix_integration_quota", "tenant_id", "client_id"),)

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
    expiry_source: str = ""
    secret_key_id: str = ""
    auto_rotate: bool = False
    credential: str = "secret"
    certificate_sealed: str | None = Field(default=None, repr=False)
    pending_certificate_sealed: str | None = Field(default=None, repr=False)
    previous_secret_sealed: str | None = Field(default=None, repr=False)
    expiry_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revision: int = 1
    status_text: str = ""

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
    CloudLink's own clock in milliseconds; ``heard_at`` is ours. ``desired_because`` is the id under which the log
    tells what made it desired.

    ``status_message`` is the words that stand beside the presence of ``status_user_id`` from us, or might: they
    are stored before they are sent. ``status_until`` is when Graph takes them away by itself, at the latest;
    ``status_due_at`` when they are looked at next.
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
    desired_because: str = ""
    applied: str | None = None
    applied_user_id: str | None = None
    applied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    refusal: str = ""
    status_message: str = ""
    status_user_id: str | None = None
    status_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


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


class Conversation(SQLModel, table=True):
    """A personal chat with somebody: where to speak first, and in which language.

    ``admin_as`` is the entry of ``ADMINS`` that admitted them, empty for who is no administrator;
    ``time_zone`` is their client's (``Europe/Lisbon``), empty when it did not say.
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


class Act(SQLModel, table=True):
    """Something an administrator (or the bot by itself) did: kept when the integration is gone. Never a secret."""

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


class Press(SQLModel, table=True):
    """A pressed button that acts: what one card offers once is done once. ``stamp`` is the card's own."""

    owner_tenant: str = Field(primary_key=True)
    stamp: str = Field(primary_key=True)
    verb: str = Field(primary_key=True)
    pressed_by: str = ""
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class Notice(SQLModel, table=True):
    """One warning to one person (or channel), unique by what it is about: the promise of "exactly once".

    ``topic`` and ``stage`` say what it is about: ``expiry`` and a threshold, or ``problem`` and the problem's id.
    ``state`` is ``waiting``, ``sending`` (claimed; whoever dies then leaves it so), ``sent``, ``unreachable``,
    ``dropped`` (nobody needs it any more), ``closing`` (acted upon, its card still to be changed) or ``closed``
    (its card says by whom). ``due_at`` is when it may be sent, or its card be changed, next.
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
    """How an administrator wants to be warned of an integration (empty id: of any). Times as ``HH:MM``."""

    owner_tenant: str = Field(primary_key=True)
    user_object_id: str = Field(primary_key=True)
    integration_id: str = Field(primary_key=True, default="")
    muted: bool = False
    quiet_from: str = ""
    quiet_until: str = ""
    time_zone: str = "UTC"


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


class Rotation(SQLModel, table=True):
    """A change of credentials under way or done; each step is stored before the next begins.

    ``kind``: ``by_hand``, ``for_me`` or ``automatic``; ``step`` is a value of ``sync.rotation.Step``.
    ``secret_sealed`` is the new secret while it may have to be taken up again; ``due_at`` is when to go on,
    and while somebody is at it, when they are given up; ``attempts`` counts refusals.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    owner_tenant: str
    kind: str
    step: str
    secret_sealed: str | None = Field(default=None, repr=False)
    new_key_id: str = ""
    old_key_id: str = ""
    expires_on: date | None = None
    started_by: str = ""
    started_by_name: str = ""
    started_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    attempts: int = 0
    fault: str = ""
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Monitor(SQLModel, table=True):
    """A presence monitor of the other direction that may hold the same secret; kept by hand."""

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    name: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class MonitorTask(SQLModel, table=True):
    """A monitor whose secret is to be renewed after a rotation: open while ``done_at`` is None."""

    rotation_id: str = Field(primary_key=True)
    monitor_id: str = Field(primary_key=True, foreign_key="monitor.id", ondelete="CASCADE")
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    done_by: str = ""
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class FeatureUpdate(SQLModel, table=True):
    """An installation of a feature update: its step and how far it is; resumed after a crash.

    ``state``: ``waiting`` (for the one before it), ``running``, ``completed``, ``rolling_back``, ``failed`` or
    ``undone`` (taken back on request). ``facts`` is what its steps keep for each other and for the way back.
    ``cards`` are those that show it, while they have something to be told.
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


class Member(SQLModel, table=True):
    """What somebody may do in a tenant: ``role`` is a value of ``storage.roles.Role``.

    Whoever was invited by name and has not spoken yet has no ``user_object_id``, only an ``address``, in small
    letters: their user principal name. From their first word on their object id alone counts.
    """

    __table_args__ = (
        UniqueConstraint("owner_tenant", "user_object_id"),
        UniqueConstraint("owner_tenant", "address"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    user_object_id: str | None = None
    address: str | None = None
    name: str = ""
    role: str
    invited_by: str = ""
    invited_by_name: str = ""
    invited_at: datetime = Field(sa_type=UtcDateTime)
    joined_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ClaimCode(SQLModel, table=True):
    """A code that makes one person, once, an owner of a tenant. ``id`` is its first group; of all of it, a hash."""

    tenant_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    salt: bytes = Field(repr=False)
    hashed: bytes = Field(repr=False)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ClaimAttempt(SQLModel, table=True):
    """Somebody entered a code, right or wrong: kept for as long as attempts are counted."""

    id: str = Field(default_factory=new_id, primary_key=True)
    tenant_id: str
    user_object_id: str
    at: datetime = Field(sa_type=UtcDateTime, index=True)
