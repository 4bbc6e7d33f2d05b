"""Roles, invitations and one-time codes."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id

OWNER, ADMINISTRATOR, VIEWER = "owner", "administrator", "viewer"
ROLES = (OWNER, ADMINISTRATOR, VIEWER)
"""The values of ``Member.role``, the highest first; ``sync.domain.roles`` says what each may do."""

NOTIFIED_ROLES = (OWNER, ADMINISTRATOR)
"""Members with these roles are notified of problems."""


class Member(SQLModel, table=True):
    """What a person may do in a tenant: ``role`` is one of ``ROLES``.

    A person who was invited by name and has not written yet has no ``user_object_id``, only an ``address``: the
    user principal name in lower case. From the first message on, only the object id counts.
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
    """A code that makes one person, once, an owner of a tenant: its first group is ``id``, all of it is hashed."""

    tenant_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    salt: bytes = Field(repr=False)
    hashed: bytes = Field(repr=False)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ClaimAttempt(SQLModel, table=True):
    """A code was entered, right or wrong: kept for as long as attempts are counted.

    ``code_id`` is the ``ClaimCode`` that it names, which need not exist.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    tenant_id: str
    user_object_id: str
    code_id: str = ""
    at: datetime = Field(sa_type=UtcDateTime, index=True)
