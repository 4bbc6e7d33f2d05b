"""Files of exclusions and matches by hand that administrators sent, until they are applied."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class PeopleImport(SQLModel, table=True):
    """The newest import of an administrator, in an integration. Deleted a day after ``at``.

    ``state`` is ``waiting`` for a file, ``reading`` one, ``ready`` to be applied or ``done``. ``figures`` counts
    what it changes, or changed (``sync.people.imports.values.Figures``).
    """

    __table_args__ = (UniqueConstraint("owner_tenant", "user_object_id"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str
    user_object_id: str
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    state: str
    file: str = ""
    figures: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class PeopleImportLine(SQLModel, table=True):
    """What a line would change for a person, or why it cannot (``sync.people.imports.values.ImportLine``).

    Of one that changes nothing ``detail`` is its wish, in case the person is changed before it is applied.
    """

    import_id: str = Field(primary_key=True, foreign_key="peopleimport.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    person_id: str = ""
    name: str = ""
    choices: int = 0
    excluded: bool | None = None
    match: str = ""
    user_id: str = ""
    account: str = ""
    fault: str = ""
    detail: str = ""
