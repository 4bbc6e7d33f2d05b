"""People whose presence follows from other mappings of line states: counted, listed and changed in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, String, and_, case, func, literal, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.queries.people.hidden import can_be_shown, is_shown
from storage.queries.people.scope import Rule, selected_by
from storage.tables.integrations import Integration
from storage.tables.people import Person

Presences = Mapping[str, str | None]
"""What Teams should show for each line state that is mapped; None for nothing.

Of ``DND`` it may be ``WITHOUT_DND``: what is shown for the state that the line would be in without it.
"""

IDLE, DND, WITHOUT_DND = "idle", "do_not_disturb", "without_dnd"

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
        """Whether another mapping applies to a person than is stored, or shows something else of them."""
        stored = col(Person.mapping)
        return and_(col(Person.gone).is_(False), or_(stored != self.applying(), self.changes(stored)))

    def desired(
        self, state: SQLColumnExpression[str] | None = None, applying: SQLColumnExpression[str] | None = None
    ) -> ColumnElement[str | None]:
        """What Teams should show of a person in one of the line states that are mapped: in theirs, or in ``state``.

        By the mapping that applies to them, or by ``applying``. Of a past ``state`` it is not known what it would
        have been without do-not-disturb: that counts as idle.
        """
        line: _Line = (col(Person.line), col(Person.line_without_dnd))
        if state is not None:
            line = state, literal(IDLE)
        if not self.further:
            return _shown(self.own, line)
        name = self.applying() if applying is None else applying
        some = {each: _shown(presences, line) for each, presences in self.further.items()}
        return case(some, value=name, else_=_shown(self.own, line))

    def of_shown(self, integration_id: str) -> list[ColumnElement[bool]]:
        """Those who are shown in Teams."""
        return [
            col(Person.integration_id) == integration_id,
            can_be_shown(),
            is_shown(),
            col(Person.gone).is_(False),
        ]

    def changes(self, applying: SQLColumnExpression[str] | None = None) -> ColumnElement[bool]:
        """Whether Teams should show something else of a person than is stored."""
        shows = {name for each in (self.own, *self.further.values()) for name, shown in each.items() if shown}
        line, stored, desired = col(Person.line), col(Person.desired), self.desired(applying=applying)
        is_concerned = or_(stored.is_not(None), line.in_(sorted(shows)))
        return and_(line.in_(list(self.own)), is_concerned, stored.is_distinct_from(desired))


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom the further mapping ``id`` would apply to with other ``mappings``: a trial of them."""

    integration_id: str
    mappings: Mappings
    id: str

    def was_inside(self) -> ColumnElement[bool]:
        return col(Person.mapping) == self.id

    def is_inside(self) -> ColumnElement[bool]:
        return self.mappings.applying() == self.id

    def considered(self) -> list[ColumnElement[bool]]:
        return [col(Person.integration_id) == self.integration_id, col(Person.gone).is_(False)]


_Line = tuple[SQLColumnExpression[str], SQLColumnExpression[str]]
"""A line state, and what it would be without do-not-disturb."""


def _shown(presences: Presences, line: _Line) -> ColumnElement[str | None]:
    shows = {name: literal(shown, String) for name, shown in presences.items() if shown != WITHOUT_DND}
    state, without_dnd = line
    if DND in shows or DND not in presences:
        return case(shows, value=state)
    return case(shows, value=case((state == DND, without_dnd), else_=state))


async def concerned(
    session: AsyncSession, integration: Integration, mappings: Mappings, limit: int
) -> tuple[int, list[Concerned]]:
    """How many people would be shown differently now, and the first of them by name; none while it is disabled."""
    if not integration.enabled or integration.closed:
        return 0, []
    shown = [*mappings.of_shown(integration.id), mappings.changes()]
    count = (await session.exec(select(func.count()).select_from(Person).where(*shown))).one()
    if not count or not limit:
        return count, []
    columns = (col(Person.name), col(Person.line), col(Person.desired), mappings.desired())
    query = select(*columns).where(*shown).order_by(col(Person.name), col(Person.id)).limit(limit)
    return count, [(name, line, before, after) for name, line, before, after in await session.exec(query)]


async def apply(
    session: AsyncSession,
    integration: Integration,
    mappings: Mappings,
    because: str,
    now: datetime,
    *who: ColumnElement[bool],
) -> None:
    """Store which mapping applies to everyone, or to ``who``, and what Teams should show of them.

    In the transaction that stores the mappings: neither is stored without the other. Who changed is due if the
    integration is enabled.
    """
    here = (col(Person.integration_id) == integration.id, col(Person.gone).is_(False), *who)
    applying = mappings.applying()
    edit = update(Person).where(*here, col(Person.mapping) != applying).values(mapping=applying)
    await session.exec(edit.execution_options(synchronize_session=False))
    stored = col(Person.mapping)
    values: dict[str, Any] = {
        "desired": mappings.desired(applying=stored),
        "desired_at": now,
        "desired_because": because,
    }
    if integration.enabled:
        is_sent = or_(col(Person.teams_user_id).is_not(None), col(Person.applied).is_not(None))
        values["due_at"] = case((is_sent, now), else_=col(Person.due_at))
    show = update(Person).where(*here, mappings.changes(stored)).values(values)
    await session.exec(show.execution_options(synchronize_session=False))


async def counts(session: AsyncSession, integration_id: str, mappings: Mappings) -> dict[str, int]:
    """How many people each further mapping applies to, also before everyone was judged by it."""
    applying = mappings.applying().label("applying")
    query = select(applying, func.count()).where(
        Person.integration_id == integration_id, col(Person.gone).is_(False)
    )
    found = dict((await session.exec(query.group_by(applying))).all())
    return {name: count for name, count in found.items() if name}


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
