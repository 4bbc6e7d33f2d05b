"""People of an integration: found by id, due for Graph or a poll, and counted."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import BindParameter, ColumnElement, Executable, and_, bindparam, case, func, or_, update
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import for_update, read_rows
from storage.queries.people import hidden
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Call, Endpoint, Person

Value = TypeVar("Value")

NOT_REFUSED = {"refusal": "", "refused_since": None, "refused_until": None}
"""The columns of a person whom Graph does not refuse."""

BATCH = 500
"""Values in one ``IN``: SQLite and PostgreSQL both limit a statement's parameters."""


def within(integration_ids: Collection[str]) -> ColumnElement[bool]:
    """The people of these integrations, of those whom another condition finds by its own index.

    SQLite, without statistics, would choose an index of the integration instead, and read everyone.
    """
    return col(Person.integration_id).concat("").in_(integration_ids)


async def matched_user(session: AsyncSession, integration_id: str) -> str | None:
    """The Teams user of someone who is matched; None if nobody is."""
    query = (
        select(Person.teams_user_id)
        .where(
            Person.integration_id == integration_id,
            col(Person.gone).is_(False),
            col(Person.teams_user_id).is_not(None),
        )
        .limit(1)
    )
    return (await session.exec(query)).first()


async def by_cloudlink_user(
    session: AsyncSession, integration_id: str, user_ids: Collection[str]
) -> dict[str, Person]:
    """The people with these CloudLink user ids."""
    found: dict[str, Person] = {}
    for part in batches(sorted(user_ids)):
        query = select(Person).where(
            Person.integration_id == integration_id, col(Person.cloudlink_user_id).in_(part)
        )
        found |= {person.cloudlink_user_id: person for person in (await session.exec(query)).all()}
    return found


async def by_teams_user(
    session: AsyncSession, integration_ids: Collection[str], user_ids: Collection[str]
) -> list[Person]:
    """The people of these integrations who are matched to one of these Teams users."""
    found: list[Person] = []
    for part in batches(sorted(user_ids)):
        query = select(Person).where(within(integration_ids), col(Person.teams_user_id).in_(part))
        found += (await session.exec(query)).all()
    return found


async def by_ids(session: AsyncSession, ids: Collection[str]) -> dict[str, Person]:
    found: dict[str, Person] = {}
    for part in batches(sorted(ids)):
        people = (await session.exec(select(Person).where(col(Person.id).in_(part)))).all()
        found |= {person.id: person for person in people}
    return found


async def extensions_to_poll(session: AsyncSession, integration_id: str) -> list[str]:
    """The extensions that matched people own, and those where they were seen.

    Those of people on the phone come first: the event that ends a call may have been lost.
    """
    matters = (
        Person.integration_id == integration_id,
        col(Person.teams_user_id).is_not(None),
        col(Person.gone).is_(False),
    )
    rows = await _extensions(session, col(Person.desired).is_not(None), *matters)
    busy = {extension for extension, is_busy in rows if is_busy}
    return sorted({extension for extension, _ in rows}, key=lambda extension: (extension not in busy, extension))


async def extensions_to_poll_always(session: AsyncSession, integration_id: str) -> set[str]:
    """The extensions of people for whom Teams shows something, or may soon, and of those whose line is unknown."""
    is_shown = or_(col(Person.desired).is_not(None), col(Person.status_message) != "")
    matters = or_(is_shown, col(Person.line).in_(("unknown", "ringing")))
    rows = await _extensions(session, matters, Person.integration_id == integration_id, matters)
    return {extension for extension, _ in rows}


async def _extensions(
    session: AsyncSession, what: ColumnElement[bool], *matters: ColumnElement[bool] | bool
) -> list[tuple[str, bool]]:
    """Own extensions, and those where people were seen, each with ``what`` of its person."""
    own = select(Person.extension, what).where(*matters)
    seen = select(Endpoint.extension, what).join(Person, col(Person.id) == Endpoint.person_id).where(*matters)
    rows = [*(await session.exec(own)).all(), *(await session.exec(seen)).all()]
    return [(extension, bool(value)) for extension, value in rows if extension]


