"""People by rules, of a scope or a mapping: selected, tried before rules are stored, and judged by those stored."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Boolean, ColumnElement, and_, case, exists, func, literal, not_, or_, tuple_, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.hidden import can_be_shown, is_shown
from storage.queries.people.status_messages import is_concerned
from storage.tables.directory import GroupMember
from storage.tables.integrations import Integration
from storage.tables.people import Person

EVERYONE, ONLY, EXCEPT = "everyone", "only", "except"
"""The values of ``sync.people.scope.rules.ScopeMode``."""

NO_RULE = "only"
"""The name of the rule for who is in none of the rules of ``ONLY``."""


DIGITS = "0123456789"
ESCAPE = "\\"

Rule = tuple[str, str]
"""A value of ``sync.domain.model.RuleKind``, and the rule's value."""

Key = tuple[str, str]
"""What people are ordered by: ``search`` and the id."""

Named = tuple[str, str, str | None]
"""A person's id, name and extension."""


class AnyAddress(FunctionElement[bool]):
    """Whether an address is like one of some patterns, whatever the case of their letters: each read once."""

    type = Boolean()
    inherit_cache = True


@compiles(AnyAddress, "sqlite")
def _any_of_sqlite(any_of: AnyAddress, compiler: SQLCompiler, **kw: Any) -> str:
    """SQLite compares the letters that its own ``lower`` knows, whatever their case."""
    address, *patterns = (compiler.process(each, **kw) for each in any_of.clauses)
    likes = [f"{address} LIKE {pattern} ESCAPE '{ESCAPE}'" for pattern in patterns]
    return f"({' OR '.join(likes)})"


@compiles(AnyAddress, "postgresql")
def _any_of_postgresql(any_of: AnyAddress, compiler: SQLCompiler, **kw: Any) -> str:
    address, *patterns = (compiler.process(each, **kw) for each in any_of.clauses)
    return f"lower({address}) LIKE ANY (ARRAY[{', '.join(patterns)}])"


def selected_by_any(integration_id: str, rules: Sequence[Rule]) -> ColumnElement[bool]:
    """Whether one of the rules, of which there is at least one, selects a person."""
    single = [rule for rule in rules if rule[0] == "extensions" and "-" not in rule[1]]
    addresses = [rule for rule in rules if rule[0] == "address"]
    found = [selected_by(integration_id, rule) for rule in rules if rule not in (*single, *addresses)]
    if addresses:
        found.insert(0, _is_like([value for _, value in addresses]))
    if single:
        found.insert(0, _is_one_of([value for _, value in single]))
    return or_(*found)


def selected_by(integration_id: str, rule: Rule) -> ColumnElement[bool]:
    """Whether a rule selects a person. A group selects nobody who has no account."""
    kind, value = rule
    match kind:
        case "extensions":
            return _in_range(value)
        case "address":
            return _is_like([value])
        case "site":
            return col(Person.site_id) == value
    is_member = exists().where(
        col(GroupMember.integration_id) == integration_id,
        col(GroupMember.group_id) == value,
        col(GroupMember.user_id) == col(Person.teams_user_id),
    )
    return is_member.correlate(Person)


def _is_like(patterns: Sequence[str]) -> ColumnElement[bool]:
    return AnyAddress(col(Person.address), *(_pattern(pattern) for pattern in patterns))


def _is_one_of(extensions: Sequence[str]) -> ColumnElement[bool]:
    return func.coalesce(col(Person.extension).in_(extensions), False)


def _in_range(value: str) -> ColumnElement[bool]:
    """Digits of one length compare as numbers do."""
    first, _, last = value.partition("-")
    if not last:
        return _is_one_of([first])
    extension = col(Person.extension)
    of_digits = and_(func.length(extension) == len(first), func.ltrim(extension, DIGITS) == "")
    return func.coalesce(and_(extension >= first, extension <= last, of_digits), False)


def _pattern(value: str) -> str:
    for special in (ESCAPE, "%", "_"):
        value = value.replace(special, f"{ESCAPE}{special}")
    return value.replace("*", "%")


