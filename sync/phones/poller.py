"""Reads the state of phones from CloudLink: without webhooks, and to correct what lost webhooks left wrong.

Where webhooks arrive, most of what is polled is known already. So a sample suffices: everyone who is on the phone,
and in turns a share of the others. A call whose start was missed is mostly over by then; one whose end was missed
is found.

A round of polling is stored, in chunks. A job reads one chunk and is queued again for the next: in between it holds
no slot of the queue, and after a crash the round continues where it was.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, polls
from storage.queries.health import problems
from storage.queries.people import endpoints, people
from storage.tables.integrations import Integration
from storage.tables.polls import PollChunk
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.jobs import POLL_CHUNK, POLL_NOW, PUSH
from sync.domain.model import Service
from sync.domain.services import MANY_REFUSED, LinesRead, Phones
from sync.flow.flow import Flow
from sync.flow.line_state import unknown_phone
from sync.phones import missed_alert
from sync.phones.poll_pace import PollPace
from sync.problems import health
from sync.tenancy import owned

CHUNK = 25
"""Phones that are read and stored together; the client limits the number of concurrent requests."""

PAUSE = 1.0
"""Seconds between chunks: about 25 phones a second, for CloudLink locks accounts that send too many requests."""

UNDELAYED = 4
"""Integrations of a tenant that polling does not slow down: with more, each takes longer pauses."""

ASKED, ASK_SECONDS = 4, 5.0
"""So many phones of one person are read while an administrator waits, in so many seconds at most."""

SAMPLES = 12
"""A sample contains one share in ``SAMPLES`` of the people who are not on the phone."""

FEW = 3
"""Of fewer phones CloudLink may know none. Where it knows none of so many, its answers say nothing about phones."""

log = structlog.get_logger()


def pause_between_chunks(enabled: int) -> timedelta:
    """The pause in the polls of a tenant with so many enabled integrations."""
    return timedelta(seconds=PAUSE * max(1.0, enabled / UNDELAYED))


class Poller:
    """Polls the phones of integrations' matched people."""

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        flow: Flow,
        poll_sample_every: timedelta = timedelta(minutes=5),
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._flow = flow
        self._jobs = context.jobs
        self._clock = context.clock
        self._poll_sample_every = poll_sample_every
        self._pace = PollPace(context.steady)

    async def poll(self, integration_id: str) -> None:
        """The job: begin to read every matched person's phone, unless that is under way."""
        await self._begin_round(integration_id, whole=True)

    async def poll_sample(self, integration_id: str) -> None:
        """The job: begin to read the phones of a sample, unless a round is under way."""
        await self._begin_round(integration_id, whole=False)

    async def poll_now(self, integration_id: str) -> None:
        """The job: read phones whose state is in doubt, out of turn. A failure marks CloudLink unhealthy."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            extensions = await endpoints.to_poll_now(session, integration_id, self._clock(), CHUNK)
        if integration is None or not integration.enabled:
            return
        try:
            refused = (await self._read(integration, extensions)).refused
        except SyncError as error:
            await health.record_failure(self._database, integration, error, self._clock(), Service.CLOUDLINK)
            return
        async with self._database.writing() as session:
            await endpoints.leave_to_rounds(session, integration_id, refused)
            next_at = await endpoints.next_poll(session, integration_id)
            pause = await self._pause(session, integration)
        if next_at:
            await self._jobs.defer(POLL_NOW, integration_id, at=max(next_at, self._clock() + pause))

    async def _begin_round(self, integration_id: str, *, whole: bool) -> None:
        now, pause = self._clock(), timedelta(0)
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None or not integration.enabled:
                return
            current = await polls.next_chunk(session, integration_id)
            if current:
                pause = await self._pause(session, integration)
            if current is None or not _covers(current, integration, whole):
                extensions = await self._extensions(session, integration, whole, now)
                await polls.begin(session, integration_id, _chunks(extensions), now, whole=whole)
                if not extensions:
                    integration.polled_at, integration.catch_up_since = now, None
        await self._plan(integration_id, pause)

    async def _plan(self, integration_id: str, pause: timedelta) -> None:
        wait = self._pace.plan(integration_id, pause)
        await self._jobs.defer(POLL_CHUNK, integration_id, at=self._clock() + wait)

    async def poll_chunk(self, integration_id: str) -> None:
        """The job: read the round's next phones, and queue its next run. A failure marks CloudLink unhealthy."""
        if not await self._pace.may_begin(integration_id):
            await self._plan(integration_id, timedelta(0))
            return
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            chunk = await polls.next_chunk(session, integration_id)
        if integration is None or not integration.enabled:
            return
        pause = None
        if chunk:
            try:
                await self._read(integration, chunk.extensions)
            except SyncError as error:
                await self._postpone(integration, chunk, error)
                return
            pause = await self._finish(chunk)
        if pause is None:
            await self._jobs.defer(PUSH, integration_id)
        else:
            await self._plan(integration_id, pause)

    async def ask(self, owner_tenant: str, integration_id: str, person_id: str) -> bool | None:
        """Read a person's phones now: whether CloudLink answered in time, None if nothing was said of the person.

        It is not asked while presence is disabled, or while a problem of CloudLink is open; and what it answers
        may name a user whom nobody knows. Raises ``UnknownIntegration``.
        """
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            open_now = health.service_health(await problems.list_open(session, integration_id))
            extensions = await endpoints.of_person(session, integration_id, person_id, ASKED)
        is_away = any(each.error for each in open_now if each.service is Service.CLOUDLINK)
        if not integration.enabled or is_away or not extensions:
            return None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                read = await self._read(integration, extensions)
        except (SyncError, TimeoutError):
            return False
        if read.refused:
            return False
        named = {each.user_id for each in read.found} - {""}
        async with self._database.session() as session:
            known = await people.by_cloudlink_user(session, integration_id, named)
        return True if len(known) == len(named) else None

    async def refresh(self, integration: Integration, at_most: int) -> None:
        """Read and store these many phones now, without pauses. Raises ``SyncError``."""
        began = self._clock()
        async with self._database.session() as session:
            extensions = await people.extensions_to_poll(session, integration.id)
        for chunk in _chunks(extensions[:at_most]):
            await self._read(integration, chunk)
        if len(extensions) > at_most:
            return
        async with self._database.writing() as session:
            if locked := await integrations.get_for_update(session, integration.id):
                locked.polled_at = began
                if extensions:
                    await health.mark_healthy(session, integration.id, [Service.CLOUDLINK], self._clock())

    async def _extensions(
        self, session: AsyncSession, integration: Integration, whole: bool, now: datetime
    ) -> Sequence[str]:
        extensions = await people.extensions_to_poll(session, integration.id)
        if whole:
            return extensions
        always = await people.extensions_to_poll_always(session, integration.id)
        turns = self._turns(integration.polled_at, now)
        sample = [each for each in extensions if each in always or crc32(each.encode()) % SAMPLES in turns]
        return sample or extensions[:1]  # an answer proves that CloudLink responds

    def _turns(self, polled_at: datetime | None, now: datetime) -> set[int]:
        """Whose turn it is: the share of this moment, and those whose turn has passed since the last poll."""
        each = self._poll_sample_every.total_seconds()
        this, last = (int(at.timestamp() / each) for at in (now, polled_at or now))
        return {turn % SAMPLES for turn in range(max(last + 1, this - SAMPLES + 1), this + 1)} | {this % SAMPLES}

    async def _read(self, integration: Integration, extensions: Sequence[str]) -> LinesRead:
        """Read and store these phones; those of which CloudLink does not answer stay as they are.

        Raises ``SyncError``, also when CloudLink answers of no phone, or knows none.
        """
        phones = self._clients.phones(self._credentials.account(integration))
        asked_at = self._clock()
        read = await phones.lines(extensions)
        if extensions and not read.found:
            await self._check_others(phones, integration, extensions, read)
        if read.refused:
            fault = next(iter(read.refused.values())).fault
            log.info("phones_unread", integration=integration.id, count=len(read.refused), fault=fault.value)
        known = {snapshot.extension for snapshot in read.found} | read.refused.keys()
        missing = [unknown_phone(extension) for extension in extensions if extension not in known]
        await self._flow.apply_snapshots(integration.id, [*read.found, *missing], asked_at)
        return read

    async def _check_others(
        self, phones: Phones, integration: Integration, asked: Sequence[str], read: LinesRead
    ) -> None:
        """Raises ``SyncError`` if CloudLink answers of no other phone either: it is not these that are missing."""
        async with self._database.session() as session:
            everyone = await people.extensions_to_poll(session, integration.id)
        others = [extension for extension in everyone if extension not in asked][:MANY_REFUSED]
        also = await phones.lines(others)
        refused = [*read.refused.values(), *also.refused.values()]
        if refused and not also.found:
            raise refused[0]
        if not also.found and len(asked) + len(others) >= FEW:
            raise ServiceUnavailable(Fault.CLOUDLINK_UNREADABLE, field="endpoints")

    async def _postpone(self, integration: Integration, chunk: PollChunk, error: SyncError) -> None:
        """The schedule continues the round once the backoff is over, with the phones that did not fail."""
        now = self._clock()
        async with self._database.writing() as session:
            if await health.is_unchanged(session, integration):
                await health.mark_unhealthy(session, integration.id, error, now, Service.CLOUDLINK)
            await polls.postpone(session, chunk)

    async def _finish(self, chunk: PollChunk) -> timedelta | None:
        """The chunk was read; returns how long to pause before the next one, None after the last."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, chunk.integration_id)
            if integration is None:
                return None
            is_current = await polls.remove(session, chunk)
            if await polls.next_chunk(session, chunk.integration_id):
                return await self._pause(session, integration)
            if not is_current:
                return None
            integration.polled_at = chunk.began_at
            if _covers(chunk, integration, whole=True):
                integration.catch_up_since = None
            await health.mark_healthy(session, integration.id, [Service.CLOUDLINK], now)
            await missed_alert.check(session, integration, now)
        return None

    async def _pause(self, session: AsyncSession, integration: Integration) -> timedelta:
        return pause_between_chunks(await integrations.count_enabled(session, integration.owner_tenant))


def _covers(round_: PollChunk, integration: Integration, whole: bool) -> bool:
    """Whether the round reads everybody who is to be read now: it began after the last gap."""
    gap = integration.catch_up_since
    return round_.whole >= whole and (gap is None or not whole or round_.began_at >= gap)


def _chunks(extensions: Sequence[str]) -> list[Sequence[str]]:
    return [extensions[start : start + CHUNK] for start in range(0, len(extensions), CHUNK)]
