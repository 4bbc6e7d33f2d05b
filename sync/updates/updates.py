"""What an administrator can do with feature updates; implements the conversation's ``UpdatesPort``.

Every call on behalf of an administrator carries the tenant: an integration of another tenant does not exist.
"""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries import updates as store
from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.domain.context import Context
from sync.domain.jobs import INSTALL
from sync.domain.model import Actor, UnknownIntegration
from sync.updates.catalogue import Catalogue
from sync.updates.installer import roll_back
from sync.updates.model import CardPlace, Due, Installation, Offer, Progress, State

MOST_CARDS = 20
"""Cards kept up to date for one installation: the newest."""


class Updates:
    """Offers, begins, takes back and shows feature updates."""

    def __init__(self, context: Context, catalogue: Catalogue) -> None:
        self._database = context.database
        self._catalogue = catalogue
        self._jobs = context.jobs
        self._clock = context.clock

    async def offer(self, owner_tenant: str, integration_id: str) -> Offer:
        """What is due and what it would change here, read now. Raises ``SyncError``."""
        async with self._database.session() as session:
            integration = await _find(session, owner_tenant, integration_id)
            newest = await store.find_installed(session, integration_id, integration.feature_version)
        due = [
            Due(version, await self._catalogue[version].dry_run(integration)) for version in self._due(integration)
        ]
        return Offer(integration.feature_version, tuple(due), newest.version if newest else None)

    def _due(self, integration: Integration) -> list[int]:
        return sorted(version for version in self._catalogue if version > integration.feature_version)

    async def begin(
        self, owner_tenant: str, integration_id: str, upto: int, status_text: str, by: Actor, card: CardPlace
    ) -> Installation | None:
        """Install everything up to version ``upto``, in order; None when that is not what is due.

        While something is being installed nothing more is begun, and ``card`` shows that. ``status_text`` is the
        status message in the language of who installs.
        """
        now = self._clock()
        async with self._database.writing() as session:
            integration = await _locked(session, owner_tenant, integration_id)
            due = [] if await store.list_open(session, integration_id) else self._due(integration)
            if due and due[-1] == upto:
                for version in due:
                    row = _row(integration, version, by, now)
                    row.facts = {"by": by.name, "status_text": status_text}
                    session.add(row)
                await session.flush()
            elif due or not await store.list_open(session, integration_id):
                return None
            shown = await _follow(session, self._catalogue, integration, card)
        await self._jobs.defer(INSTALL, integration_id)
        return shown

    async def undo(
        self, owner_tenant: str, integration_id: str, version: int, by: Actor, card: CardPlace
    ) -> Installation | None:
        """Take back the newest update, if ``version`` is the newest and was installed; else None."""
        async with self._database.writing() as session:
            integration = await _locked(session, owner_tenant, integration_id)
            row = await store.find_installed(session, integration_id, version)
            if not await store.list_open(session, integration_id):
                if row is None or integration.feature_version != version:
                    return None
                roll_back(row, self._catalogue[version])
                row.started_at, row.started_by = self._clock(), by.id
                row.facts = {**row.facts, "by": by.name}
                session.add(row)
                await session.flush()
            shown = await _follow(session, self._catalogue, integration, card)
        await self._jobs.defer(INSTALL, integration_id)
        return shown

    async def installation(
        self, owner_tenant: str, integration_id: str, card: CardPlace | None = None
    ) -> Installation | None:
        """What is being installed now; ``card`` shows it from now on. None when nothing is."""
        async with self._database.writing() as session:
            integration = await _locked(session, owner_tenant, integration_id)
            if not await store.list_open(session, integration_id):
                return None
            return await _follow(session, self._catalogue, integration, card)

    async def to_show(self, integration_id: str) -> tuple[Installation, list[CardPlace]] | None:
        """The newest installation and the cards that show it; for the job ``SHOW_UPDATE``."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            rows = await store.list_newest(session, integration_id) if integration else []
            if integration is None or not rows:
                return None
            return _installation(self._catalogue, integration, rows), [CardPlace(**card) for card in rows[0].cards]

    async def shown(self, integration_id: str, seen: Installation) -> None:
        """The cards show ``seen``, its end: they are let go of."""
        async with self._database.writing() as session:
            rows = await store.list_newest(session, integration_id)
            if rows and rows[0].started_at == seen.started_at and not _is_open(rows):
                rows[0].cards = []
                session.add(rows[0])


def _row(integration: Integration, version: int, by: Actor, now: datetime) -> FeatureUpdate:
    return FeatureUpdate(
        integration_id=integration.id,
        owner_tenant=integration.owner_tenant,
        version=version,
        state=store.WAITING,
        step="",
        started_by=by.id,
        started_at=now,
    )


async def _follow(
    session: AsyncSession, catalogue: Catalogue, integration: Integration, card: CardPlace | None
) -> Installation:
    """The newest installation, with ``card`` among those that show it."""
    rows = await store.list_newest(session, integration.id)
    if card is not None:
        place = {
            "tenant_id": card.tenant_id,
            "user_object_id": card.user_object_id,
            "activity_id": card.activity_id,
        }
        rows[0].cards = [*(each for each in rows[0].cards if each != place), place][-MOST_CARDS:]
        session.add(rows[0])
    return _installation(catalogue, integration, rows)


def _installation(catalogue: Catalogue, integration: Integration, rows: list[FeatureUpdate]) -> Installation:
    return Installation(
        integration.id,
        integration.name,
        tuple(_progress(catalogue, row) for row in rows),
        str(rows[0].facts.get("by", "")),
        rows[0].started_at,
    )


def _progress(catalogue: Catalogue, row: FeatureUpdate) -> Progress:
    names = [step.name for step in catalogue[row.version].steps]
    return Progress(
        version=row.version,
        state=State(row.state),
        step=row.step,
        place=names.index(row.step) if row.step in names else 0,
        steps=len(names),
        done=row.done,
        total=row.total,
        fault=row.fault,
        failed_step=str(row.facts.get("failed_step", "")),
        results=dict(row.facts.get("results", {})),
        fault_facts=dict(row.facts.get("fault_facts", {})),
    )


def _is_open(rows: list[FeatureUpdate]) -> bool:
    return any(row.state in store.OPEN for row in rows)


async def _find(session: AsyncSession, owner_tenant: str, integration_id: str) -> Integration:
    integration = await integrations.get_owned(session, owner_tenant, integration_id)
    if integration is None:
        raise UnknownIntegration(integration_id)
    return integration


async def _locked(session: AsyncSession, owner_tenant: str, integration_id: str) -> Integration:
    integration = await integrations.get_owned(session, owner_tenant, integration_id, lock=True)
    if integration is None:
        raise UnknownIntegration(integration_id)
    return integration
