"""People as an administrator looks for them: in pages by key, by filter and by words; never all of them.

The order is that of ``Person.search``, in which the words are looked for too: one index serves both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, and_, bindparam, false, func, literal, not_, or_, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from storage.database import for_update
from storage.queries.people.hidden import can_be_shown, is_shown
from storage.queries.people.people import on_the_phone, within
from storage.tables.directory import DirectoryUser
from storage.tables.effects import ReadBack
from storage.tables.integrations import Integration
from storage.tables.people import Call, Endpoint, Person

MAX_WORDS = 6
CANDIDATES = 50
"""People who are compared with a name that nobody has."""

PIECE = 3


_ONE = select(Person).where(
    Person.id == bindparam("person_id"),
    Person.integration_id == bindparam("integration_id"),
    col(Person.gone).is_(False),
)
_ONE_LOCKED = for_update(_ONE)


_AFTER_BLANK = literal(" ").concat(col(Person.search))
"""What is searched, with a blank before each of its words."""

PersonRead = tuple[Person, ReadBack | None]
"""A person, and what Teams was read to show of them."""

_READ = select(Person, ReadBack).outerjoin(ReadBack, col(ReadBack.person_id) == col(Person.id))


async def _read(session: AsyncSession, query: Select[Person, ReadBack]) -> list[PersonRead]:
    return list((await session.exec(query)).all())


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """``filter`` is a value of ``sync.domain.people.PeopleFilter``; ``by`` is who asks, for ``my_changes``.

    ``words`` all occur in a person's name, address or extension; with ``only_beginnings`` each begins a word of
    them. The page begins after the person ``after``, or ends before the person ``before``. ``talking`` names the
    lines that count as a call. ``only_shown``: those who are shown in Teams.
    """

    filter: str = "everyone"
    words: tuple[str, ...] = ()
    only_beginnings: bool = False
    by: str = ""
    after: str = ""
    before: str = ""
    talking: Collection[str] = ()
    only_shown: bool = False


async def page(
    session: AsyncSession, integration_ids: Collection[str], query: PeopleQuery, limit: int
) -> tuple[list[PersonRead], bool, bool]:
    """At most ``limit`` people in order, and whether there are others before and after them."""
    mark = await _mark(session, integration_ids, query.before or query.after)
    backwards = bool(mark and query.before)
    key = (col(Person.search), col(Person.id))
    wanted = _READ.where(*_where(integration_ids, query))
    if mark:
        place = tuple_(*key) < mark if backwards else tuple_(*key) > mark
        wanted = wanted.where(place)
    wanted = wanted.order_by(*(column.desc() if backwards else column for column in key)).limit(limit + 1)
    rows = await _read(session, wanted)
    is_more, rows = len(rows) > limit, rows[:limit]
    return (rows[::-1], is_more, True) if backwards else (rows, mark is not None, is_more)


async def count(session: AsyncSession, integration_ids: Collection[str], query: PeopleQuery) -> int:
    wanted = select(func.count()).select_from(Person).where(*_where(integration_ids, query))
    return (await session.exec(wanted)).one()


PersonRow = tuple[Person, str | None, ReadBack | None]
"""A person, the principal name of their Teams user as last read, and what Teams was read to show of them."""


_KEY = (col(Person.search), col(Person.id))
_SLICE = (
    select(Person, col(DirectoryUser.principal_name), ReadBack)
    .outerjoin(
        DirectoryUser,
        and_(
            col(DirectoryUser.integration_id) == col(Person.integration_id),
            col(DirectoryUser.user_id) == col(Person.teams_user_id),
        ),
    )
    .outerjoin(ReadBack, col(ReadBack.person_id) == col(Person.id))
    .where(Person.integration_id == bindparam("integration_id"), col(Person.gone).is_(False))
    .order_by(*_KEY)
    .limit(bindparam("most"))
)
_NEXT_SLICE = _SLICE.where(
    tuple_(*_KEY) > tuple_(bindparam("search", type_=String), bindparam("person_id", type_=String))
)


async def slice_after(
    session: AsyncSession, integration_id: str, after: tuple[str, str] | None, limit: int
) -> Sequence[PersonRow]:
    """The next ``limit`` people after the key ``after``, in order; who is removed meanwhile changes nothing."""
    named = {"integration_id": integration_id, "most": limit}
    if after is None:
        return (await session.exec(_SLICE, params=named)).all()
    search, person_id = after
    return (await session.exec(_NEXT_SLICE, params={**named, "search": search, "person_id": person_id})).all()


async def _mark(session: AsyncSession, integration_ids: Collection[str], person_id: str) -> tuple[str, str] | None:
    """The key of a person; None for one who is gone, or of another integration: then the first page is shown."""
    if not person_id:
        return None
    query = select(Person.search, Person.id).where(
        Person.id == person_id, col(Person.integration_id).in_(integration_ids)
    )
    found = (await session.exec(query)).first()
    return (found[0], found[1]) if found else None


def _where(integration_ids: Collection[str], query: PeopleQuery) -> list[ColumnElement[bool]]:
    searched, before = (_AFTER_BLANK, " ") if query.only_beginnings else (col(Person.search), "")
    words = [searched.contains(f"{before}{word}", autoescape=True) for word in query.words[:MAX_WORDS]]
    return [
        col(Person.integration_id).in_(integration_ids),
        col(Person.gone).is_(False),
        *words,
        *_filtered(query),
        *([is_shown(), can_be_shown()] if query.only_shown else []),
    ]


def _filtered(query: PeopleQuery) -> list[ColumnElement[bool]]:
    match query.filter:
        case "on_the_phone":
            return [on_the_phone(query.talking)]
        case "left_out":
            unmatched = or_(col(Person.unmatched).is_not(None), col(Person.teams_user_id).is_(None))
            return [or_(unmatched, col(Person.refusal) != "", not_(is_shown()))]
        case "not_shown":
            differs = col(Person.desired).is_distinct_from(col(Person.applied))
            return [col(Person.desired).is_not(None), differs, is_shown()]
        case "excluded":
            return [col(Person.excluded).is_(True)]
        case "outside":
            return [col(Person.outside) != ""]
        case "opted_out":
            return [col(Person.opted_out).is_(True)]
        case "my_changes":
            return [col(Person.changed_by) == query.by if query.by else false()]
    return []


async def with_extension(
    session: AsyncSession, integration_ids: Collection[str], extension: str
) -> list[PersonRead]:
    """Those who own the extension or were seen there, at most a few."""
    seen = select(Endpoint.person_id).where(
        col(Endpoint.integration_id).in_(integration_ids), Endpoint.extension == extension
    )
    own = and_(col(Person.integration_id).in_(integration_ids), col(Person.extension) == extension)
    query = _READ.where(or_(own, col(Person.id).in_(seen)), col(Person.gone).is_(False))
    return await _read(session, query.order_by(col(Person.search), col(Person.id)).limit(PIECE * 2))


async def candidates(
    session: AsyncSession, integration_ids: Collection[str], words: Collection[str]
) -> list[PersonRead]:
    """Whom these words may mean: some who share their first letters, or else their last ones, or else any.

    Or else some who have a word that begins with the same letter.
    """
    some = list(words)[:MAX_WORDS]
    first = [col(Person.search).contains(word[:PIECE], autoescape=True) for word in some if word]
    last = [col(Person.search).contains(word[-PIECE:], autoescape=True) for word in some if word]
    if not first:
        return []
    same = [_AFTER_BLANK.contains(f" {word[0]}", autoescape=True) for word in some if word]
    for enough in (and_(*first), and_(*last), or_(*first, *last), or_(*same)):
        query = (
            _READ.where(col(Person.integration_id).in_(integration_ids), col(Person.gone).is_(False), enough)
            .order_by(col(Person.search), col(Person.id))
            .limit(CANDIDATES)
        )
        if found := await _read(session, query):
            return found
    return []


async def get(session: AsyncSession, integration_id: str, person_id: str, *, lock: bool = False) -> Person | None:
    """A person of the integration who is in CloudLink; with ``lock`` locked until the session ends."""
    named = {"person_id": person_id, "integration_id": integration_id}
    return (await session.exec(_ONE_LOCKED if lock else _ONE, params=named)).first()


async def of_teams_user(session: AsyncSession, tenant: str, user_id: str) -> list[Person]:
    """The people matched to this user of ``tenant``, in the integrations that the tenant itself owns."""
    query = (
        select(Person)
        .join(Integration, col(Integration.id) == Person.integration_id)
        .where(
            col(Person.teams_user_id) == user_id,
            Integration.owner_tenant == tenant,
            func.lower(Integration.tenant_id) == tenant.lower(),
            col(Integration.removing_since).is_(None),
            col(Person.gone).is_(False),
        )
        .order_by(col(Integration.created_at), col(Person.id))
    )
    return list((await session.exec(query)).all())


async def owner_of_account(session: AsyncSession, integration_id: str, user_id: str, but: str) -> Person | None:
    """Who else (than ``but``) of the integration is matched to this Teams user."""
    query = select(Person).where(
        within([integration_id]),
        or_(col(Person.teams_user_id) == user_id, col(Person.chosen_user_id) == user_id),
        Person.id != but,
        col(Person.gone).is_(False),
    )
    return (await session.exec(query)).first()


async def chosen(
    session: AsyncSession, integration_id: str, accounts: Collection[str] | None = None
) -> dict[str, str]:
    """The Teams users whom administrators chose, by CloudLink user id; with ``accounts`` only those of them."""
    query = select(Person.cloudlink_user_id, Person.chosen_user_id).where(
        Person.integration_id == integration_id, col(Person.chosen_user_id).is_not(None)
    )
    if accounts is not None:
        query = query.where(col(Person.chosen_user_id).in_(accounts))
    return {user_id: chosen_id for user_id, chosen_id in (await session.exec(query)).all() if chosen_id}


async def live_calls(session: AsyncSession, person_id: str, ended: str) -> list[Call]:
    """The person's calls that are not in the state ``ended``."""
    query = select(Call).where(Call.person_id == person_id, Call.state != ended)
    return list((await session.exec(query.order_by(col(Call.heard_at), col(Call.call_id)))).all())


async def endpoints(session: AsyncSession, person_id: str) -> list[Endpoint]:
    """The devices at which the person was seen, by number."""
    query = select(Endpoint).where(Endpoint.person_id == person_id).order_by(col(Endpoint.extension))
    return list((await session.exec(query)).all())
