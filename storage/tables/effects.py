"""What Teams was read to show, how long changes took to be accepted, and what was counted by the hour."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime


class ReadBack(SQLModel, table=True):
    """What Teams shows of a person, in Graph's words, since ``at``; empty where Graph said nothing.

    ``at`` is not older than the wish that it was compared with (``Person.desired_at``). ``sent_again_at`` is when
    that wish was sent again because Teams did not show it.
    """

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    availability: str = ""
    activity: str = ""
    at: datetime = Field(sa_type=UtcDateTime)
    sent_again_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ReadBackRun(SQLModel, table=True):
    """The latest reading for an integration, asked for at ``asked_at``; ``fault`` says why it failed.

    ``read_at`` is when Graph last said what Teams shows, None if it never did.
    ``failing_since`` is since when each reading found people whose presence is not shown though it was sent again.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    asked_at: datetime = Field(sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    fault: str = ""
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DelayCount(SQLModel, table=True):
    """How many changes of an integration took as long as ``bucket`` says (``sync.presence.delays``).

    They were accepted in the five minutes from ``slot`` on, in seconds since the epoch.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    slot: int = Field(primary_key=True, sa_type=BigInteger)
    bucket: int = Field(primary_key=True)
    changes: int = 0


class HourFigure(SQLModel, table=True):
    """What was counted for an integration in the hour from ``hour`` on, in seconds since the epoch.

    ``name`` is a ``sync.domain.reports.Figure``, or that of a delay's bucket (``sync.presence.delays``).
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    hour: int = Field(primary_key=True, sa_type=BigInteger)
    name: str = Field(primary_key=True)
    count: int = 0