@dataclass(frozen=True, slots=True)
class Rules:
    """A scope of an integration in SQL. ``may_opt_out``: what people chose for themselves counts."""

    integration_id: str
    mode: str = EVERYONE
    rules: Sequence[Rule] = ()
    may_opt_out: bool = True

    def outside(self) -> ColumnElement[str]:
        """The rule that puts a person outside, empty for who is inside.

        Of who has no account yet it is not known whether a group includes them: nothing of them is shown anyway.
        """
        found = [(selected_by(self.integration_id, rule), ":".join(rule)) for rule in self.rules]
        if self.mode == EXCEPT:
            return case(*((selected, literal(name)) for selected, name in found), else_=literal(""))
        if self.mode == EVERYONE:
            return literal("")
        inside = selected_by_any(self.integration_id, self.rules)
        if any(kind == "group" for kind, _ in self.rules):
            inside = or_(inside, col(Person.teams_user_id).is_(None))
        return case((inside, literal("")), else_=literal(NO_RULE))

    def is_inside(self) -> ColumnElement[bool]:
        """Whether a person would be shown by these rules."""
        own = [col(Person.opted_out).is_(False)] if self.may_opt_out else []
        return and_(col(Person.excluded).is_(False), self.outside() == "", *own)

    def differs(self) -> ColumnElement[bool]:
        """Whether what is stored of a person is not what these rules say."""
        refused = [] if self.may_opt_out else [col(Person.opted_out)]
        return or_(col(Person.outside) != self.outside(), *refused)

    def was_inside(self) -> ColumnElement[bool]:
        return is_shown()

    def considered(self) -> list[ColumnElement[bool]]:
        return [
            col(Person.integration_id) == self.integration_id,
            col(Person.gone).is_(False),
            can_be_shown(),
        ]


class Trial(Protocol):
    """Of the people who are ``considered``: who is inside before, and who then."""

    @property
    def integration_id(self) -> str: ...
    def was_inside(self) -> ColumnElement[bool]: ...
    def is_inside(self) -> ColumnElement[bool]: ...
    def considered(self) -> list[ColumnElement[bool]]: ...


async def figures(session: AsyncSession, trial: Trial) -> tuple[int, int, int]:
    """How many would come, would go, and would be inside in all. Each person is judged once."""
    before, after = trial.was_inside().label("before"), trial.is_inside().label("after")
    query = select(before, after, func.count()).where(*trial.considered()).group_by(before, after)
    count = Counter({(was, will_be): number for was, will_be, number in await session.exec(query)})
    return count[False, True], count[True, False], count[True, True] + count[False, True]


async def changed(session: AsyncSession, trial: Trial, side: str, after: str, limit: int) -> Sequence[Named]:
    """The first people, by name, who would come (``side`` is ``come``) or go, after the person ``after``."""
    key = (col(Person.search), col(Person.id))
    was, will_be = trial.was_inside(), trial.is_inside()
    where = [*trial.considered(), *((not_(was), will_be) if side == "come" else (was, not_(will_be)))]
    if after:
        mark = select(Person.search, Person.id).where(
            Person.id == after, Person.integration_id == trial.integration_id
        )
        if found := (await session.exec(mark)).first():
            where.append(tuple_(*key) > tuple(found))
    query = select(Person.id, Person.name, Person.extension).where(*where).order_by(*key).limit(limit)
    return (await session.exec(query)).all()


async def judge(session: AsyncSession, rules: Rules, now: datetime, *who: ColumnElement[bool]) -> None:
    """Store what the rules say of these people. Who is concerned in Teams is due."""
    values: dict[str, Any] = {
        "outside": rules.outside(),
        "due_at": case((is_concerned(), now), else_=col(Person.due_at)),
        "status_due_at": case((col(Person.status_message) != "", now), else_=col(Person.status_due_at)),
    }
    if not rules.may_opt_out:
        values["opted_out"] = False
    edit = update(Person).where(col(Person.integration_id) == rules.integration_id, rules.differs(), *who)
    await session.exec(edit.values(values).execution_options(synchronize_session=False))


async def next_of(
    session: AsyncSession, integration_id: str, differs: ColumnElement[bool], after: Key | None, limit: int
) -> list[Key]:
    """The next people after the key ``after`` of whom something else is stored than is right.

    In the order of an index: the next slice begins where this one ended, and reads nobody twice.
    """
    key = (col(Person.search), col(Person.id))
    where = [col(Person.integration_id) == integration_id, differs]
    if after:
        where.append(tuple_(*key) > after)
    query = select(Person.search, Person.id).where(*where).order_by(*key).limit(limit)
    return [(search, person_id) for search, person_id in await session.exec(query)]


def between(first: Key, last: Key) -> ColumnElement[bool]:
    """The people of a slice, and those between them, found by the index that orders them."""
    key = tuple_(col(Person.search), col(Person.id))
    return and_(key >= first, key <= last)


async def sites(session: AsyncSession, integration_id: str, limit: int) -> Sequence[tuple[str, int, str]]:
    """The sites of an integration's people with their numbers and the name of one of them, the largest first."""
    count = func.count()
    query = (
        select(Person.site_id, count, func.min(Person.name))
        .where(Person.integration_id == integration_id, Person.site_id != "", col(Person.gone).is_(False))
        .group_by(col(Person.site_id))
        .order_by(count.desc(), col(Person.site_id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


def rules_of(integration: Integration) -> Rules:
    """The scope that an integration has."""
    stored = integration.scope
    rules = [(each["kind"], each["value"]) for each in stored.get("rules", ())]
    return Rules(integration.id, stored.get("mode", EVERYONE), rules, stored.get("may_opt_out", True))
