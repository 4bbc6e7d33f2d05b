"""Installs feature updates step by step and batch by batch; each batch is stored together with its progress.

If a process ends, the next one continues after the last stored batch. If a step fails, the steps before it are
rolled back, the last one first, each in its own transaction. Presence is synchronised all the time.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta

import structlog

from core.logging import describe_error, where
from storage.queries import history, integrations
from storage.queries import updates as store
from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.audit import Act, AuditLog
from sync.domain.context import Context
from sync.domain.errors import ServiceUnavailable, SyncError
from sync.domain.jobs import INSTALL, SHOW_UPDATE
from sync.domain.model import Actor
from sync.updates.catalogue import Catalogue
from sync.updates.model import InstallationState
from sync.updates.update import Batch, StepTransaction, Update, UpdateStep

log = structlog.get_logger()

UNEXPECTED = "unexpected"
"""The fault of a step that failed because of a defect in this program."""

RETRY = timedelta(seconds=5)
"""The pause between two attempts of a step while a service is unavailable."""

UNAVAILABLE_SINCE = "unwell_since"
"""The key, in an update's facts, of when its step first found a service unavailable."""


class Installer:
    """Runs installations. ``timeout`` is how long a service may be unavailable before the step fails."""

    def __init__(self, context: Context, catalogue: Catalogue, timeout: timedelta) -> None:
        self._database = context.database
        self._catalogue = catalogue
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)
        self._timeout = timeout

    async def install(self, integration_id: str) -> None:
        """The job: run until nothing is left to do, or a service is unavailable."""
        has_more = True
        while has_more:
            has_more = await self._advance(integration_id)
            await self._jobs.defer(SHOW_UPDATE, integration_id)

    async def _advance(self, integration_id: str) -> bool:
        """Store one batch, begin or undo one step, or end one update; returns whether there is more to do."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            opened = await store.list_open(session, integration_id)
        if integration is None or integration.removing_since or not opened:
            return False
        row = next((each for each in opened if each.state != store.WAITING), opened[0])
        update = self._catalogue[row.version]
        if row.state == store.ROLLING_BACK:
            return await self._undo_step(row, update)
        try:
            return await self._run_step(integration, row, update)
        except ServiceUnavailable as error:
            return await self._wait_or_fail(row, error)
        except SyncError as error:
            return await self._fail(row, error.fault.value, error.context)
        except Exception as error:
            at = where(error.__traceback__)
            log.error("update_step_failed", integration=integration_id, error=describe_error(error), where=at)
            return await self._fail(row, UNEXPECTED)

    async def _run_step(self, integration: Integration, row: FeatureUpdate, update: Update) -> bool:
        step = _step(update, row.step)
        if step is None or row.done >= row.total:
            following = _step_after(update, row.step)
            if following is None:
                return await self._complete(row, update)
            return await self._begin_step(row, following, await following.total(integration, row.facts))
        batch = await step.next_batch(integration, deepcopy(row.facts), row.done)
        return await self._store_batch(row, batch)

    async def _begin_step(self, row: FeatureUpdate, step: UpdateStep, total: int) -> bool:
        async with self._transaction(row) as transaction:
            if transaction:
                transaction.row.state, transaction.row.step = InstallationState.RUNNING.value, step.name
                transaction.row.done, transaction.row.total = 0, total
        return True

    async def _store_batch(self, row: FeatureUpdate, batch: Batch) -> bool:
        async with self._transaction(row) as transaction:
            if transaction:
                await batch.store(transaction)
                transaction.facts.pop(UNAVAILABLE_SINCE, None)
                transaction.row.done = min(row.total, row.done + batch.count)
        return True

    async def _complete(self, row: FeatureUpdate, update: Update) -> bool:
        async with self._transaction(row) as transaction:
            if transaction:
                transaction.row.state = InstallationState.COMPLETED.value
                transaction.row.finished_at = transaction.now
                await self._record(transaction, Act.UPDATE_INSTALLED)
        await self._defer_jobs(row, update)
        return True

    async def _wait_or_fail(self, row: FeatureUpdate, error: ServiceUnavailable) -> bool:
        now = self._clock()
        since = datetime.fromisoformat(row.facts.get(UNAVAILABLE_SINCE, now.isoformat()))
        if now - since >= self._timeout:
            return await self._fail(row, error.fault.value, error.context)
        async with self._transaction(row) as transaction:
            if transaction:
                transaction.facts[UNAVAILABLE_SINCE] = since.isoformat()
        pause = max(min(RETRY, self._timeout / 4), timedelta(seconds=error.retry_after or 0))
        await self._jobs.defer(INSTALL, row.integration_id, at=now + min(self._timeout, pause))
        return False

    async def _fail(
        self, row: FeatureUpdate, fault: str, fault_facts: Mapping[str, str | int] | None = None
    ) -> bool:
        """Begin to roll back, and drop the updates that wait for this one."""
        log.warning(
            "update_failed", integration=row.integration_id, version=row.version, step=row.step, fault=fault
        )
        async with self._transaction(row) as transaction:
            if transaction:
                transaction.facts["failed_step"] = row.step
                transaction.facts["fault_facts"] = dict(fault_facts or {})
                transaction.row.fault = fault
                begin_rollback(transaction.row, self._catalogue[row.version])
                for other in await store.list_open(transaction.session, row.integration_id):
                    if other.state == store.WAITING and other.id != row.id:
                        await transaction.session.delete(other)
        return True

    async def _undo_step(self, row: FeatureUpdate, update: Update) -> bool:
        """Undo the current step and move to the one before it; after the first step the update has ended."""
        step = _step(update, row.step)
        async with self._transaction(row) as transaction:
            if transaction is None:
                return True
            if step is not None:
                await step.undo(transaction)
                transaction.row.step, transaction.row.done = _name_before(update, row.step), row.done + 1
                return True
            state = InstallationState.FAILED if row.fault else InstallationState.UNDONE
            transaction.row.state, transaction.row.finished_at = state.value, transaction.now
            act = Act.UPDATE_INSTALLED if row.fault else Act.UPDATE_UNDONE
            await self._record(transaction, act, row.fault or history.DONE)
        await self._defer_jobs(row, update)
        return True

    async def _defer_jobs(self, row: FeatureUpdate, update: Update) -> None:
        for job in update.jobs:
            await self._jobs.defer(job, row.integration_id)

    @asynccontextmanager
    async def _transaction(self, read: FeatureUpdate) -> AsyncIterator[StepTransaction | None]:
        """A transaction on an installation as it was ``read``; None when another process has advanced it."""
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, read.integration_id)
            row = await store.get_for_update(session, read.id)
            if integration is None or row is None or _position(row) != _position(read):
                yield None
                return
            transaction = StepTransaction(session, integration, row, deepcopy(row.facts), self._clock())
            yield transaction
            row.facts = transaction.facts

    async def _record(self, transaction: StepTransaction, act: Act, result: str = history.DONE) -> None:
        by = Actor(transaction.row.started_by, str(transaction.facts.get("by", "")))
        facts = {"version": transaction.row.version}
        await self._audit.record(transaction.session, act, by, transaction.integration, facts, result)


def begin_rollback(row: FeatureUpdate, update: Update) -> None:
    """Roll back every step from the current one, or from the last of a completed update."""
    if row.state == store.COMPLETED:
        row.step = update.steps[-1].name
    row.state, row.done = InstallationState.ROLLING_BACK.value, 0
    row.total = _index(update, row.step) + 1
    row.finished_at = None


def _position(row: FeatureUpdate) -> tuple[str, str, int]:
    return row.state, row.step, row.done


def _index(update: Update, name: str) -> int:
    """The index of the step of this name, -1 for none."""
    return next((index for index, step in enumerate(update.steps) if step.name == name), -1)


def _step(update: Update, name: str) -> UpdateStep | None:
    index = _index(update, name)
    return update.steps[index] if index >= 0 else None


def _step_after(update: Update, name: str) -> UpdateStep | None:
    index = _index(update, name) + 1
    return update.steps[index] if index < len(update.steps) else None


def _name_before(update: Update, name: str) -> str:
    index = _index(update, name) - 1
    return update.steps[index].name if index >= 0 else ""
