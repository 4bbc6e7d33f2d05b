"""The health of each service of an integration: logged once when it fails, once when it recovers.

Problems are kept in the database, so a restart neither loses nor repeats them.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.domain.errors import CERTAIN, OUTAGES, CredentialsWrong, ListUnread, SyncError, error_from
from sync.domain.model import Service, ServiceHealth

log = structlog.get_logger()

TEAMS = (Service.ENTRA, Service.GRAPH)
REFUSALS: Final = "refusals"
"""The subject of the problem that Graph refuses everyone. It stops nothing, for the next one may be accepted; nor
does it end when Graph answers. To administrators it is a refusal of Graph's."""
DIRECTORY: Final = "directory"
DIRECTORY_UNREAD: Final = "directory.unread"
"""The problem that one side's list of users cannot be read, though the service answers. It stops nothing, and ends
when both lists are read."""
LONGEST_BACKOFF = timedelta(seconds=30)
SHORTEST_BACKOFF = timedelta(seconds=1)
CONFIRM_AFTER = timedelta(seconds=3)
"""A refusal this long after a first one, without a success in between, is the second proof."""


async def mark_unhealthy(
    session: AsyncSession, integration_id: str, error: SyncError, now: datetime, service: Service | None = None
) -> Problem:
    """Open a problem for ``error``, or update the open one; closes other problems of the service. Returns it.

    A refusal is lasting, and stops the use of the service, from its second proof on: a service that refused once
    may accept a fresh token seconds later. ``service`` is for faults that do not name their service.
    """
    if isinstance(error, ListUnread):
        return await _mark_unread(session, integration_id, error, now)
    affected = service or service_of(error)
    earlier = [each for each in await problems.list_open(session, integration_id) if each.service == affected]
    lasting = isinstance(error, CredentialsWrong) and (error.fault in CERTAIN or _is_proven(earlier, now))
    if lasting and any(is_suspected(each) for each in earlier):
        await problems.close_open(session, integration_id, [affected], now)
    is_new = await problems.upsert_open(
        session, integration_id, affected.value, error.fault.value, dict(error.context), lasting, now
    )
    await session.flush()
    opened = await problems.list_open(session, integration_id)
    current = next(problem for problem in opened if (problem.service, problem.fault) == (affected, error.fault))
    for other in opened:
        if other.service == affected and other is not current:
            other.healed_at = now
            if is_suspected(other) and is_suspected(current):
                current.since = min(current.since, other.since)
    if is_new:
        log.warning(
            "service_unhealthy", integration=integration_id, service=affected.value, fault=error.fault.value
        )
        if lasting and affected in TEAMS:
            await people.hand_over_sessions(session, integration_id, now)
    return current


async def _mark_unread(session: AsyncSession, integration_id: str, error: ListUnread, now: datetime) -> Problem:
    """Its facts say whose list, and since when who joins or leaves is not seen."""
    row = await integrations.get_for_update(session, integration_id)
    read_at = row and (row.matched_at or row.enabled_at)
    facts = {"side": service_of(error).value, "read_at": (read_at or now).isoformat()}
    if await problems.upsert_open(session, integration_id, DIRECTORY, DIRECTORY_UNREAD, facts, False, now):
        log.warning("list_unread", integration=integration_id, side=facts["side"], fault=error.fault.value)
    await session.flush()
    opened = await problems.list_open(session, integration_id)
    return next(problem for problem in opened if problem.service == DIRECTORY)


async def record_failure(
    database: Database, read: Integration, error: SyncError, now: datetime, service: Service | None = None
) -> None:
    """As ``mark_unhealthy``, in a transaction of its own, unless the integration was edited since it was read."""
    async with database.writing() as session:
        if await is_unchanged(session, read):
            await mark_unhealthy(session, read.id, error, now, service)


async def is_unchanged(session: AsyncSession, read: Integration) -> bool:
    """Whether the integration was not edited since it was read: only then does the outcome say anything about it.

    Locks the integration.
    """
    locked = await integrations.get_for_update(session, read.id)
    return locked is not None and locked.revision == read.revision


async def mark_healthy(
    session: AsyncSession, integration_id: str, services: Iterable[str], now: datetime
) -> list[Problem]:
    """Close the open problems of these services, which responded; returns the closed ones."""
    closed = await problems.close_open(session, integration_id, list(services), now)
    for problem in closed:
        seconds = int((now - problem.since).total_seconds())
        log.info(
            "service_healthy",
            integration=integration_id,
            service=problem.service,
            fault=problem.fault,
            after=seconds,
        )
    if any(problem.service == Service.CLOUDLINK for problem in closed):
        await integrations.mark_gap(session, now, col(Integration.id) == integration_id)
    return closed


def service_health(opened: Collection[Problem]) -> tuple[ServiceHealth, ...]:
    """The health of every service, from the integration's open problems."""
    found = {problem.service: problem for problem in opened}
    if REFUSALS in found:
        found.setdefault(Service.GRAPH, found[REFUSALS])
    return tuple(
        ServiceHealth(service, error_of(found[service]), found[service].since)
        if service in found
        else ServiceHealth(service)
        for service in Service
    )


def unread_lists(opened: Collection[Problem]) -> list[Problem]:
    """The lists of users that cannot be read; where the whole service is away, its problem says enough."""
    services = {problem.service for problem in opened}
    return [each for each in opened if each.service == DIRECTORY and each.facts.get("side") not in services]


def blocking_problem(opened: Iterable[Problem], services: Collection[Service]) -> Problem | None:
    """The open problem that stops the use of these services until an administrator fixes it."""
    return next((problem for problem in opened if problem.lasting and problem.service in services), None)


async def is_blocked(session: AsyncSession, integration_id: str, services: Collection[Service]) -> bool:
    """Whether an integration may not use these services until an administrator fixes it."""
    return blocking_problem(await problems.list_open(session, integration_id), services) is not None


def is_credential_refused(opened: Iterable[Problem]) -> bool:
    """Whether Entra refuses the credential, or may: the date on which it expires says nothing then."""
    return any(
        each.healed_at is None and each.service == Service.ENTRA and each.fault not in OUTAGES for each in opened
    )


def is_suspected(problem: Problem) -> bool:
    """Whether it is a refusal with one proof, which nothing has confirmed yet."""
    return not problem.lasting and problem.service in set(Service) and problem.fault not in OUTAGES


def _is_proven(earlier: Iterable[Problem], now: datetime) -> bool:
    """Whether a refusal confirms an earlier one of the same service."""
    return any(each.lasting or (is_suspected(each) and each.since + CONFIRM_AFTER <= now) for each in earlier)


def backoff(problem: Problem, now: datetime) -> timedelta:
    """How long to wait before the next retry: half as long as the problem is open, within bounds."""
    return backoff_since(problem.since, now)


def backoff_since(since: datetime, now: datetime) -> timedelta:
    """The same for what has failed since then without being a problem of the integration."""
    return min(LONGEST_BACKOFF, max(SHORTEST_BACKOFF, (now - since) / 2))


def service_of(error: SyncError) -> Service:
    """The service that caused the error, from its context or from the first word of its key."""
    named = str(error.context.get("service", "")) or error.fault.value.partition(".")[0]
    return Service(named)


def error_of(problem: Problem) -> SyncError:
    """The error that opened the problem."""
    return error_from(problem.fault, problem.lasting, problem.facts)
