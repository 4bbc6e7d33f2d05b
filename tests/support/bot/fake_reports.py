"""Reports of integrations in which nothing happened, and drills that nobody may hold."""

from datetime import UTC, datetime, timedelta

from sync.domain.drills import Drill, Rehearsal
from sync.domain.model import Actor, UnknownIntegration
from sync.domain.reports import Hour, Hours, Report
from sync.reports.drills import Drills
from sync.reports.reports import Reports

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeReports(Reports):
    def __init__(self) -> None:
        """Without a store."""

    async def read(self, owner_tenant: str, integration_id: str, days: int) -> Report:
        since = NOW - timedelta(days=days)
        return Report(since, NOW, Hour(since))

    async def hours(self, owner_tenant: str, integration_id: str, days: int) -> Hours:
        return Hours((), ())


class FakeDrills(Drills):
    def __init__(self) -> None:
        """Without a store."""

    async def begin(self, owner_tenant: str, integration_id: str, rehearsal: Rehearsal, by: Actor) -> None:
        raise UnknownIntegration(integration_id)

    async def rehearse(self, owner_tenant: str, integration_id: str, rehearsal: Rehearsal) -> Drill:
        raise UnknownIntegration(integration_id)
