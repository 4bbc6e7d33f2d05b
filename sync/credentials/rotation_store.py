"""The stored state of rotations: the next step, when it is due, how often it failed.

Every change locks the integration and then its rotation, and is stored only if no other process advanced the
rotation in between.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock
from storage.queries import history, integrations, rotations
from storage.tables.integrations import Integration
from storage.tables.rotations import Rotation
from sync.audit import FAILED, Act, AuditLog
from sync.domain.context import Context
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.jobs import EXPIRY, ROTATE
from sync.domain.model import BOT, Actor, CredentialKind
from sync.domain.rotation import BY_THE_BOT, OldSecretLeft, RotationKind, RotationStep, rotation_id

ROTATE_BEFORE_EXPIRY = timedelta(days=30)
AUTOMATIC_RETRY = timedelta(days=1)
"""After an automatic rotation began, the next one waits at least this long."""

POLICY_RETRY = timedelta(days=7)

MAX_REFUSALS = 20
MAX_PAUSE = timedelta(seconds=30)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claim:
    """A rotation that this process advances by one step, and its integration, as both were when claimed."""

    rotation: Rotation
    integration: Integration

    @property
    def step(self) -> RotationStep:
        return RotationStep(self.rotation.step)

    @property
    def by(self) -> Actor:
        """The administrator who began it, or the bot."""
        return Actor(self.rotation.started_by, self.rotation.started_by_name)


@dataclass(frozen=True, slots=True)
class LockedRotation:
    """A claimed rotation and its integration as they are now, locked until the session ends."""

    session: AsyncSession
    integration: Integration
    rotation: Rotation


class RotationStore:
    """Begins, claims, advances, postpones and ends rotations."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._jobs = context.jobs
        self._clock = context.clock
        self._random = context.random
        self._audit = AuditLog(context.database, context.clock)

    def begin(
        self, session: AsyncSession, integration: Integration, kind: RotationKind, step: RotationStep, by: Actor
    ) -> Rotation:
        """A new rotation, due now. The integration must have none in progress."""
        now = self._clock()
        rotation = Rotation(
            id=rotation_id(by, integration.id),
            integration_id=integration.id,
            owner_tenant=integration.owner_tenant,
            kind=kind,
            step=step,
            started_by=by.id,
            started_by_name=by.name,
            started_at=now,
            due_at=now,
        )
        session.add(rotation)
        return rotation

    async def begin_automatic(self, integration_id: str) -> None:
        """Begin a rotation if the secret expires soon and the administrator lets the bot replace it."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None or not needs_automatic_rotation(integration, now):
                return
            last = await rotations.latest(session, integration_id)
            if last and (last.finished_at is None or last.started_at + _retry_after(last) > now):
                return
            if last and last.expires_on == integration.secret_expires_on and _is_young(last, now):
                return
            if await self.is_shared_rotating(session, integration):
                return
            rotation = self.begin(session, integration, RotationKind.AUTOMATIC, RotationStep.ADD, BOT)
            await self.record(session, Act.ROTATE_BEGUN, integration, rotation)

    async def is_shared_rotating(self, session: AsyncSession, integration: Integration) -> bool:
        """Whether the bot rotates the secret of another of the customer's integrations with this application.

        Until the session ends nobody else begins one.
        """
        await advisory_lock(session, "rotation", integration.tenant_id, integration.client_id)
        for other in await integrations.list_sharing(session, integration):
            found = await rotations.get_open(session, other.id)
            if found and found.kind in BY_THE_BOT and other.owner_tenant == integration.owner_tenant:
                return True
        return False

    async def claim(self, integration_id: str, lease: timedelta) -> Claim | None:
        """The integration's rotation if it is due; until ``lease`` has passed no other process claims it."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            rotation = await rotations.get_open(session, integration_id)
            if integration is None or integration.removing_since or rotation is None:
                return None
            if rotation.due_at is None or rotation.due_at > now:
                return None
            rotation.due_at = now + lease
        return Claim(rotation, integration)

    @asynccontextmanager
    async def locked(self, claim: Claim) -> AsyncIterator[LockedRotation | None]:
        """The claimed rotation in a transaction; None if another process advanced it, or it is gone."""
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, claim.integration.id)
            rotation = await rotations.get_for_update(session, claim.rotation.id)
            if integration is None or rotation is None or rotation.step != claim.step:
                yield None
            else:
                yield LockedRotation(session, integration, rotation)

    async def advance(self, claim: Claim, step: RotationStep, **values: object) -> None:
        """Store ``values`` and make ``step`` due now."""
        async with self.locked(claim) as locked:
            if locked:
                changed = {**values, "step": step.value, "due_at": self._clock(), "fault": ""}
                locked.rotation.sqlmodel_update(changed)

    async def postpone(self, claim: Claim, pause: timedelta, error: SyncError | None = None) -> None:
        """Run the same step again after ``pause``."""
        due_at = self._clock() + pause
        async with self.locked(claim) as locked:
            if locked is None:
                return
            locked.rotation.due_at = due_at
            locked.rotation.fault = error.fault.value if error else ""
        await self._jobs.defer(ROTATE, claim.integration.id, at=due_at)

    async def retry(self, claim: Claim, error: CredentialsWrong) -> None:
        """Run the same step again after a growing pause; after ``MAX_REFUSALS`` undo the rotation."""
        async with self.locked(claim) as locked:
            if locked is None:
                return
            step = claim.step if self.count_refusal(locked.rotation, error) else RotationStep.UNDO
            locked.rotation.step = step
            due_at = locked.rotation.due_at
        await self._jobs.defer(ROTATE, claim.integration.id, at=due_at)

    def count_refusal(self, rotation: Rotation, error: CredentialsWrong) -> bool:
        """Count a refusal and set when the rotation is due again; False after ``MAX_REFUSALS``."""
        rotation.attempts += 1
        rotation.fault = error.fault.value
        seconds = 2 ** min(rotation.attempts, 5) * self._random.uniform(0.5, 1.0)
        rotation.due_at = self._clock() + min(MAX_PAUSE, timedelta(seconds=seconds))
        return rotation.attempts < MAX_REFUSALS

    async def complete(self, claim: Claim, left: OldSecretLeft | None = None) -> None:
        """The new credentials work. ``left``: why the old secret was not removed from Azure."""
        async with self.locked(claim) as locked:
            if locked is None:
                return
            rotation = locked.rotation
            end(rotation, RotationStep.DONE, self._clock())
            rotation.fault = left.value if left else ""
            if left:
                rotation.old_key_id = ""
            await self.record(locked.session, Act.ROTATE_PROVEN, locked.integration, rotation)
        await self._ended(claim, rotation)

    async def fail(self, claim: Claim, fault: Fault | None = None) -> None:
        """The old credentials stay in use. Without ``fault`` the last stored one is the reason."""
        async with self.locked(claim) as locked:
            if locked is None:
                return
            rotation = locked.rotation
            end(rotation, RotationStep.FAILED, self._clock())
            rotation.fault = fault.value if fault else rotation.fault
            locked.integration.previous_secret_sealed = None
            result = rotation.fault or FAILED
            await self.record(locked.session, Act.ROTATE_FAILED, locked.integration, rotation, result)
        await self._ended(claim, rotation)

    async def _ended(self, claim: Claim, rotation: Rotation) -> None:
        log.info("rotation_finished", integration=claim.integration.id, step=rotation.step, fault=rotation.fault)
        await self._jobs.defer(EXPIRY, claim.integration.id)

    async def record(
        self,
        session: AsyncSession,
        act: Act,
        integration: Integration,
        rotation: Rotation,
        result: str = history.DONE,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Record a step of the rotation as an act of the administrator who began it."""
        known = {"kind": rotation.kind, "credential": integration.credential, **(facts or {})}
        if rotation.expires_on:
            known["expires_on"] = rotation.expires_on.isoformat()
        by = Actor(rotation.started_by, rotation.started_by_name)
        await self._audit.record(session, act, by, integration, known, result)


def end(rotation: Rotation, step: RotationStep, now: datetime) -> None:
    """Mark the rotation as finished and delete its copy of the secret."""
    rotation.step, rotation.finished_at, rotation.due_at, rotation.secret_sealed = step.value, now, None, None


def _retry_after(last: Rotation) -> timedelta:
    """A policy that forbids secrets does not change from one day to the next."""
    return POLICY_RETRY if last.fault == Fault.GRAPH_SECRETS_FORBIDDEN else AUTOMATIC_RETRY


def _is_young(last: Rotation, now: datetime) -> bool:
    """Whether the secret that ``last`` brought has not seen half its days: a policy may allow few."""
    if last.step != RotationStep.DONE or last.expires_on is None:
        return False
    began = last.started_at.date()
    return now.date() < began + (last.expires_on - began) / 2


def needs_automatic_rotation(integration: Integration, now: datetime) -> bool:
    """Whether the bot is to replace the secret by itself, and the old one still works to make the new one."""
    day = integration.secret_expires_on
    return (
        integration.auto_rotate
        and integration.credential == CredentialKind.SECRET
        and integration.removing_since is None
        and day is not None
        and now.date() <= day <= (now + ROTATE_BEFORE_EXPIRY).date()
    )
