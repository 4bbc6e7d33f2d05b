"""Numbers over all tenants, for the operator's monitoring. Never a name, never an id."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, exists, func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.chat.conversations import is_administrator
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.notices import AlertChannel
from storage.tables.people import Person
from storage.tables.problems import Problem


@dataclass(frozen=True, slots=True)
class DuePeople:
    """How many people are due to be sent or looked at now, and since when the longest waiting is due."""

    people: int
    since: datetime | None


async def integrations_by_state(session: AsyncSession, vital: Collection[str]) -> dict[str, int]:
    """How many are ``running``, ``stopped``, ``disabled`` or ``removing``.

    Stopped ones wait for an administrator to correct the credentials of one of the ``vital`` services.
    """
    state = case(
        (col(Integration.removing_since).is_not(None), "removing"),
        (col(Integration.enabled).is_(False), "disabled"),
        (_is_stopped(col(Integration.id), vital), "stopped"),
        else_="running",
    )
    rows = await session.exec(select(state, func.count()).group_by(state))
    return {str(name): number for name, number in rows.all()}


async def open_problems(session: AsyncSession) -> Sequence[tuple[str, str, int]]:
    """Service, fault, and the number of integrations that have it."""
    query = (
        select(Problem.service, Problem.fault, func.count())
        .where(col(Problem.healed_at).is_(None))
        .group_by(Problem.service, Problem.fault)
    )
    return (await session.exec(query)).all()


async def due_people(session: AsyncSession, vital: Collection[str], now: datetime) -> DuePeople:
    """People of integrations that are not stopped: a stopped one waits for an administrator."""
    waiting = and_(col(Person.due_at) <= now, ~_is_stopped(col(Person.integration_id), vital))
    number, since = (await session.exec(select(func.count(), func.min(Person.due_at)).where(waiting))).one()
    return DuePeople(number, since)


async def last_webhook_at(session: AsyncSession) -> datetime | None:
    """When the newest webhook was received, or subscription made, of any integration that should receive them."""
    subscribed = (col(Integration.enabled).is_(True), Integration.subscription_id != "")
    newest = func.max(Integration.last_webhook_at), func.max(Integration.subscribed_at)
    times = (await session.exec(select(*newest).where(*subscribed))).one()
    return max((at for at in times if at), default=None)


async def soonest_expiry(session: AsyncSession) -> date | None:
    query = select(func.min(Integration.secret_expires_on)).where(col(Integration.removing_since).is_(None))
    return (await session.exec(query)).one()


async def count_unreachable_administrators(session: AsyncSession) -> int:
    query = select(func.count()).where(
        is_administrator(),
        col(Conversation.unreachable).is_(True),
        exists().where(col(Integration.owner_tenant) == col(Conversation.tenant_id)),
    )
    return (await session.exec(query)).one()


async def count_without_recipient(session: AsyncSession) -> int:
    """Integrations with no administrator and no channel that can be warned."""
    owner = col(Integration.owner_tenant)
    administrator = exists().where(
        col(Conversation.tenant_id) == owner,
        is_administrator(),
        col(Conversation.unreachable).is_(False),
    )
    channel = exists().where(col(AlertChannel.owner_tenant) == owner, col(AlertChannel.unreachable).is_(False))
    query = select(func.count()).where(col(Integration.removing_since).is_(None), ~or_(administrator, channel))
    return (await session.exec(query)).one()


def _is_stopped(integration_id: SQLColumnExpression[str], vital: Collection[str]) -> ColumnElement[bool]:
    return exists().where(
        col(Problem.integration_id) == integration_id,
        col(Problem.lasting).is_(True),
        col(Problem.healed_at).is_(None),
        col(Problem.service).in_(sorted(vital)),
    )
