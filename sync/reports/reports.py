"""Reads what changed and what failed over a time, for ``report`` and for the digest."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.health import problems
from storage.queries.people import reach
from storage.tables.integrations import Integration
from sync.domain.context import Context
from sync.domain.model import CredentialKind
from sync.domain.reports import SECRET_DAYS, FaultSeen, Hours, Named, Report, facts_of
from sync.presence.hours import counted
from sync.problems.health import is_credential_refused
from sync.problems.incidents import Incident, incidents_of, is_covered
from sync.tenancy import owned

NAMES = 3
"""Names in a line of the report."""


class Reports:
    """Reads only. ``read`` and ``week`` raise ``UnknownIntegration``."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._clock = context.clock

    async def read(self, owner_tenant: str, integration_id: str, days: int) -> Report:
        """The report of the last ``days`` days."""
        now = self._clock()
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            return await report_of(session, integration, now - timedelta(days=days), now)

    async def hours(self, owner_tenant: str, integration_id: str, days: int) -> Hours:
        """The hours of the last ``days`` in which something was counted, and the faults."""
        now = self._clock()
        since = now - timedelta(days=days)
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            report = await report_of(session, integration, since, now)
            hours = (await counted(session, integration_id, since, now)).hours()
        return Hours(tuple(hours), report.faults)

    async def digest(self, integration: Integration, since: datetime, until: datetime) -> dict[str, Any] | None:
        """The facts of a digest, without names; None when there is nothing to say."""
        async with self._database.session() as session:
            report = await report_of(session, integration, since, until)
        return facts_of(report) if report.has_news else None


async def report_of(session: AsyncSession, integration: Integration, since: datetime, until: datetime) -> Report:
    key = integration.id
    seen = (await problems.open_or_closed_since(session, [key], since)).get(key, [])
    incidents = incidents_of(seen)
    figures = await counted(session, key, since, until)
    changed = await reach.changed_since(session, key, since, until, NAMES)
    return Report(
        since=since,
        until=until,
        total=figures.total(since),
        slowest=max((hour for hour in figures.hours() if hour.p95), key=lambda hour: hour.p95 or 0, default=None),
        faults=tuple(fault_seen(one) for one in incidents if one.since < until and not is_covered(one, incidents)),
        left_out=Named(*changed.left_out),
        newly_shown=Named(*changed.shown),
        refused=Named(*await reach.refused_since(session, key, since, until, NAMES)),
        secret_days=None if is_credential_refused(seen) else _secret_days(integration, until),
    )


def fault_seen(incident: Incident) -> FaultSeen:
    facts = {name: fact for name, fact in incident.facts.items() if isinstance(fact, str | int)}
    return FaultSeen(incident.service, incident.fault, incident.lasting, incident.since, incident.ended_at, facts)


def _secret_days(integration: Integration, now: datetime) -> int | None:
    expires = integration.secret_expires_on
    if expires is None or integration.credential == CredentialKind.FEDERATED:
        return None
    days = (expires - now.date()).days
    return days if days <= SECRET_DAYS else None
