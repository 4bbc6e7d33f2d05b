"""Integrations as one administrator works with them: whatever is done is recorded, and how it went.

Every turn's commands are given this in the place of sync's own, so that none can forget.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bot.ports import IntegrationsPort
from core.clock import Clock
from storage.database import Database
from storage.queries import history
from sync.domain.errors import SyncError
from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    CloudLinkCheck,
    EditedMeanwhile,
    IntegrationView,
    NameTaken,
    Preview,
    Probe,
    Status,
    TeamsApp,
    TeamsCheck,
    UnknownIntegration,
)

EDITED_MEANWHILE = "edited_meanwhile"
NAME_TAKEN = "name_taken"
FAILED = "failed"
"""Results besides ``history.DONE`` and the keys of faults."""


@dataclass
class Trace:
    """What will be recorded of an act."""

    integration_id: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    trouble: Exception | None = None


class Recorded:
    """An ``IntegrationsPort`` that passes on to another, and keeps history.

    Looking is no act. A check before something is saved is one only when it fails: else the saving follows.
    An edit records its own success, in one transaction with itself.
    """

    def __init__(self, port: IntegrationsPort, database: Database, clock: Clock, tenant: str, by: Actor) -> None:
        self._port = port
        self._database = database
        self._clock = clock
        self._tenant = tenant
        self._by = by

    async def check_cloudlink(self, account: CloudLinkAccount) -> CloudLinkCheck:
        tried = {"account_id": account.account_id}
        async with self._act(self._tenant, "check_cloudlink", facts=tried, only_failures=True):
            return await self._port.check_cloudlink(account)

    async def check_teams(self, app: TeamsApp) -> TeamsCheck:
        tried = {"tenant_id": app.tenant_id, "client_id": app.client_id}
        async with self._act(self._tenant, "check_teams", facts=tried, only_failures=True):
            return await self._port.check_teams(app)

    async def add(
        self,
        owner_tenant: str,
        name: str,
        account: CloudLinkAccount,
        app: TeamsApp,
        expires_on: date | None,
        status_text: str = "",
    ) -> IntegrationView:
        async with self._act(owner_tenant, "setup") as trace:
            trace.name = name
            view = await self._port.add(owner_tenant, name, account, app, expires_on, status_text)
            trace.integration_id = view.id
        return view

    async def list(self, owner_tenant: str) -> list[IntegrationView]:
        return await self._port.list(owner_tenant)

    async def preview(self, owner_tenant: str, integration_id: str) -> Preview:
        return await self._port.preview(owner_tenant, integration_id)

    async def enable(self, owner_tenant: str, integration_id: str) -> IntegrationView:
        async with self._act(owner_tenant, "enable", integration_id):
            return await self._port.enable(owner_tenant, integration_id)

    async def disable(self, owner_tenant: str, integration_id: str) -> int:
        async with self._act(owner_tenant, "disable", integration_id):
            return await self._port.disable(owner_tenant, integration_id)

    async def remove(self, owner_tenant: str, integration_id: str) -> None:
        async with self._act(owner_tenant, "remove", integration_id):
            await self._port.remove(owner_tenant, integration_id)

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        async with self._act(owner_tenant, "rename", integration_id, facts={"to": name}, only_failures=True):
            return await self._port.rename(owner_tenant, integration_id, revision, name, by)

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> IntegrationView:
        async with self._act(owner_tenant, "edit_cloudlink", integration_id, only_failures=True):
            return await self._port.edit_cloudlink(owner_tenant, integration_id, revision, account, by)

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
    ) -> IntegrationView:
        async with self._act(owner_tenant, "edit_teams", integration_id, only_failures=True):
            return await self._port.edit_teams(owner_tenant, integration_id, revision, app, expires_on, by)

    async def status(self, owner_tenant: str, integration_id: str) -> Status:
        return await self._port.status(owner_tenant, integration_id)

    async def test_connection(self, owner_tenant: str, integration_id: str) -> tuple[Probe, ...]:
        async with self._act(owner_tenant, "test", integration_id) as trace:
            probes = await self._port.test_connection(owner_tenant, integration_id)
            trace.trouble = next((probe.error for probe in probes if probe.error), None)
        return probes

    @asynccontextmanager
    async def _act(
        self,
        owner_tenant: str,
        act: str,
        integration_id: str = "",
        *,
        facts: dict[str, Any] | None = None,
        only_failures: bool = False,
    ) -> AsyncIterator[Trace]:
        """Record what becomes of the block. An integration that is not there cannot have been acted upon."""
        trace = Trace(integration_id, await self._name_of(owner_tenant, integration_id), facts or {})
        try:
            yield trace
        except UnknownIntegration:
            raise
        except Exception as error:
            trace.trouble = error
            await self._record(owner_tenant, act, trace)
            raise
        if trace.trouble or not only_failures:
            await self._record(owner_tenant, act, trace)

    async def _name_of(self, owner_tenant: str, integration_id: str) -> str:
        if not integration_id:
            return ""
        views = await self._port.list(owner_tenant)
        return next((view.name for view in views if view.id == integration_id), "")

    async def _record(self, owner_tenant: str, act: str, trace: Trace) -> None:
        context = trace.trouble.context if isinstance(trace.trouble, SyncError) else {}
        async with self._database.writing() as session:
            await history.record(
                session,
                owner_tenant=owner_tenant,
                integration_id=trace.integration_id,
                integration_name=trace.name,
                actor_id=self._by.id,
                actor_name=self._by.name,
                act=act,
                result=_result(trace.trouble),
                facts={**trace.facts, **context},
                now=self._clock(),
            )


def _result(trouble: Exception | None) -> str:
    match trouble:
        case None:
            return history.DONE
        case SyncError():
            return trouble.fault.value
        case EditedMeanwhile():
            return EDITED_MEANWHILE
        case NameTaken():
            return NAME_TAKEN
        case _:
            return FAILED