def _differs() -> ColumnElement[bool]:
    return col(Person.desired).is_distinct_from(col(Person.applied))


def _waits() -> ColumnElement[bool]:
    """Whether Teams shows another thing than it should: as the phone is, or for whom nothing may be shown."""
    runs = col(Integration.enabled), col(Integration.closed).is_(False), col(Integration.removing_since).is_(None)
    may_show = col(Person.integration_id).in_(select(Integration.id).where(*runs)) & hidden.is_shown()
    former = col(Person.applied_user_id).is_distinct_from(col(Person.teams_user_id))
    is_former = col(Person.applied_user_id).is_not(None) & former
    return _differs() | (col(Person.applied).is_not(None) & (~may_show | is_former))


def _is_overwritten() -> ColumnElement[bool]:
    """Whether another integration with the same application changed the session later, when ours had no say."""
    own, other, their = aliased(Integration), aliased(Integration), aliased(Person)
    changed_later = col(their.applied_at) > col(Person.applied_at)
    return (
        select(their.id)
        .join(other, col(other.id) == their.integration_id)
        .join(own, _share_application(own, other) & (col(own.id) == Person.integration_id))
        .where(their.teams_user_id == Person.teams_user_id, changed_later)
        .where(col(their.applied).is_distinct_from(col(Person.applied)))
        .correlate(Person)
        .exists()
    )


def _share_application(one: type[Integration], other: type[Integration]) -> ColumnElement[bool]:
    """Whether these are two integrations with one application."""
    is_same = (col(other.tenant_id) == one.tenant_id) & (col(other.client_id) == one.client_id)
    return is_same & (col(one.id) != other.id)


async def hand_over_sessions(session: AsyncSession, integration_id: str, now: datetime) -> None:
    """The credentials of this integration are refused: those with the same application send their own wish for a
    session again, where it has shown another thing.
    """
    own, other, their = aliased(Integration), aliased(Integration), aliased(Person)
    query = (
        select(Person)
        .join(other, col(other.id) == Person.integration_id)
        .join(own, _share_application(own, other) & (col(own.id) == integration_id))
        .join(their, (col(their.integration_id) == own.id) & (col(their.teams_user_id) == Person.teams_user_id))
        .where(col(Person.applied) != col(their.applied))
        .order_by(Person.id)
    )
    for person in (await session.exec(for_update(query, of=Person))).all():
        person.applied, person.applied_at, person.due_at = UNSURE, now, now


_DUE = (
    select(Person.integration_id, func.min(Person.due_at))
    .where(col(Person.due_at) <= bindparam("now"))
    .group_by(col(Person.integration_id))
)


async def next_due_by_integration(session: AsyncSession, now: datetime) -> dict[str, datetime]:
    """The integrations in which a person is due now, and since when."""
    rows = (await session.exec(_DUE, params={"now": now})).all()
    return {key: due_at for key, due_at in rows if due_at}


async def make_pending_due(
    session: AsyncSession, integration_id: str, now: datetime, *, refused: bool = False
) -> int:
    """Make everyone due now for whom Teams shows another thing than it should; returns how many.

    With ``refused``, those whom Graph refused are tried again without waiting longer.
    """
    ours = col(Person.integration_id) == integration_id
    await session.exec(
        update(Person).where(ours, col(Person.applied).is_not(None), _is_overwritten()).values(applied=UNSURE)
    )
    values: dict[str, datetime | None] = {"due_at": now} | ({"refused_until": None} if refused else {})
    result = await session.exec(update(Person).where(ours, _waits()).values(**values))
    return int(result.rowcount)


async def plan_again(session: AsyncSession, now: datetime) -> None:
    """After a start, or after the clock was set back: changes that wait for an attempt are due now.

    What was accepted in the future is unsure, and what was refused then is tried again.
    """
    ahead = update(Person).where(col(Person.applied).is_not(None), col(Person.applied_at) > now)
    await session.exec(ahead.values(applied=UNSURE, due_at=now))
    await session.exec(
        update(Person).where(col(Person.refused_since) > now).values(refused_since=None, refused_until=None)
    )
    await session.exec(update(Person).where(col(Person.due_at) > now, _waits()).values(due_at=now))


