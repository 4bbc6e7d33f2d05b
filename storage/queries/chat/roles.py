"""Who may do what in a tenant: every member, except owners that the setting ``ADMINS`` names."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, tuple_
from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import CloudLinkPresenceError
from storage.database import advisory_lock
from storage.tables.conversations import Conversation
from storage.tables.roles import OWNER, ROLES, Member

_ONE = select(Member).where(
    Member.owner_tenant == bindparam("owner_tenant"), Member.user_object_id == bindparam("user_object_id")
)

INVITATION_LIFETIME = timedelta(days=30)
MAX_MEMBERS = 200
"""An invitation that is not accepted expires after this: the name may belong to another person by then."""


class LastOwner(CloudLinkPresenceError):
    """The tenant would have no owner left to manage its members."""


class RoleChanged(CloudLinkPresenceError):
    """The member has another role by now, or none."""


class NotAnOwner(CloudLinkPresenceError):
    """The person who changes a role is not an owner any more."""


class AlreadyListed(CloudLinkPresenceError):
    """A person with this name or object id has a role, or is invited."""


class TooManyMembers(CloudLinkPresenceError):
    """The tenant has ``MAX_MEMBERS``."""


async def lock(session: AsyncSession, owner_tenant: str) -> None:
    """Lock the tenant's roles until the session ends; it is locked before any integration."""
    await advisory_lock(session, "roles", owner_tenant)


async def find(session: AsyncSession, owner_tenant: str, user_object_id: str) -> Member | None:
    """The member with this object id; None for a person without a role."""
    if not user_object_id:
        return None
    named = {"owner_tenant": owner_tenant, "user_object_id": user_object_id}
    return (await session.exec(_ONE, params=named)).first()


async def known_among(session: AsyncSession, people: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those (tenant and object id) who have a role, or had one by the setting when they last wrote."""
    members = select(Member.owner_tenant, Member.user_object_id).where(
        tuple_(col(Member.owner_tenant), col(Member.user_object_id)).in_(people)
    )
    named = select(Conversation.tenant_id, Conversation.user_object_id).where(
        tuple_(col(Conversation.tenant_id), col(Conversation.user_object_id)).in_(people),
        Conversation.admin_as != "",
    )
    return {(tenant, str(person)) for query in (members, named) for tenant, person in await session.exec(query)}


async def get_owned(session: AsyncSession, owner_tenant: str, member_id: str) -> Member | None:
    """None for a member that is gone or another tenant's."""
    return (await session.exec(_all(owner_tenant).where(Member.id == member_id))).first()


async def list_members(session: AsyncSession, owner_tenant: str) -> list[Member]:
    """All members and invitations, owners first; by name within a role."""
    found = (await session.exec(_all(owner_tenant).order_by(col(Member.id)))).all()
    named = sorted(found, key=lambda row: (row.name or row.address or "").casefold())
    return sorted(named, key=lambda row: ROLES.index(row.role))


async def has_invitations(session: AsyncSession, owner_tenant: str, now: datetime) -> bool:
    query = _all(owner_tenant).where(*_open(now)).limit(1)
    return (await session.exec(query)).first() is not None


async def has_owner_anywhere(session: AsyncSession) -> bool:
    query = select(Member.id).where(Member.role == OWNER, col(Member.user_object_id).is_not(None)).limit(1)
    return (await session.exec(query)).first() is not None


async def add(session: AsyncSession, row: Member) -> None:
    """Add a member or an invitation; expired invitations are deleted.

    Raises ``AlreadyListed`` and ``TooManyMembers``.
    """
    await lock(session, row.owner_tenant)
    await session.exec(
        delete(Member).where(
            col(Member.owner_tenant) == row.owner_tenant,
            col(Member.user_object_id).is_(None),
            col(Member.invited_at) <= row.invited_at - INVITATION_LIFETIME,
        )
    )
    same = [Member.user_object_id == row.user_object_id] if row.user_object_id else []
    same += [Member.address == row.address] if row.address else []
    if (await session.exec(_all(row.owner_tenant).where(or_(*same)))).first():
        raise AlreadyListed
    if (
        await session.exec(select(func.count()).where(Member.owner_tenant == row.owner_tenant))
    ).one() >= MAX_MEMBERS:
        raise TooManyMembers
    session.add(row)


async def accept_invitation(
    session: AsyncSession, owner_tenant: str, address: str, user_object_id: str, name: str, now: datetime
) -> Member | None:
    """Accept the invitation of ``address``, if any: from now on it belongs to this object id, whatever the name."""
    if not address or not user_object_id:
        return None
    await lock(session, owner_tenant)
    accepted = await session.exec(
        update(Member)
        .where(col(Member.owner_tenant) == owner_tenant, col(Member.address) == address, *_open(now))
        .values(user_object_id=user_object_id, name=name, joined_at=now)
    )
    return await find(session, owner_tenant, user_object_id) if accepted.rowcount else None


async def change_role(
    session: AsyncSession,
    owner_tenant: str,
    member_id: str,
    was: str,
    role: str | None,
    by: str,
    owners_by_setting: Collection[str],
) -> Member:
    """Change a member's role from ``was`` to ``role``, or remove the member with None, for ``by`` (an object id).

    ``owners_by_setting`` are the object ids of owners that have no row. Of two owners who remove each other at the
    same time one is refused. Raises ``NotAnOwner``, ``RoleChanged`` and ``LastOwner``.
    """
    await lock(session, owner_tenant)
    rows = {row.id: row for row in (await session.exec(_all(owner_tenant))).all()}
    owners = {row.user_object_id for row in rows.values() if row.role == OWNER and row.user_object_id}
    if by not in owners and by not in owners_by_setting:
        raise NotAnOwner
    row = rows.get(member_id)
    if row is None or row.role != was:
        raise RoleChanged
    if owners == {row.user_object_id} and role != OWNER and not owners_by_setting:
        raise LastOwner
    if role is None:
        await session.delete(row)
    else:
        row.role = role
    return row


async def make_owner(
    session: AsyncSession, owner_tenant: str, user_object_id: str, name: str, now: datetime
) -> None:
    """Make the person who claimed a tenant its owner, whatever role they had."""
    await lock(session, owner_tenant)
    row = await find(session, owner_tenant, user_object_id)
    if row is None:
        row = Member(
            owner_tenant=owner_tenant, user_object_id=user_object_id, name=name, role=OWNER, invited_at=now
        )
        session.add(row)
    row.role, row.joined_at = OWNER, row.joined_at or now


def _all(owner_tenant: str) -> SelectOfScalar[Member]:
    return select(Member).where(Member.owner_tenant == owner_tenant)


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions of an invitation that can still be accepted."""
    return col(Member.user_object_id).is_(None), col(Member.invited_at) > now - INVITATION_LIFETIME
