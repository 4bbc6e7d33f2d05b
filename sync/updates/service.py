"""What an administrator does with feature updates: read the offer, install, roll back, follow the progress."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries import updates as store
from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.audit import AuditLog
from sync.domain.context import Context
from sync.domain.jobs import INSTALL
from sync.domain.model import Actor
from sync.tenancy import owned
from sync.updates.catalogue import Catalogue
from sync.updates.installer import begin_rollback
from sync.updates.model import (
    CardAddress,
    Installation,
    InstallationState,
    PendingUpdate,
    UpdateOffer,
    UpdateProgress,
)

MAX_CARDS = 20
"""Cards kept up to date for one installation: the newest."""


class UpdateService:
    """Methods that carry a tenant raise ``UnknownIntegration``. Installations run in the job ``INSTALL``."""

    def __init__(self, context: Context, catalogue: Catalogue) -> None:
        self._database = context.database
        self._catalogue = catalogue
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def offer(self, owner_tenant: str, integration_id: str) -> UpdateOffer:
        """The next update and what it would change, read now; nothing without one. Raises ``SyncError``."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            newest = await store.find_installed(session, integration_id, integration.feature_version)
        pending = [
            PendingUpdate(version, await self._catalogue[version].dry_run(integration))
            for version in self._pending(integration)[:1]
        ]
        return UpdateOffer(integration.feature_version, tuple(pending), newest.version if newest else None)

    def _pending(self, integration: Integration) -> list[int]:
        return sorted(version for version in self._catalogue if version > integration.feature_version)

    async def install(
        self, owner_tenant: str, integration_id: str, version: int, status_text: str, by: Actor, card: CardAddress
    ) -> Installation | None:
        """Install every update up to ``version``, in order; None if ``version`` is not pending.

        While an installation is running no other begins: ``card`` then shows the running one. ``status_text`` is
        the status message, in the company's language.
        """
        now = self._clock()
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if not await store.list_open(session, integration_id):
                pending = [each for each in self._pending(integration) if each <= version]
                if version not in pending:
                    return None
                facts = {"by": by.name, "status_text": status_text}
                session.add_all(_row(integration, each, by, facts, now) for each in pending)
                await session.flush()
            shown = await self._show_on(session, integration, card)
        await self._jobs.defer(INSTALL, integration_id)
        return shown

    async def roll_back(
        self, owner_tenant: str, integration_id: str, version: int, by: Actor, card: CardAddress
    ) -> Installation | None:
        """Roll back ``version`` if it is the integration's and was installed as an update; else None."""
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            row = await store.find_installed(session, integration_id, version)
            if not await store.list_open(session, integration_id):
                if row is None or integration.feature_version != version:
                    return None
                begin_rollback(row, self._catalogue[version])
                row.started_at, row.started_by = self._clock(), by.id
                row.facts = {**row.facts, "by": by.name}
                await session.flush()
            shown = await self._show_on(session, integration, card)
        await self._jobs.defer(INSTALL, integration_id)
        return shown

    async def running(
        self, owner_tenant: str, integration_id: str, card: CardAddress | None = None
    ) -> Installation | None:
        """The running installation, None if there is none; ``card`` is kept up to date from now on."""
        async with self._database.writing() as session:
            integration = await owned(session, owner_tenant, integration_id, lock=True)
            if not await store.list_open(session, integration_id):
                return None
            return await self._show_on(session, integration, card)

    async def cards_to_update(self, integration_id: str) -> tuple[Installation, list[CardAddress]] | None:
        """The newest installation and the cards that show it, for the job ``SHOW_UPDATE``."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            rows = await store.list_newest(session, integration_id) if integration else []
        if integration is None or not rows:
            return None
        cards = [CardAddress(**card) for card in rows[0].cards]
        return _installation(self._catalogue, integration, rows), cards

    async def release_cards(self, integration_id: str, shown: Installation) -> None:
        """The cards show ``shown``, which has ended: they are not updated any more."""
        async with self._database.writing() as session:
            rows = await store.list_newest(session, integration_id)
            if rows and rows[0].started_at == shown.started_at and not any(row.state in store.OPEN for row in rows):
                rows[0].cards = []

    async def _show_on(
        self, session: AsyncSession, integration: Integration, card: CardAddress | None
    ) -> Installation:
        """The newest installation, which ``card`` shows from now on."""
        rows = await store.list_newest(session, integration.id)
        if card is not None:
            stored = {
                "tenant_id": card.tenant_id,
                "user_object_id": card.user_object_id,
                "activity_id": card.activity_id,
            }
            rows[0].cards = [*(each for each in rows[0].cards if each != stored), stored][-MAX_CARDS:]
        return _installation(self._catalogue, integration, rows)


def _row(integration: Integration, version: int, by: Actor, facts: dict[str, str], now: datetime) -> FeatureUpdate:
    return FeatureUpdate(
        integration_id=integration.id,
        owner_tenant=integration.owner_tenant,
        version=version,
        state=store.WAITING,
        step="",
        started_by=by.id,
        started_at=now,
        facts=dict(facts),
    )


def _installation(catalogue: Catalogue, integration: Integration, rows: list[FeatureUpdate]) -> Installation:
    return Installation(
        integration.id,
        integration.name,
        tuple(_progress(catalogue, row) for row in rows),
        str(rows[0].facts.get("by", "")),
        rows[0].started_at,
    )


def _progress(catalogue: Catalogue, row: FeatureUpdate) -> UpdateProgress:
    names = [step.name for step in catalogue[row.version].steps]
    return UpdateProgress(
        version=row.version,
        state=InstallationState(row.state),
        step=row.step,
        step_index=names.index(row.step) if row.step in names else 0,
        steps=len(names),
        done=row.done,
        total=row.total,
        fault=row.fault,
        failed_step=str(row.facts.get("failed_step", "")),
        results=dict(row.facts.get("results", {})),
        fault_facts=dict(row.facts.get("fault_facts", {})),
    )
