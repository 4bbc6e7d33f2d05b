"""Tenant isolation: an administrator reaches only the integrations of their own tenant.

Every operation on behalf of an administrator reads its integration through ``owned``. For another tenant's
integration it raises the same error as for an integration that does not exist.
"""

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.tables.integrations import Integration
from sync.domain.model import EditedMeanwhile, UnknownIntegration


async def owned(
    session: AsyncSession,
    owner_tenant: str,
    integration_id: str,
    revision: int | None = None,
    *,
    lock: bool = False,
) -> Integration:
    """The tenant's integration; with ``lock`` no other transaction changes it until the session ends.

    Raises ``UnknownIntegration`` if the tenant has none of this id or it is being removed, and ``EditedMeanwhile``
    if ``revision`` is given and is not the integration's any more.
    """
    integration = await integrations.get_owned(session, owner_tenant, integration_id, lock=lock)
    if integration is None:
        raise UnknownIntegration(integration_id)
    if revision is not None and integration.revision != revision:
        raise EditedMeanwhile(integration_id)
    return integration
