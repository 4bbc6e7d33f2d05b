"""Groups of Entra ID as last read, and who is in them."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import insert_or_ignore
from storage.queries.people.people import batches
from storage.tables.directory import DirectoryGroup, GroupMember


async def known(session: AsyncSession, integration_id: str) -> dict[str, DirectoryGroup]:
    """The groups of an integration, by object id."""
    query = select(DirectoryGroup).where(DirectoryGroup.integration_id == integration_id)
    return {group.group_id: group for group in (await session.exec(query)).all()}


async def members(session: AsyncSession, integration_id: str, group_id: str) -> set[str]:
    query = select(GroupMember.user_id).where(
        GroupMember.integration_id == integration_id, GroupMember.group_id == group_id
    )
    return set((await session.exec(query)).all())


async def add(session: AsyncSession, integration_id: str, group_id: str, user_ids: Collection[str]) -> None:
    rows = [{"integration_id": integration_id, "group_id": group_id, "user_id": user_id} for user_id in user_ids]
    if rows:
        await (await session.connection()).execute(insert_or_ignore(session, GroupMember), rows)


async def remove(session: AsyncSession, integration_id: str, group_id: str, user_ids: Collection[str]) -> None:
    for part in batches(sorted(user_ids)):
        here = (col(GroupMember.integration_id) == integration_id, col(GroupMember.group_id) == group_id)
        await session.exec(delete(GroupMember).where(*here, col(GroupMember.user_id).in_(part)))


async def delete_unused(
    session: AsyncSession, integration_id: str, used: Collection[str], before: datetime
) -> None:
    """Delete the groups but the ``used`` ones, unless they were read since ``before``."""
    groups = [
        group_id
        for group_id, group in (await known(session, integration_id)).items()
        if group_id not in used and (group.read_at is None or group.read_at < before)
    ]
    for table in (GroupMember, DirectoryGroup):
        here = (col(table.integration_id) == integration_id, col(table.group_id).in_(groups))
        await session.exec(delete(table).where(*here))
