"""Changes an integration's credentials step by step; each step is stored before the next begins.

Whoever dies leaves a row that says where it stands: after a while (``lease``) somebody takes it up there. A new
secret whose value got lost on the way is found by its name, which holds the rotation's id, and removed. So in
the end there is exactly one secret of ours, and it works.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, monitors, people, rotations
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.credentials.expiry import matched
from sync.credentials.rotation_history import record_step
from sync.credentials.store import Credentials, CredentialStore
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.jobs import EXPIRY, PUSH, ROTATE
from sync.domain.model import BOT, CredentialKind, ExpirySource, Service
from sync.domain.rotation import Kind, Step
from sync.domain.services import Registration
from sync.problems import health

LIFETIME = timedelta(days=180)
"""Of a secret that the bot adds itself."""

AUTOMATIC_AT = timedelta(days=30)
TRY_AGAIN_AFTER = timedelta(days=1)
MOST_REFUSALS = 20
LONGEST_PAUSE = timedelta(seconds=30)
UNWELL_PAUSE = timedelta(seconds=10)
PUSH_PAUSE = timedelta(seconds=2)

NOT_THE_SECRET = frozenset({Fault.GRAPH_CONSENT_MISSING, Fault.GRAPH_FORBIDDEN, Fault.ENTRA_APP_DISABLED})
"""What is refused whatever the application proves itself by."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claim:
    """A rotation that is ours to take one step further, and its integration as both were when claimed."""

    rotation: Rotation
    integration: Integration

    @property
    def step(self) -> Step:
        return Step(self.rotation.step)


