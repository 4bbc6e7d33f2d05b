"""A tenant's Teams users and groups as last read."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime


class DirectoryUser(SQLModel, table=True):
    """What matching needs of a Teams user; no name. ``proxy_addresses`` has one in a line.

    ``round`` is the whole reading in which, or since which, the user was read.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    user_id: str = Field(primary_key=True)
    principal_name: str = ""
    mail: str = ""
    proxy_addresses: str = ""
    enabled: bool = True
    guest: bool = False
    round: int


class DirectoryState(SQLModel, table=True):
    """How far an integration's directory was read: ``link`` leads to what changed since; empty: read it whole.

    ``tenant_id`` is whose directory it is. ``stamp`` counts changes; ``matched_stamp`` is that of the people as
    they are stored, of whom ``matched`` were matched, by the rules of ``matched_version``;
    ``matched_chosen`` is a digest of those that administrators chose.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    tenant_id: str
    link: str = ""
    round: int = 0
    whole_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    stamp: int = 0
    matched_stamp: int = -1
    matched_version: int = 0
    matched_chosen: str = ""
    matched: int = 0


class DirectoryGroup(SQLModel, table=True):
    """A group of Entra ID that a scope names, or that a dry run was made with; ``group_id`` is its object id.

    ``read_at`` is when its members were last read. ``fault`` is why they could not be since, empty if they could.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    group_id: str = Field(primary_key=True)
    name: str = ""
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    fault: str = ""


class GroupMember(SQLModel, table=True):
    """A Teams user, by object id, who is in a group, directly or through another group."""

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    group_id: str = Field(primary_key=True)
    user_id: str = Field(primary_key=True)
