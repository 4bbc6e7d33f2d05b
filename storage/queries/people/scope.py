"""People by rules, of a scope or a mapping: selected, tried before rules are stored, and judged by those stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, not_, or_, tuple_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.hidden import is_shown
from storage.tables.directory import GroupMember
from storage.tables.integrations import Integration
from storage.tables.people import Person

EVERYONE, ONLY, EXCEPT = "everyone", "only", "except"
"""The values of ``sync.people.scope.rules.ScopeMode``."""

NO_RULE = "only"
"""The name of the rule for who is in none of the rules of ``ONLY``."""


DIGITS = "0123456789"

Rule = tuple[str, str]
"""A value of ``sync.domain.model.RuleKind``, and the rule's value."""

Key = tuple[str, str]
"""What people are ordered by: ``search`` and the id."""

Named = tuple[str, str, str | None]
"""A person's id, name and extension."""


def selected_by_any(integration_id: str, rules: Sequence[Rule]) -> ColumnElement[bool]:
    """Whether one of the rules, of which there is at least one, selects a person."""
    return or_(*(selected_by(integration_id, rule) for rule in rules))


def selected_by(integration_id: str, rule: Rule) -> ColumnElement[bool]:
    """Whether a rule selects a person. A group selects nobody who has no account."""
    kind, value = rule
    match kind:
        case "extensions":
            return _in_range(value)
        case "address":
            return func.lower(col(Person.address)).like(_pattern(value), escape="\\")
        case "site":
            return col(Person.site_id) == value
    is_member = exists().where(
        col(GroupMember.integration_id) == integration_id,
        col(GroupMember.group_id) == value,
        col(GroupMember.user_id) == col(Person.teams_user_id),
    )
    return is_member.correlate(Person)


def _in_range(value: str) -> ColumnElement[bool]:
    """Digits of one length compare as numbers do."""
    first, _, last = value.partition("-")
    extension = col(Person.extension)
    return func.coalesce(
        and_(
            func.length(extension) == len(first),
            extension >= first,
            extension <= (last or first),
            func.ltrim(extension, DIGITS) == "",
        ),
        False,
    )


def _pattern(value: str) -> str:
    for special in ("\\", "%", "_"):
        value = value.replace(special, f"\\{special}")
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

    def comes(self) -> ColumnElement[bool]:
        return and_(not_(is_shown()), self.is_inside())

    def goes(self) -> ColumnElement[bool]:
        return and_(is_shown(), not_(self.is_inside()))

    def considered(self) -> list[ColumnElement[bool]]:
        return [
            col(Person.integration_id) == self.integration_id,
            col(Person.gone).is_(False),
            col(Person.teams_user_id).is_not(None),
        ]


class Trial(Protocol):
    """Of the people who are ``considered``: who comes, who goes, and who is inside then."""

    @property
    def integration_id(self) -> str: ...
    def comes(self) -> ColumnElement[bool]: ...
    def goes(self) -> ColumnElement[bool]: ...
    def is_inside(self) -> ColumnElement[bool]: ...
    def considered(self) -> list[ColumnElement[bool]]: ...


async def figures(session: AsyncSession, trial: Trial) -> tuple[int, int, int]:
    """How many would come, would go, and would be inside in all."""
    counts = (func.count(case((what, 1))) for what in (trial.comes(), trial.goes(), trial.is_inside()))
    come, go, inside = counts
    found = (await session.exec(select(come, go, inside).where(*trial.considered()))).one()
    return found[0], found[1], found[2]


async def changed(session: AsyncSession, trial: Trial, side: str, after: str, limit: int) -> Sequence[Named]:
    """The first people, by name, who would come (``side`` is ``come``) or go, after the person ``after``."""
    key = (col(Person.search), col(Person.id))
    where = [*trial.considered(), trial.comes() if side == "come" else trial.goes()]
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
        "due_at": case((_is_concerned(), now), else_=col(Person.due_at)),
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


def _is_concerned() -> ColumnElement[bool]:
    return or_(col(Person.applied).is_not(None), col(Person.desired).is_not(None))


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
