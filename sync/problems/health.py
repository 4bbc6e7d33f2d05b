"""A light for each service of an integration: logged once when it breaks, once when it heals.

Problems live in the store, so a restart neither forgets nor repeats them.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries import integrations, problems
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Service, ServiceHealth

log = structlog.get_logger()

TEAMS = (Service.ENTRA, Service.GRAPH)
LONGEST_BACKOFF = timedelta(seconds=30)
SHORTEST_BACKOFF = timedelta(seconds=1)


async def broke(
    session: AsyncSession, integration_id: str, error: SyncError, now: datetime, service: Service | None = None
) -> Problem:
    """Note that ``error`` happened; it replaces what was wrong with the same service. Returns the open problem.

    ``service`` is for faults that do not name theirs.
    """
    about = service or service_of(error)
    lasting = isinstance(error, CredentialsWrong)
    is_new = await problems.upsert_open(
        session, integration_id, about.value, error.fault.value, dict(error.context), lasting, now
    )
    await session.flush()
    opened = await problems.list_open(session, integration_id)
    mine = next(problem for problem in opened if (problem.service, problem.fault) == (about, error.fault))
    for other in opened:
        if other.service == about and other is not mine:
            other.healed_at = now
            session.add(other)
    if is_new:
        log.warning("service_broke", integration=integration_id, service=about.value, fault=error.fault.value)
    return mine


async def is_as_read(session: AsyncSession, read: Integration) -> bool:
    """Whether nobody edited the integration since; otherwise what went wrong or well with it says nothing now."""
    locked = await integrations.get_for_update(session, read.id)
    return locked is not None and locked.revision == read.revision


async def healed(
    session: AsyncSession, integration_id: str, services: Iterable[Service], now: datetime
) -> list[Problem]:
    """Note that these services answer well; returns the problems this closes."""
    closed = await problems.close_open(session, integration_id, [service.value for service in services], now)
    for problem in closed:
        seconds = int((now - problem.since).total_seconds())
        log.info(
            "service_healed",
            integration=integration_id,
            service=problem.service,
            fault=problem.fault,
            after=seconds,
        )
    return closed


def service_health(opened: Collection[Problem]) -> tuple[ServiceHealth, ...]:
    """A light for each service, from the integration's open problems."""
    found = {problem.service: problem for problem in opened}
    return tuple(
        ServiceHealth(service, error_of(found[service]), found[service].since)
        if service in found
        else ServiceHealth(service)
        for service in Service
    )


def lasting(opened: Iterable[Problem], services: Collection[Service]) -> Problem | None:
    """The open problem that keeps these services from being used until a human mends it."""
    return next((problem for problem in opened if problem.lasting and problem.service in services), None)


def backoff(problem: Problem, now: datetime) -> timedelta:
    """How long to leave an unwell service alone: half as long as it has been unwell, within reason."""
    return min(LONGEST_BACKOFF, max(SHORTEST_BACKOFF, (now - problem.since) / 2))


def service_of(error: SyncError) -> Service:
    """Whose fault it is: said in its context, or by the first word of its key."""
    named = str(error.context.get("service", "")) or error.fault.value.partition(".")[0]
    return Service(named)


def error_of(problem: Problem) -> SyncError:
    """The error as it was when the problem was raised."""
    kind = CredentialsWrong if problem.lasting else ServiceUnavailable
    error = kind(Fault(problem.fault))
    error.context = dict(problem.facts)
    return error
