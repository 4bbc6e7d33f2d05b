"""Asks CloudLink what phones do now: to find out without webhooks, and to heal what webhooks lost.

Where webhooks come, most of what is asked is known already. So of those who are not on the phone only a share is
asked each time, in turns: a call that began unnoticed is mostly over by then, one whose end got lost is found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from zlib import crc32

from storage.queries import integrations, people
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import PUSH
from sync.domain.model import Service
from sync.domain.services import Phones
from sync.phones.ingest import EventIngestor
from sync.phones.line_state import silent
from sync.problems import health

CHUNK = 25
"""Phones asked for and stored together; the client bounds how many at once."""

PAUSE = 1.0
"""Seconds between chunks: about 25 phones a second, for CloudLink locks accounts of applications that press."""

SHARES = 12
"""Of so many shares of those who are not on the phone, a glance asks one."""

Sleep = Callable[[float], Awaitable[None]]


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
        """The job: every matched person's phone, politely. Failures light a lamp."""
        await self._poll(integration_id, self.look)

    async def poll_sample(self, integration_id: str) -> None:
        """The job: the phones of who is on the phone, as far as we know, and of the others whose turn it is."""
        await self._poll(integration_id, self._look_at_some)

    async def _poll(self, integration_id: str, look: Callable[[Integration], Awaitable[None]]) -> None:
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None or not integration.enabled:
            return
        try:
            await look(integration)
        except SyncError as error:
            async with self._database.writing() as session:
                if await health.is_as_read(session, integration):
                    await health.broke(session, integration_id, error, self._clock(), Service.CLOUDLINK)
            return
        await self._jobs.defer(PUSH, integration_id)

    async def look(self, integration: Integration, at_most: int | None = None) -> None:
        """Ask now, and record what is answered; ``at_most`` so many phones, then without pauses.

        Raises ``SyncError``.
        """
        began = self._clock()
        async with self._database.session() as session:
            everybody = await people.extensions_to_poll(session, integration.id)
        extensions = everybody[:at_most]
        await self._ask(integration, extensions, PAUSE if at_most is None else 0)
        if len(extensions) == len(everybody):
            await self._note(integration.id, began, bool(extensions))

    async def _look_at_some(self, integration: Integration) -> None:
        began = self._clock()
        turn = int(began.timestamp() / self._poll_sample_every.total_seconds()) % SHARES
        async with self._database.session() as session:
            everybody = await people.extensions_to_poll(session, integration.id)
            sure = await people.extensions_to_poll_always(session, integration.id)
        extensions = [each for each in everybody if each in sure or crc32(each.encode()) % SHARES == turn]
        await self._ask(integration, extensions, PAUSE)
        await self._note(integration.id, began, bool(extensions))

    async def _ask(self, integration: Integration, extensions: Sequence[str], pause: float) -> None:
        phones = self._clients.phones(self._credentials.account(integration))
        for start in range(0, len(extensions), CHUNK):
            if start and pause:
                await self._sleep(pause)
            await self._look_at(phones, integration.id, extensions[start : start + CHUNK])

    async def _look_at(self, phones: Phones, integration_id: str, extensions: Sequence[str]) -> None:
        asked_at = self._clock()
        snapshots = await phones.lines(extensions)
        answered = {snapshot.extension for snapshot in snapshots}
        missing = [silent(extension, "") for extension in extensions if extension not in answered]
        await self._ingestor.look(integration_id, [*snapshots, *missing], asked_at)

    async def _note(self, integration_id: str, began: datetime, asked_anybody: bool) -> None:
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            integration.polled_at = began
            session.add(integration)
            if asked_anybody:
                await health.healed(session, integration_id, [Service.CLOUDLINK], self._clock())
