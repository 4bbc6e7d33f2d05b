"""No two integrations of one tenant have the same CloudLink account, Entra tenant and application.

Of such a pair each would write the other's presence sessions. Only the tenant's own integrations are compared: an
equal one of another tenant is neither refused nor remarked on, and shares the sessions.
"""

from collections.abc import Mapping
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.domain.model import AlreadySetUp

_COLUMNS = ("cloudlink_account_id", "tenant_id", "client_id")


async def check_new(session: AsyncSession, new: Integration) -> None:
    """Raises ``AlreadySetUp`` if the tenant has an integration equal to ``new``."""
    await _check(session, new, _identity(new))


async def check_moved(session: AsyncSession, before: Integration, values: Mapping[str, Any]) -> None:
    """Raises ``AlreadySetUp`` if the columns ``values`` would make ``before`` equal to another of its tenant.

    An edit that moves nothing is allowed, also of an integration that has an equal one from earlier.
    """
    moved = _identity(before, values)
    if moved != _identity(before):
        await _check(session, before, moved)


async def _check(session: AsyncSession, one: Integration, identity: tuple[str, ...]) -> None:
    for other in await integrations.list_locked(session, one.owner_tenant):
        if other.id != one.id and _identity(other) == identity:
            raise AlreadySetUp(other.id, other.name)


def _identity(integration: Integration, values: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The ids, without regard to case."""
    found = {**{name: getattr(integration, name) for name in _COLUMNS}, **(values or {})}
    return tuple(found[name].strip().casefold() for name in _COLUMNS)
