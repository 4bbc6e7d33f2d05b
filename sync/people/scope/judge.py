"""Everyone of an integration judged by its scope, in slices, so that no other transaction waits for long."""

from sqlalchemy import ColumnElement
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import Clock
from storage.database import Database
from storage.queries import integrations
from storage.queries.people import scope
from storage.tables.integrations import Integration

SLICE = 500


async def judge(session: AsyncSession, integration: Integration, clock: Clock, *who: ColumnElement[bool]) -> None:
    """Judge these people, in the transaction that changed them."""
    await session.flush()
    await scope.judge(session, scope.rules_of(integration), clock(), *who)


async def judge_everyone(database: Database, integration_id: str, clock: Clock) -> bool:
    """Judge everyone by the scope as it is stored, from the beginning when it changes meanwhile.

    Returns whether something changed. It may be ended at any time: the next call goes through everyone again.
    """
    after, revision, is_changed = "", 0, False
    while True:
        async with database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            if integration.revision != revision:
                after, revision = "", integration.revision
            found = await scope.judge_slice(session, scope.rules_of(integration), after, SLICE, clock())
            is_last = len(found) < SLICE
            if is_last and integration.scope_pending:
                integration.scope_pending = False
        is_changed = is_changed or bool(found)
        if is_last:
            return is_changed
        after = found[-1]
