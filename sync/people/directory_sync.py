"""An integration's people: both directories are read, matched, and stored."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import directory_people, people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError, reading_users
from sync.domain.features import matches_proxies
from sync.domain.jobs import MATCH, POLL, POLL_NOW, PUSH
from sync.domain.model import Service
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import Account
from sync.jobs.runs import retry_delay
from sync.people import sudden_loss, unmatched_alert
from sync.people.difference import Difference, difference, in_slices, is_unchanged, together, wanted_of
from sync.people.directory_mirror import DirectoryMirror, Reading
from sync.people.people_store import store_people
from sync.people.scope.groups import Groups
from sync.people.scope.judge import judge, judge_everyone
from sync.people.sudden_loss import Loss
from sync.problems import health

SLICE = 200
"""People stored in one transaction: of 100,000 new ones no other transaction waits for more than some."""


class DirectorySync:
    """Matches integrations' people, and stores the result."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock
        self._random = context.random
        self._failures: dict[str, int] = {}
        self._mirror = DirectoryMirror(context, credentials)
        self._groups = Groups(context, credentials)

    async def match(self, integration_id: str) -> None:
        """The job: refresh, then poll if people are newly matched. A failure marks the service unhealthy."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None or not integration.enabled:
            return
        try:
            has_new = await self.refresh(integration)
        except SyncError as error:
            await health.record_failure(self._database, integration, error, self._clock())
            await self._try_again(integration_id, error)
            return
        self._failures.pop(integration_id, None)
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(POLL if has_new else POLL_NOW, integration_id)

    async def _try_again(self, integration_id: str, error: SyncError) -> None:
        """With the backoff of failed jobs: a service that answers something else proves nothing of lists."""
        failures = self._failures[integration_id] = self._failures.get(integration_id, 0) + 1
        wait = max(retry_delay(failures, self._random), timedelta(seconds=error.retry_after or 0))
        await self._jobs.defer(MATCH, integration_id, at=self._clock() + wait)

    async def refresh(self, integration: Integration, *, is_expected: bool = False) -> bool:
        """Read both directories and groups, match, store and judge; returns whether people are newly matched.

        Unless ``is_expected``, a sudden loss is stored only when a second reading agrees. Raises ``SyncError``.
        """
        await self._groups.refresh(integration)
        has_new = await self._match(integration, is_expected=is_expected)
        await judge_everyone(self._database, integration.id, self._clock)
        return has_new

    async def _match(self, integration: Integration, *, is_expected: bool) -> bool:
        asked_at, chosen = self._clock(), await self.chosen(integration.id)
        users = await self._users(integration)
        reading = await self._mirror.refresh(integration, chosen)
        is_known = reading.is_matched and not is_expected
        if is_known and await is_unchanged(self._database, integration.id, users, reading.matched):
            await self._finish(integration.id, asked_at, Difference({}), reading)
            return False
        accounts = await self._mirror.accounts(integration.id)
        wanted = await asyncio.to_thread(wanted_of, users, accounts, matches_proxies(integration), chosen)
        found = await difference(self._database, integration.id, wanted)
        loss = None if is_expected else sudden_loss.find(found.losses())
        if not await self._is_believed(integration.id, asked_at, loss):
            return False
        await self._store(integration.id, found, chosen)
        await self._finish(integration.id, asked_at, found, replace(reading, matched=found.matched_now))
        return found.has_new

    async def read(self, integration: Integration) -> tuple[list[CloudLinkUser], Sequence[Account]]:
        """CloudLink's and Teams' users. Raises ``SyncError``."""
        users = await self._users(integration)
        await self._mirror.refresh(integration, {})
        return users, await self._mirror.accounts(integration.id)

    async def _users(self, integration: Integration) -> list[CloudLinkUser]:
        phones = self._clients.phones(self._credentials.account(integration))
        async with reading_users(phones.account_name):
            return await phones.users()

    async def chosen(self, integration_id: str) -> dict[str, str]:
        """The Teams users whom administrators chose, by CloudLink user id."""
        async with self._database.session() as session:
            return await directory_people.chosen(session, integration_id)

    async def _store(self, integration_id: str, found: Difference, chosen: Mapping[str, str]) -> None:
        """Store what differs."""
        now = self._clock()
        for part in in_slices(found.changed, together(found), SLICE):
            wanted = {key: found.wanted.get(key) for key in part}
            async with self._database.writing() as session:
                integration = await integrations.get_for_update(session, integration_id)
                if integration is None:
                    return
                await store_people(session, integration_id, wanted, chosen, found.wanted, now)
                stored = col(Person.cloudlink_user_id).in_(part)
                await judge(session, integration, self._clock, stored)

    async def _is_believed(self, integration_id: str, asked_at: datetime, loss: Loss | None) -> bool:
        """Whether to store the reading; if not, a second one is queued, which reads everything itself."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            if await sudden_loss.is_believed(session, integration_id, loss, now):
                return True
            integration.matched_at = asked_at
            await self._mirror.distrust(session, integration_id)
            await self._mark_healthy(session, integration_id, now)
        await self._jobs.defer(MATCH, integration_id, at=now + sudden_loss.CONFIRM_AFTER)
        return False

    async def _finish(self, integration_id: str, asked_at: datetime, found: Difference, reading: Reading) -> None:
        """Of what changes while the directories are read nothing may be known: the time is when they were asked."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return
            integration.matched_at = asked_at
            await sudden_loss.is_believed(session, integration_id, None, now)
            await self._mirror.mark_matched(session, integration, reading)
            if integration.enabled:
                await people.make_pending_due(session, integration_id, now)
            await self._mark_healthy(session, integration_id, now)
            await unmatched_alert.check(session, integration_id, found.matched, found.lost, now)

    async def _mark_healthy(self, session: AsyncSession, integration_id: str, now: datetime) -> None:
        """Both directories responded. Only a probe closes a blocking problem: reading does not prove writing."""
        services = [Service.CLOUDLINK, health.DIRECTORY]
        if not health.blocking_problem(await problems.list_open(session, integration_id), health.TEAMS):
            services += health.TEAMS
        await health.mark_healthy(session, integration_id, services, now)
