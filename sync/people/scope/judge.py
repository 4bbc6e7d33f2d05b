"""Everyone judged by an integration's rules, who is shown and by which mapping, in slices that end soon."""

from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import Clock
from core.correlation import current_cause
from storage.database import Database
from storage.queries import integrations
from storage.queries.people import mapping, scope
from storage.tables.integrations import Integration
from sync.presence.further_mappings import stored_mappings

SLICE = 500


async def judge(session: AsyncSession, integration: Integration, clock: Clock, *who: ColumnElement[bool]) -> None:
    """Judge these people, in the transaction that changed them."""
    await session.flush()
    await _judge(session, integration, clock(), *who)


async def _judge(session: AsyncSession, integration: Integration, now: datetime, *who: ColumnElement[bool]) -> None:
    await scope.judge(session, scope.rules_of(integration), now, *who)
    await mapping.apply(session, integration, stored_mappings(integration), current_cause(), now, *who)


async def judge_everyone(database: Database, integration_id: str, clock: Clock) -> bool:
    """Judge everyone by the rules as they are stored, from the beginning when it changes meanwhile.

    Returns whether something changed. It may be ended at any time: the next call goes through everyone again.
    """
    after: scope.Key | None = None
    revision, is_changed = 0, False
    while True:
        async with database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            if integration.revision != revision:
                after, revision = None, integration.revision
            differs = or_(scope.rules_of(integration).differs(), stored_mappings(integration).differs())
            found = await scope.next_of(session, integration_id, differs, after, SLICE)
            if found:
                await _judge(session, integration, clock(), scope.between(found[0], found[-1]))
            is_last = len(found) < SLICE
            if is_last and integration.scope_pending:
                integration.scope_pending = False
        is_changed = is_changed or bool(found)
        if is_last:
            return is_changed
        after = found[-1]
