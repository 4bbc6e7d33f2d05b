"""The role of an acting person, read again in each transaction that their act writes in.

A role can be removed while a press is under way, at another process too. What removes or lowers a role and what
relies on it lock the roles of the tenant, so that one is stored entirely before the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.chat.context import TurnContext
from core.errors import CloudLinkPresenceError
from storage.database import guarded
from storage.queries.chat import roles
from sync.domain.roles import Role

log = structlog.get_logger()


class RoleWithdrawn(CloudLinkPresenceError):
    """The person's role no longer allows what they are doing: nothing was stored."""


@contextmanager
def acting(context: TurnContext, needed: Role | None) -> Iterator[None]:
    """Run an act that needs a role: whatever writes in the block raises ``RoleWithdrawn`` once it is withdrawn.

    A role given by the setting ``ADMINS`` cannot be withdrawn while the program runs.
    """

    async def check(session: AsyncSession) -> None:
        await roles.lock(session, context.tenant)
        member = await roles.find(session, context.tenant, context.turn.incoming.sender.object_id)
        if not Role(member.role if member else Role.EVERYONE).covers(needed or Role.EVERYONE):
            log.info("role_withdrawn", tenant=context.tenant, person=context.person)
            raise RoleWithdrawn

    is_checked = needed not in (None, Role.EVERYONE) and not context.owner_by_setting
    with guarded(check if is_checked else None):
        yield
