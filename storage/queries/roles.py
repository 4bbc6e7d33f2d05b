"""Who may do what in a tenant. Whoever a setting names as owner does not stand here; all others do."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import CloudLinkPresenceError
from storage.database import advisory_lock
from storage.tables.roles import Member

INVITATION_LIFETIME = timedelta(days=30)
"""An invitation nobody took up is void after this: the name may be somebody else's by then."""


class Role(StrEnum):
    """What somebody is, the least first."""

    EVERYONE = "everyone"
    VIEWER = "viewer"
    ADMINISTRATOR = "administrator"
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what ``needed`` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


GRANTABLE = (Role.OWNER, Role.ADMINISTRATOR, Role.VIEWER)
NOTIFIED_ROLES = (Role.OWNER, Role.ADMINISTRATOR)
"""Who is told of problems."""


class LastOwner(CloudLinkPresenceError):
    """Nobody could manage people any more."""


class RoleChanged(CloudLinkPresenceError):
    """They have another role by now, or none."""


class NotAnOwner(CloudLinkPresenceError):
    """Whoever asks has lost their role meanwhile."""


class AlreadyListed(CloudLinkPresenceError):
    """Somebody with this name or object id has a role, or is invited."""


async def find(session: AsyncSession, owner_tenant: str, user_object_id: str) -> Member | None:
    """What somebody who is known may do; None for nothing."""
    query = _all(owner_tenant).where(Member.user_object_id == user_object_id)
    return (await session.exec(query)).first() if user_object_id else None


async def get_owned(session: AsyncSession, owner_tenant: str, member_id: str) -> Member | None:
    """None for one that is gone or another tenant's."""
    return (await session.exec(_all(owner_tenant).where(Member.id == member_id))).first()


async def list_members(session: AsyncSession, owner_tenant: str) -> list[Member]:
    """Everybody with a role, owners first, invitations among them; by name within a role."""
    found = (await session.exec(_all(owner_tenant).order_by(col(Member.id)))).all()
    named = sorted(found, key=lambda row: (row.name or row.address or "").casefold())
    return sorted(named, key=lambda row: GRANTABLE.index(Role(row.role)))


async def has_invitations(session: AsyncSession, owner_tenant: str, now: datetime) -> bool:
    query = _all(owner_tenant).where(*_open(now)).limit(1)
    return (await session.exec(query)).first() is not None


async def has_owner_anywhere(session: AsyncSession) -> bool:
    query = select(Member.id).where(Member.role == Role.OWNER, col(Member.user_object_id).is_not(None)).limit(1)
    return (await session.exec(query)).first() is not None


async def add(session: AsyncSession, row: Member) -> None:
    """Give somebody a role, or invite them. Raises ``AlreadyListed``; an invitation that is void is replaced."""
    await advisory_lock(session, "roles", row.owner_tenant)
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
    session.add(row)


async def accept_invitation(
    session: AsyncSession, owner_tenant: str, address: str, user_object_id: str, name: str, now: datetime
) -> Member | None:
    """Take up the invitation of ``address``: from now on it is this person's, whatever they are called."""
    if not address or not user_object_id:
        return None
    await advisory_lock(session, "roles", owner_tenant)
    taken = await session.exec(
        update(Member)
        .where(col(Member.owner_tenant) == owner_tenant, col(Member.address) == address, *_open(now))
        .values(user_object_id=user_object_id, name=name, joined_at=now)
    )
    return await find(session, owner_tenant, user_object_id) if taken.rowcount else None


async def change_role(
    session: AsyncSession,
    owner_tenant: str,
    member_id: str,
    was: str,
    role: Role | None,
    by: str,
    owners_by_setting: Collection[str],
) -> Member:
    """Give somebody who ``was`` something another role, or with None none any more, for ``by`` (an object id).

    ``owners_by_setting`` are the object ids of owners that need no row. Of two who take each other's role at once
    one is refused. Raises ``NotAnOwner``, ``ChangedMeanwhile`` and ``LastOwner``.
    """
    await advisory_lock(session, "roles", owner_tenant)
    rows = {row.id: row for row in (await session.exec(_all(owner_tenant))).all()}
    owners = {row.user_object_id for row in rows.values() if row.role == Role.OWNER and row.user_object_id}
    if by not in owners and by not in owners_by_setting:
        raise NotAnOwner
    row = rows.get(member_id)
    if row is None or row.role != was:
        raise RoleChanged
    if owners == {row.user_object_id} and role is not Role.OWNER and not owners_by_setting:
        raise LastOwner
    await _give(session, row, role)
    return row


async def _give(session: AsyncSession, row: Member, role: Role | None) -> None:
    if role is None:
        await session.delete(row)
    else:
        row.role = role
        session.add(row)


async def make_owner(
    session: AsyncSession, owner_tenant: str, user_object_id: str, name: str, now: datetime
) -> None:
    """Whoever claimed a tenant; a lesser role they had is raised."""
    await advisory_lock(session, "roles", owner_tenant)
    row = await find(session, owner_tenant, user_object_id) or Member(
        owner_tenant=owner_tenant, user_object_id=user_object_id, name=name, role=Role.OWNER, invited_at=now
    )
    row.role, row.joined_at = Role.OWNER, row.joined_at or now
    session.add(row)


def _all(owner_tenant: str) -> SelectOfScalar[Member]:
    return select(Member).where(Member.owner_tenant == owner_tenant)


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """An invitation that can still be taken up."""
    return col(Member.user_object_id).is_(None), col(Member.invited_at) > now - INVITATION_LIFETIME
