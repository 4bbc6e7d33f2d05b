"""For how long each person's line was in a state, by day: for two days, to replay another mapping."""

from sqlmodel import Field, SQLModel


class LineTime(SQLModel, table=True):
    """Whole seconds of a ``day`` (UTC, ISO) in which a person's line was in a state that can be mapped.

    Counted when the state ends, while presence is on and the person has a Teams user. Deleted after the next day.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    day: str = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    seconds: int
