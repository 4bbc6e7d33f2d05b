"""Installs feature updates: step by step, portion by portion, each stored with the progress it makes.

Whoever dies leaves the last stored portion; the next one goes on from there. A step that fails has the steps done
before it taken back, last first, each in a transaction of its own. Presence goes on meanwhile.
"""

import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta

import structlog

from core.logging import describe_error
from storage.queries import history, integrations
from storage.queries import updates as store
from storage.tables.integrations import Integration
from storage.tables.updates import FeatureUpdate
from sync.domain.context import Context
from sync.domain.errors import ServiceUnavailable, SyncError
from sync.domain.jobs import INSTALL, SHOW_UPDATE
from sync.updates.catalogue import Catalogue
from sync.updates.model import State
from sync.updates.update import Changing, Portion, Step, Update

log = structlog.get_logger()

UNEXPECTED = "unexpected"
"""The fault of a step that failed by a mistake of our own."""

RETRY = timedelta(seconds=5)
"""How long an unwell service is left alone between two tries of a step."""


class Installer:
    """Carries on what was begun. ``patience`` is how long a service may be unwell before a step has failed."""

    def __init__(self, context: Context, catalogue: Catalogue, patience: timedelta) -> None:
        self._database = context.database
        self._catalogue = catalogue
        self._jobs = context.jobs
        self._clock = context.clock
        self._patience = patience

    async def install(self, integration_id: str) -> None:
        """The job: go on until nothing is left to do, or a service needs time."""
        goes_on = True
        while goes_on:
            goes_on = await self._advance(integration_id)
            await self._jobs.defer(SHOW_UPDATE, integration_id)

    async def _advance(self, integration_id: str) -> bool:
        """One portion, one step begun or taken back, or one update ended; whether there is more to do."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
            opened = await store.list_open(session, integration_id)
        if integration is None or integration.removing_since or not opened:
            return False
        row = next((each for each in opened if each.state != store.WAITING), opened[0])
        update = self._catalogue[row.version]
        if row.state == store.ROLLING_BACK:
            return await self._take_back(row, update)
        try:
            return await self._go_on(integration, row, update)
        except ServiceUnavailable as error:
            return await self._wait_or_fail(row, error)
        except SyncError as error:
            return await self._fail(row, error.fault.value, error.context)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            log.error("update_step_failed", integration=integration_id, error=describe_error(error), place=place)
            return await self._fail(row, UNEXPECTED)

    async def _go_on(self, integration: Integration, row: FeatureUpdate, update: Update) -> bool:
        step = _step(update, row.step)
        if step is None or row.done >= row.total:
            following = _after(update, row.step)
            if following is None:
                return await self._complete(row, update)
            return await self._begin_step(row, following, await following.total(integration, row.facts))
        portion = await step.portion(integration, deepcopy(row.facts), row.done)
        return await self._store_portion(row, portion)

    async def _begin_step(self, row: FeatureUpdate, step: Step, total: int) -> bool:
        async with self._changing(row) as changing:
            if changing:
                changing.row.state, changing.row.step = State.RUNNING.value, step.name
                changing.row.done, changing.row.total = 0, total
        return True

    async def _store_portion(self, row: FeatureUpdate, portion: Portion) -> bool:
        async with self._changing(row) as changing:
            if changing:
                await portion.store(changing)
                changing.facts.pop("unwell_since", None)
                changing.row.done = min(row.total, row.done + portion.count)
        return True

    async def _complete(self, row: FeatureUpdate, update: Update) -> bool:
        async with self._changing(row) as changing:
            if changing:
                changing.row.state, changing.row.finished_at = State.COMPLETED.value, changing.now
                await _record(changing, "update_installed", history.DONE)
        await self._set_in_motion(row, update)
        return True

    async def _wait_or_fail(self, row: FeatureUpdate, error: ServiceUnavailable) -> bool:
        now = self._clock()
        since = datetime.fromisoformat(row.facts.get("unwell_since", now.isoformat()))
        if now - since >= self._patience:
            return await self._fail(row, error.fault.value, error.context)
        async with self._changing(row) as changing:
            if changing:
                changing.facts["unwell_since"] = since.isoformat()
        wait = min(self._patience, max(min(RETRY, self._patience / 4), timedelta(seconds=error.retry_after or 0)))
        await self._jobs.defer(INSTALL, row.integration_id, at=now + wait)
        return False

    async def _fail(
        self, row: FeatureUpdate, fault: str, fault_facts: Mapping[str, str | int] | None = None
    ) -> bool:
        log.warning(
            "update_failed", integration=row.integration_id, version=row.version, step=row.step, fault=fault
        )
        async with self._changing(row) as changing:
            if changing:
                changing.facts["failed_step"] = row.step
                changing.facts["fault_facts"] = dict(fault_facts or {})
                changing.row.fault = fault
                roll_back(changing.row, self._catalogue[row.version])
                for other in await store.list_open(changing.session, row.integration_id):
                    if other.state == store.WAITING and other.id != row.id:
                        await changing.session.delete(other)
        return True

    async def _take_back(self, row: FeatureUpdate, update: Update) -> bool:
        """One step, the last first; then the update has ended."""
        step = _step(update, row.step)
        async with self._changing(row) as changing:
            if changing is None:
                return True
            if step is not None:
                await step.undo(changing)
                changing.row.step, changing.row.done = _before(update, row.step), row.done + 1
                return True
            changing.row.state = (State.FAILED if row.fault else State.UNDONE).value
            changing.row.finished_at = changing.now
            act = "update_installed" if row.fault else "update_undone"
            await _record(changing, act, row.fault or history.DONE)
        await self._set_in_motion(row, update)
        return True

    async def _set_in_motion(self, row: FeatureUpdate, update: Update) -> None:
        for job in update.jobs:
            await self._jobs.defer(job, row.integration_id)

    @asynccontextmanager
    async def _changing(self, seen: FeatureUpdate) -> AsyncIterator[Changing | None]:
        """A transaction on an installation as it was ``seen``; None when somebody else has moved it since."""
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, seen.integration_id)
            row = await store.get_for_update(session, seen.id)
            if integration is None or row is None or _place(row) != _place(seen):
                yield None
                return
            changing = Changing(session, integration, row, deepcopy(row.facts), self._clock())
            yield changing
            row.facts = changing.facts
            session.add_all([row, integration])


async def _record(changing: Changing, act: str, result: str) -> None:
    row = changing.row
    await history.record(
        changing.session,
        owner_tenant=row.owner_tenant,
        integration_id=row.integration_id,
        integration_name=changing.integration.name,
        actor_id=row.started_by,
        actor_name=str(changing.facts.get("by", "")),
        act=act,
        result=result,
        facts={"version": row.version},
        now=changing.now,
    )


def roll_back(row: FeatureUpdate, update: Update) -> None:
    """From the step it is at, or from its last: everything is taken back."""
    if row.state == store.COMPLETED:
        row.step = update.steps[-1].name
    row.state, row.done = State.ROLLING_BACK.value, 0
    row.total = _number(update, row.step) + 1
    row.finished_at = None


def _place(row: FeatureUpdate) -> tuple[str, str, int]:
    return row.state, row.step, row.done


def _number(update: Update, name: str) -> int:
    """The step's place, -1 for none."""
    return next((place for place, step in enumerate(update.steps) if step.name == name), -1)


def _step(update: Update, name: str) -> Step | None:
    place = _number(update, name)
    return update.steps[place] if place >= 0 else None


def _after(update: Update, name: str) -> Step | None:
    place = _number(update, name) + 1
    return update.steps[place] if place < len(update.steps) else None


def _before(update: Update, name: str) -> str:
    place = _number(update, name) - 1
    return update.steps[place].name if place >= 0 else ""
