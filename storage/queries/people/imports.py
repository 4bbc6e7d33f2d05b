"""Imports of administrators: their lines in pages, what these are compared with, and their effect in sets."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, and_, case, exists, func, insert, literal, null, or_, update
from sqlalchemy import select as columns
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import advisory_lock, for_update, is_sqlite
from storage.queries.people.people import NOT_REFUSED, within
from storage.queries.people.status_messages import is_concerned
from storage.tables.directory import DirectoryUser
from storage.tables.imports import PeopleImport, PeopleImportLine
from storage.tables.people import Endpoint, Person

Line, OTHER = PeopleImportLine, "other"


class ImportPerson(NamedTuple):
    """A person as a line is compared with; ``principal_name`` is their Teams user's, as last read."""

    person_id: str
    name: str
    address: str
    extension: str | None
    excluded: bool
    chosen_user_id: str | None
    choices: int
    principal_name: str | None


class ImportAccount(NamedTuple):
    """An account as last read from Entra ID."""

    user_id: str
    principal_name: str
    mail: str
    enabled: bool
    guest: bool


async def people_named(
    session: AsyncSession, integration_id: str, named: Mapping[str, Collection[str]]
) -> list[ImportPerson]:
    """The people with one of these ids, addresses, extensions or names (lower case), by the name of the key.

    A name is also found as it is searched: ``Person.search`` begins with it.
    """
    is_user = and_(
        col(DirectoryUser.integration_id) == col(Person.integration_id),
        col(DirectoryUser.user_id) == col(Person.teams_user_id),
    )
    query = (
        columns(
            *(col(Person.id), col(Person.name), col(Person.address), col(Person.extension)),
            *(col(Person.excluded), col(Person.chosen_user_id), col(Person.choices)),
            col(DirectoryUser.principal_name),
        )
        .outerjoin(DirectoryUser, is_user)
        .where(col(Person.gone).is_(False))
    )
    here = col(Person.integration_id) == integration_id
    by = {
        "person_id": col(Person.id),
        "address": func.lower(Person.address),
        "extension": col(Person.extension),
        "name": func.lower(Person.name),
    }
    found: dict[str, ImportPerson] = {}
    for key, column in by.items():
        if values := sorted(named.get(key, ())):
            of = within([integration_id]) if key == "person_id" else here
            where: ColumnElement[bool] = column.in_(values)
            if key == "name":
                where = or_(where, func.substr(Person.search, 1, func.length(Person.name)).in_(values))
            rows = await (await session.connection()).execute(query.where(of, where))
            found |= {row[0]: ImportPerson(*row) for row in rows}
    return list(found.values())


async def accounts_named(session: AsyncSession, integration_id: str, names: Collection[str]) -> list[ImportAccount]:
    """The accounts with one of these sign-in names or addresses (lower case), as last read."""
    some = sorted(names)
    query = columns(*(getattr(DirectoryUser, name) for name in ImportAccount._fields)).where(
        col(DirectoryUser.integration_id) == integration_id,
        or_(func.lower(DirectoryUser.principal_name).in_(some), func.lower(DirectoryUser.mail).in_(some)),
    )
    return [ImportAccount(*row) for row in await (await session.connection()).execute(query)]


async def owners_of(
    session: AsyncSession, integration_id: str, user_ids: Collection[str]
) -> dict[str, dict[str, str]]:
    """The names, by id, of the people who have each of these accounts, or for whom it was chosen."""
    some = sorted(user_ids)
    query = columns(
        col(Person.id), col(Person.name), col(Person.address), col(Person.teams_user_id), col(Person.chosen_user_id)
    ).where(
        within([integration_id]),
        col(Person.gone).is_(False),
        or_(col(Person.teams_user_id).in_(some), col(Person.chosen_user_id).in_(some)),
    )
    found: dict[str, dict[str, str]] = {user_id: {} for user_id in some}
    for person_id, name, address, matched, chosen in await (await session.connection()).execute(query):
        for user_id in found.keys() & {matched, chosen}:
            found[user_id][person_id] = name or address
    return found


async def of_administrator(
    session: AsyncSession, owner_tenant: str, user_object_id: str, *, lock: bool = False
) -> PeopleImport | None:
    """The administrator's newest import."""
    query = select(PeopleImport).where(
        PeopleImport.owner_tenant == owner_tenant, PeopleImport.user_object_id == user_object_id
    )
    return (await session.exec(for_update(query) if lock else query)).first()


