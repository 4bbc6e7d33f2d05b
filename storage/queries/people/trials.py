"""Whom other rules would concern: counted, and listed in pages, before they are stored."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import ColumnElement, case, func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.tables.people import Person

Named = tuple[str, str, str | None]
"""A person's id, name and extension."""


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