async def clear_desired(session: AsyncSession, integration_id: str, because: str, now: datetime) -> int:
    """Stop showing anything in Teams and forget the state of the phones; ``because`` is the cause's id.

    Everyone with an applied presence is due to be cleared now; returns how many.
    """
    await forget_phones(session, col(Person.integration_id) == integration_id)
    everyone = update(Person).where(col(Person.integration_id) == integration_id)
    await session.exec(
        everyone.values(
            desired=None,
            desired_because=because,
            waiting_since=None,
            line="unknown",
            heard_at=None,
            due_at=None,
            **NOT_REFUSED,
        )
    )
    with_message = everyone.where(col(Person.status_message) != "")
    await session.exec(with_message.values(status_due_at=now))
    result = await session.exec(everyone.where(col(Person.applied).is_not(None)).values(due_at=now))
    return int(result.rowcount)


async def forget_phones(session: AsyncSession, *whose: ColumnElement[bool]) -> None:
    """Forget what these people's phones are doing, but not when: a late report of what is over changes nothing."""
    theirs = select(Person.id).where(*whose)
    for edit in (
        update(Call).where(col(Call.person_id).in_(theirs)).values(state="ended"),
        update(Endpoint)
        .where(col(Endpoint.person_id).in_(theirs))
        .values(do_not_disturb=False, offline=False, heard_at=None, poll_at=None),
    ):
        await session.exec(edit.execution_options(synchronize_session=False))


async def mark_applied_unsure(session: AsyncSession, integration_id: str, retry_at: datetime) -> list[str]:
    """Before it is cleared: it is unsure what Teams shows from us. Returns the ids of the Teams users concerned."""
    showing = (col(Person.integration_id) == integration_id, col(Person.applied).is_not(None))
    user_ids = (await session.exec(select(Person.applied_user_id).where(*showing))).all()
    await session.exec(update(Person).where(*showing).values(applied=UNSURE, due_at=retry_at))
    return [user_id for user_id in user_ids if user_id]


async def unmatch_all(session: AsyncSession, integration_id: str) -> list[str]:
    """End every match: what Teams shows is no longer ours to change. The state of the phones stays.

    Status messages expire by themselves within the hour. Returns the ids of the Teams users for whom something was
    shown since ``mark_applied_unsure``.
    """
    since = (col(Person.applied).is_not(None), col(Person.applied) != UNSURE)
    query = select(Person.applied_user_id).where(Person.integration_id == integration_id, *since)
    user_ids = (await session.exec(query)).all()
    everyone = update(Person).where(col(Person.integration_id) == integration_id)
    unknown = {"teams_user_id": None, "unmatched": None, "due_at": None, **NOT_REFUSED}
    nothing = dict.fromkeys(("applied", "applied_user_id", "applied_at", "applied_until"))
    nothing |= {"status_message": "", "status_user_id": None, "status_until": None, "status_due_at": None}
    await session.exec(everyone.values(**unknown, **nothing))
    return [user_id for user_id in user_ids if user_id]


async def clear_extensions(session: AsyncSession, integration_id: str, because: str, now: datetime) -> None:
    """The integration has another account: forget every extension, call and state of a phone."""
    await clear_desired(session, integration_id, because, now)
    ours = select(Person.id).where(Person.integration_id == integration_id)
    await session.exec(delete(Call).where(col(Call.person_id).in_(ours)))
    await session.exec(delete(Endpoint).where(col(Endpoint.integration_id) == integration_id))
    await session.exec(update(Person).where(col(Person.integration_id) == integration_id).values(extension=None))


