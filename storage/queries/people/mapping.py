"""People whose presence follows from other mappings of line states: counted, listed and changed in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, String, and_, case, func, literal, not_, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.hidden import is_shown
from storage.queries.people.scope import Rule, selected_by
from storage.tables.integrations import Integration
from storage.tables.people import Person

Presences = Mapping[str, str | None]
"""What Teams should show for each line state that is mapped; None for nothing."""

OWN = "own"
"""Chosen for a person: the integration's own mapping, whatever the rules say."""

Concerned = tuple[str, str, str | None, str | None]
"""A person's name and line state, what Teams should show before, and what after."""


@dataclass(frozen=True, slots=True)
class Mappings:
    """What an integration shows: ``own``, or for some people one of ``further``, by id and in their order.

    ``selected`` says of which people they are, for those that have rules.
    """

    own: Presences
    further: Mapping[str, Presences] = field(default_factory=dict)
    selected: Mapping[str, ColumnElement[bool]] = field(default_factory=dict)

    def applying(self) -> ColumnElement[str]:
        """The id of the mapping that applies to a person, empty for ``own``.

        It is the one chosen for the person; or else the first that selects them; or else the integration's own.
        """
        chosen = col(Person.chosen_mapping)
        by_rule = ((selects, literal(name)) for name, selects in self.selected.items())
        of_person = ((chosen.in_(list(self.further)), chosen), (chosen == OWN, literal("")))
        return case(*of_person, *by_rule, else_=literal(""))

    def differs(self) -> ColumnElement[bool]:
        """Whether another mapping applies to a person than is stored."""
        return and_(col(Person.gone).is_(False), col(Person.mapping) != self.applying())

    def desired(
        self, state: SQLColumnExpression[str] | None = None, applying: SQLColumnExpression[str] | None = None
    ) -> ColumnElement[str | None]:
        """What Teams should show of a person in one of the line states that are mapped: in theirs, or in ``state``.

        By the mapping that applies to them, or by ``applying``.
        """
        line = col(Person.line) if state is None else state
        if not self.further:
            return _shown(self.own, line)
        name = self.applying() if applying is None else applying
        some = {each: _shown(presences, line) for each, presences in self.further.items()}
        return case(some, value=name, else_=_shown(self.own, line))

    def of_shown(self, integration_id: str) -> list[ColumnElement[bool]]:
        """Those who are shown in Teams."""
        return [
            col(Person.integration_id) == integration_id,
            col(Person.teams_user_id).is_not(None),
            is_shown(),
            col(Person.gone).is_(False),
        ]

    def changes(self, applying: SQLColumnExpression[str] | None = None) -> ColumnElement[bool]:
        """Whether Teams should show something else of a person than is stored."""
        is_busy, desired = col(Person.line).in_(list(self.own)), self.desired(applying=applying)
        return and_(is_busy, col(Person.desired).is_distinct_from(desired))


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom the further mapping ``id`` would apply to with other ``mappings``: a trial of them."""

    integration_id: str
    mappings: Mappings
    id: str

    def is_inside(self) -> ColumnElement[bool]:
        return self.mappings.applying() == self.id

    def comes(self) -> ColumnElement[bool]:
        return and_(col(Person.mapping) != self.id, self.is_inside())

    def goes(self) -> ColumnElement[bool]:
        return and_(col(Person.mapping) == self.id, not_(self.is_inside()))

    def considered(self) -> list[ColumnElement[bool]]:
        return [col(Person.integration_id) == self.integration_id, col(Person.gone).is_(False)]


def _shown(presences: Presences, line: SQLColumnExpression[str]) -> ColumnElement[str | None]:
    shows = {name: literal(presence, String) for name, presence in presences.items()}
    return case(shows, value=line)


async def figures(session: AsyncSession, trial: Selection) -> tuple[int, int, int]:
    """How many would come, would go, and would have the mapping in all. Each person is judged once."""
    applying = trial.mappings.applying().label("applying")
    query = select(Person.mapping, applying, func.count()).where(*trial.considered())
    found = (await session.exec(query.group_by(col(Person.mapping), applying))).all()
    come = sum(count for before, after, count in found if before != trial.id == after)
    go = sum(count for before, after, count in found if before == trial.id != after)
    return come, go, sum(count for _, after, count in found if after == trial.id)


async def concerned(
    session: AsyncSession, integration: Integration, mappings: Mappings, limit: int
) -> tuple[int, list[Concerned]]:
    """How many people would be shown differently now, and the first of them by name; none while it is disabled."""
    if not integration.enabled or integration.closed:
        return 0, []
    shown = [*mappings.of_shown(integration.id), mappings.changes()]
    count = (await session.exec(select(func.count()).select_from(Person).where(*shown))).one()
    columns = (col(Person.name), col(Person.line), col(Person.desired), mappings.desired())
    query = select(*columns).where(*shown).order_by(col(Person.name), col(Person.id)).limit(limit)
    return count, [(name, line, before, after) for name, line, before, after in await session.exec(query)]


async def apply(
    session: AsyncSession,
    integration: Integration,
    mappings: Mappings,
    because: str,
    now: datetime,
    stale: datetime,
    *who: ColumnElement[bool],
) -> None:
    """Store which mapping applies to everyone, or to ``who``, and what Teams should show of them.

    In the transaction that stores the mappings: neither is stored without the other. Who changed is due if the
    integration is enabled. A state that was last heard of before ``stale`` does not become newer.
    """
    here = (col(Person.integration_id) == integration.id, col(Person.gone).is_(False), *who)
    applying = mappings.applying()
    edit = update(Person).where(*here, col(Person.mapping) != applying).values(mapping=applying)
    await session.exec(edit.execution_options(synchronize_session=False))
    stored = col(Person.mapping)
    is_recent = or_(col(Person.heard_at) >= stale, col(Person.desired_at) >= stale)
    values: dict[str, Any] = {
        "desired": mappings.desired(applying=stored),
        "desired_at": case((is_recent, now), else_=col(Person.desired_at)),
        "desired_because": because,
    }
    if integration.enabled:
        is_sent = or_(col(Person.teams_user_id).is_not(None), col(Person.applied).is_not(None))
        values["due_at"] = case((is_sent, now), else_=col(Person.due_at))
    show = update(Person).where(*here, mappings.changes(stored)).values(values)
    await session.exec(show.execution_options(synchronize_session=False))


async def counts(session: AsyncSession, integration_id: str) -> dict[str, int]:
    """How many people each further mapping applies to."""
    query = (
        select(Person.mapping, func.count())
        .where(Person.integration_id == integration_id, Person.mapping != "", col(Person.gone).is_(False))
        .group_by(col(Person.mapping))
    )
    return dict((await session.exec(query)).all())


async def selecting(
    session: AsyncSession, integration_id: str, rules: Sequence[Rule], person_id: str
) -> Rule | None:
    """The first of the rules that selects a person now."""
    if not rules:
        return None
    which = case(*((selected_by(integration_id, rule), number) for number, rule in enumerate(rules)), else_=-1)
    query = select(which).where(Person.integration_id == integration_id, Person.id == person_id)
    number = (await session.exec(query)).first()
    return None if number is None or number < 0 else rules[number]
