"""Reads the state of phones from CloudLink: without webhooks, and to correct what lost webhooks left wrong.

Where webhooks arrive, most of what is polled is known already. So a sample suffices: everyone who is on the phone,
and in turns a share of the others. A call whose start was missed is mostly over by then; one whose end was missed
is found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from zlib import crc32

from core.clock import Sleep
from storage.queries import endpoints, integrations, people
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import POLL_NOW, PUSH
from sync.domain.model import Service
from sync.domain.services import Phones
from sync.phones.ingest import EventIngestor
from sync.phones.line_state import unknown_phone
from sync.problems import health

CHUNK = 25
"""Phones that are read and stored together; the client limits the number of concurrent requests."""

PAUSE = 1.0
"""Seconds between chunks: about 25 phones a second, for CloudLink locks accounts that send too many requests."""

SAMPLES = 12
"""A sample contains one share in ``SAMPLES`` of the people who are not on the phone."""


class Poller:
    """Polls the phones of integrations' matched people."""

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        ingestor: EventIngestor,
        sleep: Sleep = asyncio.sleep,
        poll_sample_every: timedelta = timedelta(minutes=5),
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._ingestor = ingestor
        self._jobs = context.jobs
        self._clock = context.clock
        self._sleep = sleep
        self._poll_sample_every = poll_sample_every

    async def poll(self, integration_id: str) -> None:
        """The job: read every matched person's phone, with pauses. A failure marks CloudLink unhealthy."""
        await self._poll(integration_id, self.refresh)

    async def poll_sample(self, integration_id: str) -> None:
        """The job: read the phones of a sample, with pauses. A failure marks CloudLink unhealthy."""
        await self._poll(integration_id, self._refresh_sample)

    async def poll_now(self, integration_id: str) -> None:
        """The job: read the phones whose state is in doubt, and come back for those that are to be read later."""
        await self._poll(integration_id, self._refresh_doubtful)

    async def _poll(self, integration_id: str, refresh: Callable[[Integration], Awaitable[None]]) -> None:
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None or not integration.enabled:
            return
        try:
            await refresh(integration)
        except SyncError as error:
            await health.record_failure(self._database, integration, error, self._clock(), Service.CLOUDLINK)
            return
        await self._jobs.defer(PUSH, integration_id)

    async def refresh(self, integration: Integration, at_most: int | None = None) -> None:
        """Read and store the phones now; with ``at_most``, no more than that and without pauses.

        Raises ``SyncError``.
        """
        began = self._clock()
        async with self._database.session() as session:
            extensions = await people.extensions_to_poll(session, integration.id)
        polled = extensions[:at_most]
        await self._read(integration, polled, PAUSE if at_most is None else 0)
        if len(polled) == len(extensions):
            await self._mark_polled(integration.id, began, bool(polled))

    async def _refresh_sample(self, integration: Integration) -> None:
        began = self._clock()
        turn = int(began.timestamp() / self._poll_sample_every.total_seconds()) % SAMPLES
        async with self._database.session() as session:
            extensions = await people.extensions_to_poll(session, integration.id)
            always = await people.extensions_to_poll_always(session, integration.id)
        polled = [each for each in extensions if each in always or crc32(each.encode()) % SAMPLES == turn]
        await self._read(integration, polled, PAUSE)
        await self._mark_polled(integration.id, began, bool(polled))

    async def _refresh_doubtful(self, integration: Integration) -> None:
        async with self._database.session() as session:
            extensions = await endpoints.to_poll_now(session, integration.id, self._clock())
        await self._read(integration, extensions, PAUSE)
        async with self._database.session() as session:
            next_at = await endpoints.next_poll(session, integration.id)
        if next_at:
            await self._jobs.defer(POLL_NOW, integration.id, at=next_at)

    async def _read(self, integration: Integration, extensions: Sequence[str], pause: float) -> None:
        phones = self._clients.phones(self._credentials.account(integration))
        for start in range(0, len(extensions), CHUNK):
            if start and pause:
                await self._sleep(pause)
            await self._read_chunk(phones, integration.id, extensions[start : start + CHUNK])

    async def _read_chunk(self, phones: Phones, integration_id: str, extensions: Sequence[str]) -> None:
        asked_at = self._clock()
        snapshots = await phones.lines(extensions)
        found = {snapshot.extension for snapshot in snapshots}
        missing = [unknown_phone(extension) for extension in extensions if extension not in found]
        await self._ingestor.apply_snapshots(integration_id, [*snapshots, *missing], asked_at)

    async def _mark_polled(self, integration_id: str, began: datetime, has_responded: bool) -> None:
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            integration.polled_at = began
            if has_responded:
                await health.mark_healthy(session, integration_id, [Service.CLOUDLINK], self._clock())
