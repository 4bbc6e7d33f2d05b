"""Tests connections with fresh credentials, never with cached tokens.

Credentials that are not stored yet are checked before they are saved. A stored integration is tested step by step;
the result opens or closes the problems of its services.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from time import perf_counter

from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.integrations import Integration
from sync.audit import Act, AuditLog, Subject
from sync.credentials.expiry import listed
from sync.credentials.new_secrets import Waiting, once_known
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import Fault, ListUnread, ServiceUnavailable, SyncError, reading_users
from sync.domain.jobs import PUSH
from sync.domain.model import Actor, CloudLinkAccount, CloudLinkCheck, Probe, Service, TeamsApp, TeamsCheck
from sync.domain.services import PresenceService
from sync.integrations.account_check import check_account
from sync.integrations.way_in import WayIn
from sync.presence.reader import SettledReads
from sync.problems import health
from sync.teams.quota import QuotaLedger
from sync.tenancy import owned

Step = tuple[Service, str]
"""The service that is called, and the name of the probe."""

CLOUDLINK_STEPS: Sequence[Step] = ((Service.CLOUDLINK, "account"), (Service.CLOUDLINK, "users"))
WAY_IN: Step = (Service.CLOUDLINK, "way_in")
TEAMS_STEPS: Sequence[Step] = ((Service.ENTRA, "token"), (Service.GRAPH, "directory"), (Service.GRAPH, "presence"))

Check = tuple[Service, str, Callable[[], Awaitable[object]]]
"""The service that is called, the name of the probe, and the call."""


class ConnectionTest:
    """``recheck_after`` is how old a problem must be before the job may close it."""

    def __init__(
        self,
        context: Context,
        credentials: CredentialStore,
        quota: QuotaLedger,
        recheck_after: timedelta,
        way_in: WayIn,
    ) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._quota = quota
        self._reads = SettledReads(context, quota)
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)
        self._recheck_after = recheck_after
        self._way_in = way_in

    async def check_cloudlink(self, owner_tenant: str, account: CloudLinkAccount, by: Actor) -> CloudLinkCheck:
        """Get a token, read the account and its users; store nothing. Raises ``SyncError``.

        Recorded only when it fails: when it succeeds, the setup that follows is.
        """
        facts = {"account_id": account.account_id}
        async with self._audit.attempt(Act.CHECK_CLOUDLINK, by, Subject(owner_tenant), facts):
            return await check_account(self._clients, replace(account, owner_tenant=owner_tenant))

    async def check_teams(
        self, owner_tenant: str, app: TeamsApp, by: Actor, waiting: Waiting | None = None
    ) -> TeamsCheck:
        """Get a token with all roles, read the directory once and the secret's expiry if it may; store nothing.

        Raises ``SyncError``. A new secret or registration is waited for, see ``once_known``. Recorded only when it
        fails.
        """

        async def read_directory() -> TeamsCheck:
            async with self._clients.fresh_directory(replace(app, owner_tenant=owner_tenant)) as directory:
                return TeamsCheck(await directory.organisation())

        facts = {"tenant_id": app.tenant_id, "client_id": app.client_id}
        async with self._audit.attempt(Act.CHECK_TEAMS, by, Subject(owner_tenant), facts):
            found = await once_known(app.client_secret, read_directory, waiting)
        with suppress(SyncError):
            registration = self._clients.registration(replace(app, owner_tenant=owner_tenant))
            if secret := await listed(registration, app.client_secret, self._clock().date()):
                return replace(found, secret_id=secret.key_id, expires_on=secret.expires_on)
        return found

    async def test(self, owner_tenant: str, integration_id: str, by: Actor) -> tuple[Probe, ...]:
        """Run every step, on each side up to its first failure; a service that responds is healthy from now on.

        The steps after it are listed as not tried, like the way in without a public address. Recorded with the
        first failure as its result. Raises ``UnknownIntegration``.
        """
        async with self._audit.attempt(Act.TEST, by, Subject(owner_tenant, integration_id)):
            async with self._database.session() as session:
                integration = await owned(session, owner_tenant, integration_id)
            cloudlink, way_in = await self._test_cloudlink(integration), await self._test_way_in(integration)
            teams = await self._test_teams(integration)
            await self._store(integration, [*cloudlink, *teams], healing=set(Service))
        probes = (*_with_untried(cloudlink, CLOUDLINK_STEPS), way_in, *_with_untried(teams, TEAMS_STEPS))
        failure = next((probe.error for probe in probes if probe.error), None)
        await self._audit.record_outcome(Act.TEST, by, integration, failure)
        return probes

    async def _test_way_in(self, integration: Integration) -> Probe:
        """Whether CloudLink's events can arrive. It says nothing about CloudLink itself, so no health follows."""
        if not self._way_in.exists:
            return Probe(*WAY_IN, tried=False)
        (probe,) = await _run((*WAY_IN, lambda: self._way_in.attempt(integration)))
        return probe

    async def probe(self, integration_id: str) -> None:
        """The job, while a service is unhealthy: test whether it still is, and with which fault.

        An administrator may give consent in Azure without telling the bot. A problem younger than
        ``recheck_after`` may get a more exact fault, but is not closed: a problem that no probe detects would
        otherwise open and close repeatedly.
        """
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            opened = await problems.list_open(session, integration_id)
        found = [each for each in opened if each.service in set(Service)]
        if integration is None or not found:
            return
        unhealthy = {Service(each.service) for each in found}
        young = {each.service for each in found if each.since + self._recheck_after > self._clock()}
        probes = await self._test_cloudlink(integration) if Service.CLOUDLINK in unhealthy else []
        if unhealthy & set(health.TEAMS) and not await self._must_wait(integration_id):
            probes += await self._test_teams(integration)
        await self._store(integration, probes, healing={each for each in Service if each not in young})

    async def _test_cloudlink(self, integration: Integration) -> list[Probe]:
        try:
            phones = self._clients.fresh_phones(self._credentials.account(integration))
        except SyncError as error:
            return [Probe(Service.CLOUDLINK, "account", 0.0, error)]
        account, users = CLOUDLINK_STEPS
        return await _run(
            (*account, phones.account_name), (*users, lambda: _read(phones.users(), phones.account_name))
        )

    async def _test_teams(self, integration: Integration) -> list[Probe]:
        try:
            app = self._credentials.app(integration)
        except SyncError as error:
            return [Probe(Service.ENTRA, "token", 0.0, error)]
        self._clients.forget(app)
        async with AsyncExitStack() as stack:
            probes = await _run(
                (Service.ENTRA, "token", lambda: stack.enter_async_context(self._clients.fresh_directory(app)))
            )
            if probes[-1].error:
                return probes
            directory = await stack.enter_async_context(self._clients.directory(app))
            presence = self._clients.presence(app)
            return probes + await _run(
                (Service.GRAPH, "directory", lambda: _read(directory.changes(""), directory.organisation)),
                (Service.GRAPH, "presence", lambda: self._read_sample(integration, presence)),
            )

    async def _must_wait(self, integration_id: str) -> bool:
        """Whether the quota is used up: what the test reads of Graph counts against it."""
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration_id)
            return self._quota.allowance(sharing.values(), self._clock())[0] is not None

    async def _read_sample(self, integration: Integration, presence: PresenceService) -> None:
        """Read the presence of one matched user, if there is one, within the quota."""
        now = self._clock()
        async with self._database.writing() as session:
            sharing = await integrations.lock_sharing_quota(session, integration.id)
            user = await people.matched_user(session, integration.id)
            if user is None or integration.id not in sharing:
                return
            if until := self._quota.limited_until(sharing.values(), now):
                raise ServiceUnavailable(Fault.GRAPH_THROTTLED, (until - now).total_seconds())
            self._quota.reserve(sharing[integration.id], 1, now)
        async with self._reads.of(integration.id, now):
            await presence.read([user])

    async def _store(
        self, integration: Integration, probes: Sequence[Probe], *, healing: Collection[Service]
    ) -> None:
        """Open a problem for each failure; of the services in ``healing`` that responded, close the problems."""
        now, integration_id = self._clock(), integration.id
        failed = {probe.service for probe in probes if probe.error and not isinstance(probe.error, ListUnread)}
        healthy = {probe.service for probe in probes} - failed
        async with self._database.writing() as session:
            if not await health.is_unchanged(session, integration):
                return
            for probe in probes:
                if probe.error:
                    service = health.service_of(probe.error)
                    if not isinstance(probe.error, ListUnread):
                        healthy.discard(service)
                        failed.add(service)
                    await health.mark_unhealthy(session, integration_id, probe.error, now, service)
            await health.mark_healthy(session, integration_id, healthy & set(healing), now)
            for problem in await problems.list_open(session, integration_id):
                if problem.service in {probe.service for probe in probes}:
                    problem.checked_at = now
            if Service.GRAPH in healthy & set(healing) and not failed & set(health.TEAMS):
                await people.make_pending_due(session, integration_id, now, refused=True)
        await self._jobs.defer(PUSH, integration_id)


def _with_untried(probes: Sequence[Probe], steps: Sequence[Step]) -> list[Probe]:
    """``probes`` and the ``steps`` that were not reached."""
    return [*probes, *(Probe(*step, tried=False) for step in steps[len(probes) :])]


async def _read(users: Awaitable[object], answers: Callable[[], Awaitable[object]]) -> object:
    async with reading_users(answers):
        return await users


async def _run(*checks: Check) -> list[Probe]:
    """Run the checks in order, up to the first that fails; where only a list is unread, the next is tried too."""
    probes: list[Probe] = []
    for service, name, call in checks:
        began = perf_counter()
        error: SyncError | None = None
        found: object = None
        try:
            found = await call()
        except SyncError as raised:
            error = raised
        count = len(found) if isinstance(found, list) else None
        probes.append(Probe(service, name, perf_counter() - began, error, count=count))
        if error and not isinstance(error, ListUnread):
            break
    return probes
