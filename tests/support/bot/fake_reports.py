"""Reports of integrations in which nothing happened."""

from datetime import UTC, datetime, timedelta

from sync.domain.reports import Hour, Report, Week
from sync.reports.reports import Reports

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeReports(Reports):
    def __init__(self) -> None:
        """Without a store."""

    async def read(self, owner_tenant: str, integration_id: str, days: int) -> Report:
        since = NOW - timedelta(days=days)
        return Report(since, NOW, Hour(since))

    async def week(self, owner_tenant: str, integration_id: str) -> Week:
        return Week((), ())
