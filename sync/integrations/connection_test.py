"""Tests an integration's connections step by step, and heals or names what is wrong with them."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from time import perf_counter

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, people, problems
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.jobs import PUSH
from sync.domain.model import Probe, Service
from sync.problems import health
from sync.teams.quota import QuotaLedger

Step = Callable[[], Awaitable[object]]


class ConnectionTest:
    """Probes with fresh credentials, never with kept tokens."""

    def __init__(
        self, context: Context, credentials: CredentialStore, quota: QuotaLedger, recheck_after: timedelta
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._clock = context.clock
        self._recheck_after = recheck_after

    async def test(self, integration: Integration) -> tuple[Probe, ...]:
        """Every step, each side up to its first failure; what answers well is healed at once."""
        probes = (*await self._test_cloudlink(integration), *await self._test_teams(integration))
        await self._note(integration, probes, healing=True)
        return probes

    async def probe(self, integration_id: str) -> None:
        """The job, while credentials are wrong: find out whether they still are, and what exactly is.

        An administrator may consent in Azure without telling us; but a problem just raised is only named
        more exactly, not healed: otherwise one that no probe sees would break and heal in turns.
        """
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            opened = await problems.list_open(session, integration_id)
        problem = health.blocking_problem(opened, health.TEAMS)
        if integration is None or problem is None:
            return
        is_settled = problem.since + self._recheck_after <= self._clock()
        await self._note(integration, await self._test_teams(integration), healing=is_settled)

    async def _test_cloudlink(self, integration: Integration) -> list[Probe]:
        try:
            phones = self._clients.fresh_phones(self._credentials.account(integration))
        except SyncError as error:
            return [Probe(Service.CLOUDLINK, "account", 0.0, error)]
        return await _run(
            (Service.CLOUDLINK, "account", phones.account_name), (Service.CLOUDLINK, "users", phones.users)
        )

    async def _test_teams(self, integration: Integration) -> list[Probe]:
        try:
            app = self._credentials.app(integration)
        except SyncError as error:
            return [Probe(Service.ENTRA, "token", 0.0, error)]
        self._clients.forget(app)
        somebody = await self._somebody(integration)
        async with AsyncExitStack() as stack:
            probes = await _run(
                (Service.ENTRA, "token", lambda: stack.enter_async_context(self._clients.fresh_directory(app)))
            )
            if probes[-1].error:
                return probes
            directory = await stack.enter_async_context(self._clients.directory(app))
            presence = self._clients.presence(app)
            return probes + await _run(
                (Service.GRAPH, "directory", directory.organisation),
                (Service.GRAPH, "presence", lambda: presence.read(somebody)),
            )

    async def _somebody(self, integration: Integration) -> list[str]:
        """One matched person to read the presence of; a read counts against the quota like a write."""
        async with self._database.writing() as session:
            rows = await people.list_present(session, integration.id)
            found = [person.teams_user_id for person in rows if person.teams_user_id][:1]
            locked = await integrations.get_for_update(session, integration.id)
            if locked and found:
                self._quota.reserve(locked, len(found), self._clock())
        return found

    async def _note(self, integration: Integration, probes: tuple[Probe, ...] | list[Probe], healing: bool) -> None:
        now, integration_id = self._clock(), integration.id
        failed = {probe.service for probe in probes if probe.error}
        well = {probe.service for probe in probes} - failed
        async with self._database.writing() as session:
            if not await health.is_unchanged(session, integration):
                return
            for probe in probes:
                if probe.error:
                    about = health.service_of(probe.error)
                    well.discard(about)
                    failed.add(about)
                    await health.mark_unhealthy(session, integration_id, probe.error, now, about)
            if healing and well:
                await health.mark_healthy(session, integration_id, well, now)
            await self._note_checked(session, integration_id)
            if healing and not failed & set(health.TEAMS):
                await people.make_pending_due(session, integration_id, now)
        await self._jobs.defer(PUSH, integration_id)

    async def _note_checked(self, session: AsyncSession, integration_id: str) -> None:
        for problem in await problems.list_open(session, integration_id):
            problem.checked_at = self._clock()
            session.add(problem)


async def _run(*steps: tuple[Service, str, Step]) -> list[Probe]:
    """Run the steps in turn, up to the first that fails."""
    probes: list[Probe] = []
    for service, name, step in steps:
        began = perf_counter()
        trouble = await _trouble(step)
        probes.append(Probe(service, name, perf_counter() - began, trouble))
        if trouble:
            break
    return probes


async def _trouble(step: Step) -> SyncError | None:
    try:
        await step()
    except SyncError as error:
        return error
    return None
