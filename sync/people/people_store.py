"""Stores what a reading of the directories says of some people, and what follows for Teams."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from core.text import searchable
from storage.queries.people import directory_people, endpoints, people
from storage.queries.people.directory import Directory
from storage.tables.columns import UNSURE
from storage.tables.people import Person
from sync.domain.model import Unmatched
from sync.domain.presence import BUSY_LINES, LineState
from sync.people.difference import GONE_FROM_CLOUDLINK
from sync.people.reach import noting_reach
from sync.presence.plan import forget_refusal, mark_nothing_shown
from sync.presence.status_message_plan import transfer_message


async def store_people(
    session: AsyncSession,
    integration_id: str,
    wanted: Mapping[str, Directory | None],
    chosen: Mapping[str, str],
    listed: Collection[str],
    now: datetime,
) -> None:
    """``wanted`` says what to store of CloudLink users, None for who is gone: ``listed`` are all the others.

    Who is gone is kept while Teams may show something for them, then deleted. ``chosen`` are the Teams users chosen
    by hand, as they were when the directories were read: who was given another since keeps it until the next match,
    and nobody else is matched to it.
    """
    wanted = await _without_chosen(session, integration_id, wanted, listed)
    known = await people.by_cloudlink_user(session, integration_id, wanted)
    extensions = {person.id: person.extension for person in known.values()}
    for user_id, person in known.items():
        if wanted[user_id] is None:
            await _retire(session, person, now)
    after = [
        _updated(
            known.get(user_id)
            or Person(integration_id=integration_id, cloudlink_user_id=user_id, reach_changed_at=now),
            row,
            chosen.get(user_id),
            now,
        )
        for user_id, row in wanted.items()
        if row
    ]
    session.add_all(person for person in after if person.cloudlink_user_id not in known)
    await session.flush()
    await _move_phones(session, after, extensions, now)
    leaving = [person for user_id, person in known.items() if wanted[user_id] is None and person.applied]
    _transfer_shown([*after, *leaving], now)


async def _without_chosen(
    session: AsyncSession, integration_id: str, wanted: Mapping[str, Directory | None], listed: Collection[str]
) -> dict[str, Directory | None]:
    """As ``wanted``, but whose Teams user is chosen for another of those ``listed`` by now is matched to none."""
    accounts = {row[4] for row in wanted.values() if row and row[4]}
    chosen = await directory_people.chosen(session, integration_id, accounts)
    owners = {account: user_id for user_id, account in chosen.items() if user_id in listed}
    return {
        user_id: (*row[:4], None, Unmatched.TAKEN.value, row[6])
        if row and row[4] and owners.get(row[4], user_id) != user_id
        else row
        for user_id, row in wanted.items()
    }


async def _move_phones(
    session: AsyncSession, rows: Sequence[Person], before: Mapping[str, str | None], now: datetime
) -> None:
    """Someone whose extension was taken away has no calls there; whose extension changed, is read out of turn."""
    moved = [person for person in rows if before.get(person.id) not in (None, person.extension)]
    former = {person.id: before[person.id] or "" for person in moved}
    await endpoints.move(session, former, moved, now)
    without_phone = [row for row in rows if row.extension is None and row.line != LineState.UNKNOWN]
    seen = await endpoints.endpoints_by_person(session, [person.id for person in without_phone])
    for person in without_phone:
        if not seen[person.id]:
            person.line, person.desired, person.desired_at = LineState.UNKNOWN, None, now
            person.desired_because, person.waiting_since = current_cause(), None
            if person.status_message:
                person.status_due_at = now


async def _retire(session: AsyncSession, person: Person, now: datetime) -> None:
    if not person.applied and not person.status_message:
        await _remove(session, person)
        return
    person.gone, person.teams_user_id, person.desired = True, None, None
    person.desired_because, person.due_at, person.waiting_since = current_cause(), now, None


async def _remove(session: AsyncSession, person: Person) -> None:
    """What was chosen for or by them is kept with CloudLink's id of the user, for the case that they come back."""
    if person.excluded or person.opted_out or person.chosen_user_id or person.chosen_mapping:
        await endpoints.forget_all(session, person.id)
        _store_directory(person, GONE_FROM_CLOUDLINK)
        person.line, person.desired, person.heard_at, person.due_at = LineState.UNKNOWN, None, None, None
    else:
        await session.delete(person)


def _store_directory(person: Person, row: Directory) -> None:
    person.name, person.address, person.extension, person.site_id = row[:4]
    person.teams_user_id, person.unmatched, person.gone = row[4:]
    person.search = searchable(person.name, person.address, person.extension)


def _updated(person: Person, wanted: Directory, chosen: str | None, now: datetime) -> Person:
    """Who stops matching is due now, for what is shown must be cleared, in a call or not."""
    person.name, person.address, person.extension, person.site_id, teams_user_id, unmatched, person.gone = wanted
    person.search = searchable(person.name, person.address, person.extension)
    if person.chosen_user_id != chosen:
        return person
    with noting_reach(person, now):
        person.unmatched, before = unmatched, person.teams_user_id
        person.teams_user_id = teams_user_id
    if before != teams_user_id:
        is_concerned = person.applied or person.status_message or person.desired or person.line in BUSY_LINES
        person.due_at = now if is_concerned else person.due_at
        forget_refusal(person)
    return person


def _transfer_shown(rows: Sequence[Person], now: datetime) -> None:
    """What Teams shows for a Teams user is recorded with the person who is matched to that user now."""
    owners = {person.teams_user_id: person for person in rows if person.teams_user_id}
    for person in rows:
        owner = owners.get(person.applied_user_id) if person.applied_user_id else None
        if owner is None or owner is person:
            continue
        transfer_message(person, owner)
        if owner.applied is None:
            owner.applied, owner.applied_user_id = UNSURE, person.applied_user_id
            owner.applied_at, owner.applied_until, owner.due_at = None, person.applied_until, now
            mark_nothing_shown(person)
