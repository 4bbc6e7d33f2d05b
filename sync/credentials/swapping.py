"""The very change of credentials: one transaction, in which nothing that phones said meanwhile is lost."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.encryption import Encryption
from storage.queries import history, people
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.credentials import former
from sync.credentials.former import Credentials
from sync.domain.errors import CredentialsWrong
from sync.problems import health


async def swap(
    session: AsyncSession, integration: Integration, new: Credentials, encryption: Encryption, now: datetime
) -> None:
    """Use ``new`` from now on; what was used is kept until it has proven good.

    What was kept already stays: it has proven good, which the one in use has not yet.
    """
    if integration.previous_secret_sealed is None:
        try:
            former.keep(integration, former.current(integration, encryption), encryption)
        except CredentialsWrong:
            integration.previous_secret_sealed = None
    await _take_up(session, integration, new, encryption, now)


async def fall_back(
    session: AsyncSession, integration: Integration, to: Credentials, encryption: Encryption, now: datetime
) -> None:
    """Use the former ones again."""
    integration.previous_secret_sealed = None
    await _take_up(session, integration, to, encryption, now)


async def _take_up(
    session: AsyncSession, integration: Integration, new: Credentials, encryption: Encryption, now: datetime
) -> None:
    former.put(integration, new, encryption)
    integration.revision += 1
    session.add(integration)
    await health.healed(session, integration.id, health.TEAMS, now)
    await people.make_pending_due(session, integration.id, now)


async def note(
    session: AsyncSession,
    integration: Integration,
    rotation: Rotation,
    act: str,
    now: datetime,
    result: str = history.DONE,
) -> None:
    """Record a step in the history, under whoever began the rotation."""
    facts = {"kind": rotation.kind, "credential": integration.credential}
    if rotation.expires_on:
        facts["expires_on"] = rotation.expires_on.isoformat()
    await history.record(
        session,
        owner_tenant=integration.owner_tenant,
        integration_id=integration.id,
        integration_name=integration.name,
        actor_id=rotation.started_by,
        actor_name=rotation.started_by_name,
        act=act,
        result=result,
        facts=facts,
        now=now,
    )