async def replace(session: AsyncSession, row: PeopleImport) -> None:
    """Store ``row`` in place of the administrator's former import, whose lines are deleted."""
    await advisory_lock(session, "import", row.owner_tenant, row.user_object_id)
    await delete_of(session, row.owner_tenant, row.user_object_id)
    session.add(row)


async def delete_of(session: AsyncSession, owner_tenant: str, user_object_id: str) -> None:
    mine = (col(PeopleImport.owner_tenant) == owner_tenant, col(PeopleImport.user_object_id) == user_object_id)
    await session.exec(delete(PeopleImport).where(*mine))


async def delete_older_than(session: AsyncSession, before: datetime) -> None:
    """Delete imports and their lines, applied or not."""
    await session.exec(delete(PeopleImport).where(col(PeopleImport.at) < before))


async def add_lines(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await (await session.connection()).execute(insert(Line), rows)


async def page(
    session: AsyncSession, import_id: str, limit: int, after: int, before: int
) -> tuple[list[PeopleImportLine], bool, bool]:
    """Lines that change something, after the number ``after``, or before ``before`` unless 0; else the faulty ones.

    And whether there are others before and after them.
    """
    has_faults = (await session.exec(select(Line.number).where(*_of(import_id, only_faulty=True)).limit(1))).first()
    mine = _of(import_id, only_faulty=has_faults is not None)
    number = col(Line.number)
    place, order = (number < before, number.desc()) if before else (number > after, number)
    rows = list((await session.exec(select(Line).where(*mine, place).order_by(order).limit(limit + 1))).all())
    is_more, rows = len(rows) > limit, rows[:limit]
    return (rows[::-1], is_more, True) if before else (rows, after > 0, is_more)


def _of(import_id: str, *, only_faulty: bool) -> list[Any]:
    mine = [col(Line.import_id) == import_id]
    return [*mine, col(Line.fault) != "" if only_faulty else _changes()]


def _changes() -> ColumnElement[bool]:
    """Whether a line changes something; of the others their wish is kept."""
    return or_(col(Line.excluded).is_not(None), col(Line.match) != "")


async def changed_people(
    session: AsyncSession, row: PeopleImport, limit: int
) -> list[tuple[PeopleImportLine, Person | None]]:
    """Lines whose person was changed since they were compared, with the person as they are now; None: gone."""
    is_here = and_(
        col(Person.id) == col(Line.person_id),
        col(Person.integration_id) == row.integration_id,
        col(Person.gone).is_(False),
    )
    is_changed = or_(col(Person.id).is_(None), col(Person.choices) != col(Line.choices))
    query = select(Line, Person).outerjoin(Person, is_here).where(Line.import_id == row.id, is_changed)
    return list((await session.exec(query.order_by(col(Line.number)).limit(limit))).all())


async def unusable_accounts(
    session: AsyncSession, row: PeopleImport, limit: int
) -> list[tuple[PeopleImportLine, DirectoryUser | None]]:
    """Lines that match an account which is a guest's, disabled or gone since, with the account."""
    is_theirs = and_(
        col(DirectoryUser.integration_id) == row.integration_id, col(DirectoryUser.user_id) == col(Line.user_id)
    )
    is_wrong = or_(
        col(DirectoryUser.user_id).is_(None), col(DirectoryUser.guest), col(DirectoryUser.enabled).is_(False)
    )
    query = select(Line, DirectoryUser).outerjoin(DirectoryUser, is_theirs).where(*_matching(row), is_wrong)
    return list((await session.exec(query.order_by(col(Line.number)).limit(limit))).all())


async def taken_accounts(
    session: AsyncSession, row: PeopleImport, limit: int
) -> list[tuple[PeopleImportLine, Person]]:
    """Lines that match an account which another person has now, with that person.

    Each of the two ways is a query of its own: PostgreSQL would compare every line with everyone for either.
    """
    found: dict[tuple[int, str], tuple[PeopleImportLine, Person]] = {}
    for account in (col(Person.teams_user_id), col(Person.chosen_user_id)):
        is_other = and_(
            within([row.integration_id]),
            col(Person.gone).is_(False),
            col(Person.id) != col(Line.person_id),
            account == col(Line.user_id),
        )
        query = select(Line, Person).join(Person, is_other).where(*_matching(row))
        for line, person in await session.exec(query.order_by(col(Line.number)).limit(limit)):
            found[line.number, person.id] = line, person
    return [found[key] for key in sorted(found)][:limit]


def _matching(row: PeopleImport) -> list[Any]:
    return [col(Line.import_id) == row.id, col(Line.match) == "match"]


async def figures(session: AsyncSession, import_id: str) -> dict[str, int]:
    """The fields of ``sync.people.imports.values.Figures`` that lines tell."""
    counts = {
        "excluded": col(Line.excluded).is_(True),
        "included": col(Line.excluded).is_(False),
        "matched": col(Line.match) == "match",
        "unmatched": col(Line.match) == "unmatch",
        "faulty": col(Line.fault) != "",
    }
    query = columns(*(func.count(case((condition, 1))) for condition in counts.values()))
    row = (await (await session.connection()).execute(query.where(col(Line.import_id) == import_id))).one()
    return dict(zip(counts, row, strict=True))


async def lock_people(session: AsyncSession, import_id: str) -> None:
    """Lock the people whom the lines change, until the session ends. Their number alone leaves the database."""
    names = select(Line.person_id).where(Line.import_id == import_id, _changes())
    query = select(Person.id).where(col(Person.id).in_(names)).order_by(col(Person.id))
    if not is_sqlite(session):
        await session.exec(select(func.count()).select_from(for_update(query).subquery()))


async def apply(
    session: AsyncSession, row: PeopleImport, by: tuple[str, str], now: datetime, reasons: tuple[str, str]
) -> None:
    """Change everyone whom the lines change, in one statement; ``by`` is the administrator's id and name.

    Who is matched is due, and who is concerned in Teams.

    ``reasons`` are those of people without an extension, and with a shared one.
    """
    no_extension, shared = reasons
    is_match, is_set = col(Line.match) == "match", or_(col(Line.excluded).is_not(None), col(Line.match) == "match")
    is_due = or_(is_match, and_(is_set, is_concerned()))
    unmatched = case(
        (col(Person.extension).is_(None), no_extension),
        (col(Person.unmatched) == shared, shared),
        else_=null(),
    )
    could = and_(col(Person.teams_user_id).is_not(None), col(Person.unmatched).is_(None))
    can = and_(col(Person.extension).is_not(None), col(Person.unmatched).is_distinct_from(shared))
    is_reached = and_(is_match, could != can)
    values: dict[str, Any] = {
        "reach_changed_at": case((is_reached, now), else_=col(Person.reach_changed_at)),
        "excluded": func.coalesce(col(Line.excluded), col(Person.excluded)),
        "chosen_user_id": case(
            (is_match, col(Line.user_id)), (col(Line.match) == "unmatch", null()), else_=col(Person.chosen_user_id)
        ),
        "teams_user_id": case((is_match, col(Line.user_id)), else_=col(Person.teams_user_id)),
        "unmatched": case((is_match, unmatched), else_=col(Person.unmatched)),
        **{name: case((is_match, value), else_=getattr(Person, name)) for name, value in NOT_REFUSED.items()},
        "due_at": case((is_due, now), else_=col(Person.due_at)),
        "status_due_at": case(
            (and_(is_set, col(Person.status_message) != ""), now), else_=col(Person.status_due_at)
        ),
        "choices": col(Person.choices) + 1,
        "changed_by": by[0],
        "changed_by_name": by[1],
        "changed_at": now,
    }
    named = (col(Line.import_id) == row.id, col(Line.person_id) == col(Person.id), _changes())
    edit = update(Person).where(*named).values(values)
    await session.exec(edit.execution_options(synchronize_session=False))


def is_matched_by(row: PeopleImport) -> ColumnElement[bool]:
    """Whether the import gives a person another account."""
    return col(Person.id).in_(select(Line.person_id).where(*_matching(row)))


async def read_phones(session: AsyncSession, row: PeopleImport, now: datetime) -> None:
    """Everyone who was matched has their phones read out of turn, their own too if it was never seen."""
    matched = select(Line.person_id).where(*_matching(row))
    seen = exists().where(
        col(Endpoint.person_id) == col(Person.id), col(Endpoint.extension) == col(Person.extension)
    )
    names = ["person_id", "extension", "integration_id", "do_not_disturb", "offline", "at"]
    off = literal(value=False, type_=Boolean)
    own = columns(col(Person.id), col(Person.extension), col(Person.integration_id), off, off, literal(0)).where(
        col(Person.id).in_(matched), col(Person.extension).is_not(None), ~seen
    )
    await session.exec(insert(Endpoint).from_select(names, own))
    theirs = update(Endpoint).where(col(Endpoint.person_id).in_(matched)).values(poll_at=now)
    await session.exec(theirs.execution_options(synchronize_session=False))


async def delete_lines(session: AsyncSession, import_id: str) -> None:
    await session.exec(delete(Line).where(col(Line.import_id) == import_id))