class Rotator:
    """Takes rotations on. ``lease`` is how long a step may take before it counts as abandoned."""

    def __init__(self, context: Context, credentials: CredentialStore, lease: timedelta) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock
        self._random = context.random
        self._lease = lease
        self._steps: dict[Step, Callable[[Claim], Awaitable[None]]] = {
            Step.ADD: self._add,
            Step.WAIT: self._wait,
            Step.SWAP: self._swap,
            Step.PROVE: self._prove,
            Step.REMOVE: self._remove,
            Step.UNDO: self._undo,
        }

    async def rotate(self, integration_id: str) -> None:
        """The job: take the integration's rotation as far as it goes now; begin one that is due by itself."""
        await self._begin_automatic(integration_id)
        while claim := await self._claim(integration_id):
            try:
                await self._steps[claim.step](claim)
            except CredentialsWrong as error:
                await self._refused(claim, error)
            except ServiceUnavailable as error:
                pause = timedelta(seconds=error.retry_after or 0)
                await self._later(claim, max(pause, UNWELL_PAUSE), error)

    # Beginning

    async def _begin_automatic(self, integration_id: str) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None or not is_due_by_itself(integration, now):
                return
            last = await rotations.latest(session, integration_id)
            if last and (last.finished_at is None or last.started_at + TRY_AGAIN_AFTER > now):
                return
            rotation = Rotation(
                integration_id=integration_id,
                owner_tenant=integration.owner_tenant,
                kind=Kind.AUTOMATIC,
                step=Step.ADD,
                started_by=BOT.id,
                started_at=now,
                due_at=now,
            )
            session.add(rotation)
            await record_step(session, integration, rotation, "rotate_begun", now)

    async def _claim(self, integration_id: str) -> Claim | None:
        """What is due now, and nobody else's for as long as a step may take."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            rotation = await rotations.get_open(session, integration_id)
            if integration is None or integration.removing_since or rotation is None:
                return None
            if rotation.due_at is None or rotation.due_at > now:
                return None
            rotation.due_at = now + self._lease
            session.add(rotation)
        return Claim(rotation, integration)

    # The steps

    async def _add(self, claim: Claim) -> None:
        """Add a secret, having removed what an attempt that died here left; store it at once."""
        integration, rotation = claim.integration, claim.rotation
        app = self._credentials.app(integration)
        registration = self._clients.registration(app)
        if not await registration.may_rotate():
            raise CredentialsWrong(Fault.GRAPH_ROTATION_FORBIDDEN)
        await self._remove_orphans(registration, rotation)
        old = matched(
            await registration.passwords(),
            app.client_secret,
            integration.secret_key_id,
            integration.secret_expires_on,
            self._clock().date(),
        )
        added = await registration.add_password(name_of(integration, rotation), self._clock() + LIFETIME)
        await self._advance(
            claim,
            Step.WAIT,
            secret_sealed=self._credentials.encrypt(added.secret),
            new_key_id=added.key_id,
            old_key_id=old.key_id if old else "",
            expires_on=added.expires_on,
        )

    async def _wait(self, claim: Claim) -> None:
        """Until Entra takes the new secret: it has to spread among its servers first."""
        try:
            await self._clients.prove(self._new(claim).of(claim.integration))
        except CredentialsWrong as error:
            if error.fault not in NOT_THE_SECRET:
                raise
        await self._advance(claim, Step.SWAP)

    async def _swap(self, claim: Claim) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, claim.integration.id)
            rotation = await self._still(session, claim)
            if integration is None or rotation is None:
                return
            await self._credentials.replace(session, integration, self._new(claim), now)
            rotation.step, rotation.due_at = Step.PROVE, now
            session.add(rotation)
            await record_step(session, integration, rotation, "rotate", now)
        log.info("credentials_swapped", integration=claim.integration.id, rotation=claim.rotation.id)
        await self._jobs.defer(PUSH, claim.integration.id)

    async def _prove(self, claim: Claim) -> None:
        """Done when something was pushed with the new credentials; or read, when there is nothing to push."""
        integration = claim.integration
        if integration.previous_secret_sealed is None:
            return await self._advance(claim, Step.REMOVE)
        try:
            async with self._clients.fresh_directory(self._credentials.app(integration)) as directory:
                await directory.organisation()
        except CredentialsWrong as error:
            if error.fault in NOT_THE_SECRET:
                return await self._later(claim, LONGEST_PAUSE, error)
            return await self._fall_back(claim, error)
        return await self._proven(claim)

    async def _proven(self, claim: Claim) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, claim.integration.id)
            if integration is None or await self._still(session, claim) is None:
                return None
            closed = await health.mark_healthy(session, integration.id, [Service.ENTRA], now)
            if closed:
                self._clients.forget(self._credentials.app(integration))
                await people.make_pending_due(session, integration.id, now)
            waiting = (await people.counts(session, integration.id, ())).waiting
            if not waiting:
                integration.previous_secret_sealed = None
                session.add(integration)
        if not waiting:
            return await self._advance(claim, Step.REMOVE)
        await self._jobs.defer(PUSH, claim.integration.id)
        return await self._later(claim, PUSH_PAUSE)

    async def _fall_back(self, claim: Claim, why: CredentialsWrong) -> None:
        """The new ones were taken before and are not now: use the former ones while they are good."""
        before = self._credentials.previous(claim.integration)
        if before is None:
            raise why
        await self._clients.prove(before.of(claim.integration))
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, claim.integration.id)
            rotation = await self._still(session, claim)
            if integration is None or rotation is None or integration.previous_secret_sealed is None:
                return
            await self._credentials.restore(session, integration, before, now)
            rotation.attempts += 1
            again = bool(rotation.secret_sealed) and rotation.attempts < MOST_REFUSALS
            rotation.step, rotation.due_at = Step.WAIT if again else Step.UNDO, now + self._pause(rotation)
            rotation.fault = why.fault.value
            session.add(rotation)
            await record_step(session, integration, rotation, "rotate_fell_back", now, why.fault.value)
        log.warning("credentials_fell_back", integration=claim.integration.id, fault=why.fault.value)
        await self._jobs.defer(PUSH, claim.integration.id)
        await self._jobs.defer(ROTATE, claim.integration.id, at=rotation.due_at)

    async def _remove(self, claim: Claim) -> None:
        """Remove the old secret that the bot replaced; not one that a presence monitor may be using."""
        rotation = claim.rotation
        if rotation.kind == Kind.BY_HAND:
            return await self._finish(claim, Step.DONE, old_left=True)
        registration = self._clients.registration(self._credentials.app(claim.integration))
        async with self._database.session() as session:
            is_shared = await monitors.exist(session, claim.integration.id)
        await self._remove_orphans(registration, rotation)
        if rotation.old_key_id and not is_shared:
            await registration.remove_password(rotation.old_key_id)
        return await self._finish(claim, Step.DONE, old_left=is_shared or not rotation.old_key_id)

    async def _undo(self, claim: Claim) -> None:
        """The new secret is of no use: remove what the bot added."""
        rotation = claim.rotation
        if rotation.kind != Kind.BY_HAND and rotation.new_key_id:
            registration = self._clients.registration(self._credentials.app(claim.integration))
            await registration.remove_password(rotation.new_key_id)
        await self._finish(claim, Step.FAILED)

    async def _remove_orphans(self, registration: Registration, rotation: Rotation) -> None:
        for password in await registration.passwords():
            if rotation.id in password.name and password.key_id != rotation.new_key_id:
                log.info("orphan_secret_removed", rotation=rotation.id, key=password.key_id)
                await registration.remove_password(password.key_id)

    # Going on

    def _new(self, claim: Claim) -> Credentials:
        secret = self._credentials.decrypt(claim.rotation.secret_sealed or "", Service.ENTRA)
        source = ExpirySource.ADMIN if claim.rotation.kind == Kind.BY_HAND else ExpirySource.GRAPH
        day = claim.rotation.expires_on
        return Credentials(
            CredentialKind.SECRET,
            secret,
            expires_on=day,
            expiry_source=source if day else ExpirySource.UNKNOWN,
            key_id=claim.rotation.new_key_id,
        )

    async def _still(self, session: AsyncSession, claim: Claim) -> Rotation | None:
        """The rotation, locked, if nobody took it further meanwhile."""
        rotation = await rotations.get_for_update(session, claim.rotation.id)
        return rotation if rotation and rotation.step == claim.step else None

    async def _advance(self, claim: Claim, step: Step, **values: object) -> None:
        async with self._database.writing() as session:
            rotation = await self._still(session, claim)
            if rotation is not None:
                rotation.sqlmodel_update({**values, "step": step.value, "due_at": self._clock(), "fault": ""})
                session.add(rotation)

    async def _later(self, claim: Claim, pause: timedelta, error: SyncError | None = None) -> None:
        due_at = self._clock() + pause
        async with self._database.writing() as session:
            rotation = await self._still(session, claim)
            if rotation is None:
                return
            rotation.due_at = due_at
            rotation.fault = error.fault.value if error else ""
            session.add(rotation)
        await self._jobs.defer(ROTATE, claim.integration.id, at=due_at)

    async def _refused(self, claim: Claim, error: CredentialsWrong) -> None:
        """Try some times more where that may help; then give up, and leave things as they were."""
        if claim.step is Step.REMOVE:
            return await self._finish(claim, Step.DONE, old_left=True)
        if claim.step in (Step.ADD, Step.UNDO) or error.fault is Fault.SECRET_UNREADABLE:
            return await self._finish(claim, Step.FAILED, fault=error.fault)
        async with self._database.writing() as session:
            rotation = await self._still(session, claim)
            if rotation is None:
                return None
            rotation.attempts += 1
            rotation.fault = error.fault.value
            if rotation.attempts >= MOST_REFUSALS:
                rotation.step = Step.UNDO
            rotation.due_at = due_at = self._clock() + self._pause(rotation)
            session.add(rotation)
        return await self._jobs.defer(ROTATE, claim.integration.id, at=due_at)

    def _pause(self, rotation: Rotation) -> timedelta:
        seconds = 2 ** min(rotation.attempts, 5) * self._random.uniform(0.5, 1.0)
        return min(LONGEST_PAUSE, timedelta(seconds=seconds))

    async def _finish(
        self, claim: Claim, step: Step, *, old_left: bool = False, fault: Fault | None = None
    ) -> None:
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, claim.integration.id)
            rotation = await self._still(session, claim)
            if integration is None or rotation is None:
                return
            end(rotation, step, now)
            rotation.fault = fault.value if fault else rotation.fault if step is Step.FAILED else ""
            if old_left:
                rotation.old_key_id = ""
            session.add(rotation)
            if step is Step.DONE:
                await record_step(session, integration, rotation, "rotate_proven", now)
            else:
                integration.previous_secret_sealed = None
                session.add(integration)
                await record_step(session, integration, rotation, "rotate_failed", now, rotation.fault or "failed")
        log.info("rotation_finished", integration=claim.integration.id, step=step.value, fault=rotation.fault)
        await self._jobs.defer(EXPIRY, claim.integration.id)


def end(rotation: Rotation, step: Step, now: datetime) -> None:
    """Nothing more is to be done; the secret is not kept here any longer."""
    rotation.step, rotation.finished_at, rotation.due_at, rotation.secret_sealed = step, now, None, None


def name_of(integration: Integration, rotation: Rotation) -> str:
    """What the secret is called in Azure: found again by the rotation's id."""
    return f"{integration.name[:60]} {rotation.id}"


def is_due_by_itself(integration: Integration, now: datetime) -> bool:
    """Whether an unattended rotation is wanted, and the old secret can still be used to make it."""
    day = integration.secret_expires_on
    return (
        integration.auto_rotate
        and integration.credential == CredentialKind.SECRET
        and integration.removing_since is None
        and day is not None
        and now.date() <= day <= (now + AUTOMATIC_AT).date()
    )