async def count_shown(session: AsyncSession, integration_id: str) -> int:
    """For how many people Teams shows, or may show, something from us."""
    ours = or_(col(Person.applied).is_not(None), col(Person.status_message) != "")
    query = select(func.count()).where(col(Person.integration_id) == integration_id, ours)
    return (await session.exec(query)).one()


async def lock_status_message_due(
    session: AsyncSession, integration_id: str, now: datetime, limit: int
) -> Sequence[Person]:
    """The people whose status message to process now, locked, the longest waiting first."""
    query = (
        select(Person)
        .where(Person.integration_id == integration_id, col(Person.status_due_at) <= now)
        .order_by(col(Person.status_due_at), col(Person.id))
        .limit(limit)
    )
    return (await session.exec(for_update(query))).all()


_MESSAGE_DUE = select(Person.integration_id).where(col(Person.status_due_at) <= bindparam("now")).distinct()


async def integrations_with_status_message_due(session: AsyncSession, now: datetime) -> Sequence[str]:
    """The integrations in which a status message is due now."""
    return (await session.exec(_MESSAGE_DUE, params={"now": now})).all()


@dataclass(frozen=True, slots=True)
class Counts:
    """``matched`` can be shown; ``left_out`` counts the others by reason, empty for those not read yet.

    ``waiting`` counts changes not yet shown in Teams. Of those who can be shown and whom Teams should show as
    something, it accepted ``shown``, and ``missing`` not.
    """

    people: int
    matched: int
    in_a_call: int
    waiting: int
    shown: int
    missing: int
    left_out: dict[str, int]


REFUSED = "refused"
"""The reason of those whom Teams refuses, besides those in ``Person.unmatched`` and those of ``hidden``."""


def on_the_phone(in_a_call: Collection[str] | BindParameter[str]) -> ColumnElement[bool]:
    """Who talks, whether Teams may show it or not; ``in_a_call`` names the lines that count as a call."""
    return and_(col(Person.desired).is_not(None), col(Person.line).in_(in_a_call))


def _number(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Of how many all conditions are true."""
    return func.count(case((and_(*conditions), 1)))


def _counted() -> Executable:
    """Numbers of people, by whether they are gone, whether they are matched, and why they are left out."""
    matched, desired = col(Person.teams_user_id).is_not(None), col(Person.desired)
    refused = case((col(Person.refusal) != "", REFUSED))
    groups = (col(Person.gone), matched, func.coalesce(hidden.reason(), col(Person.unmatched), refused))
    reaches_teams = or_(matched, col(Person.applied).is_not(None))
    return (
        columns(
            *groups,
            func.count(),
            _number(on_the_phone(bindparam("in_a_call", expanding=True))),
            _number(_differs(), reaches_teams, col(Person.due_at).is_not(None), col(Person.refusal) == ""),
            _number(desired.is_not(None)),
            _number(desired == col(Person.applied)),
        )
        .where(col(Person.integration_id) == bindparam("integration_id"))
        .group_by(*groups)
    )


_COUNTED = _counted()


async def counts(session: AsyncSession, integration_id: str, in_a_call: Collection[str]) -> Counts:
    """``in_a_call`` as for ``on_the_phone``."""
    found = await read_rows(session, _COUNTED, integration_id=integration_id, in_a_call=[*in_a_call])
    present = [row for is_gone, *row in found if not is_gone]
    can_be_shown = [numbers for is_matched, why, *numbers in present if is_matched and why is None]
    matched, _, _, desired, applied = map(sum, zip(*can_be_shown, strict=True)) if can_be_shown else (0,) * 5
    left_out: Counter[str] = Counter()
    for is_matched, why, count, *_ in present:
        if why is not None or not is_matched:
            left_out[why or ""] += count
    return Counts(
        people=sum(row[2] for row in present),
        matched=matched,
        in_a_call=sum(row[3] for row in present),
        waiting=sum(row[5] for row in found),
        shown=applied,
        missing=desired - applied,
        left_out=dict(left_out),
    )


def batches(values: Sequence[Value]) -> list[Sequence[Value]]:
    """``values`` in parts that one ``IN`` can hold."""
    return [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
