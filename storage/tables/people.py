"""People of an integration, their calls, and the events received about them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id

_DESIRED = text("desired IS NOT NULL")
_APPLIED = text("applied IS NOT NULL")
_CHOSEN = text("chosen_user_id IS NOT NULL")
_ENTRY = JSON(none_as_null=True)


class Person(SQLModel, table=True):
    """A CloudLink user and, when matched, a Teams user; what Teams should show from us and what it does.

    ``desired`` is a value of ``sync.domain.presence.Presence``, None for "nothing from us". ``applied`` is what
    Graph last accepted for ``applied_user_id``, or ``UNSURE`` while a request is in flight: a crash
    leaves a row that says so. ``applied_until`` is when Graph ends it by itself, at the latest.
    ``due_at`` is when the row is to be sent, or looked at, next. ``desired_because`` is the correlation id of what
    made it desired. ``waiting_since`` is when a phone last changed it, until Graph accepts or refuses that, or
    nothing may be shown of the person; None for what an administrator changed.

    ``extension`` is the person's own in the directory, at ``site_id``; several people may have the same. ``line``
    is the state of all their endpoints together; ``heard_at`` is when those that make it so were last heard of,
    ``line_since`` when it became so, in seconds since the epoch; 0 if that is not known. ``line_without_dnd`` is
    what it would be without do-not-disturb.

    ``refusal`` is the status and code with which Graph last refused this person (no licence, no Teams, a policy):
    nothing is sent again before ``refused_until``.

    ``search`` is the name, address and extension as they are sorted and searched (``core.text.searchable``).
    ``chosen_user_id`` is the Teams user whom an administrator chose. ``choices`` counts what administrators changed
    about this person, the last of them ``changed_by``, named ``changed_by_name``. ``reach_changed_at`` is since
    when they can be shown in Teams, or cannot (``sync.people.reach``); None since before that was noted.

    ``chosen_mapping`` is the further mapping that an administrator chose for this person, ``mapping`` the one that
    applies: ids in ``Integration.further``, empty for the integration's own.

    ``excluded`` is what an administrator chose, ``opted_out`` what the person did; ``outside`` is the rule that
    puts them outside the integration's scope, empty for who is inside. What these say together is decided in one
    place (``storage.queries.people.hidden``).

    ``status_message`` is the text that Teams shows, or may show, beside the presence of ``status_user_id``: it is
    stored before it is sent. Until its outcome is known Teams may still show ``status_before`` instead, empty for
    nothing; None once it is known. ``status_until`` is when Graph removes it by itself, at the latest;
    ``status_due_at`` when it is processed next.
    """

    __table_args__ = (
        UniqueConstraint("integration_id", "cloudlink_user_id"),
        Index("ix_person_extension", "integration_id", "extension"),
        Index("ix_person_due", "integration_id", "due_at"),
        Index("ix_person_reach", "integration_id", "reach_changed_at"),
        Index(
            "ix_person_search",
            *("integration_id", "search", "id"),
            *("gone", "excluded", "outside", "opted_out", "changed_by", "unmatched", "teams_user_id", "refusal"),
        ),
        Index(
            "ix_person_desired",
            *("integration_id", "search", "id"),
            sqlite_where=_DESIRED,
            postgresql_where=_DESIRED,
        ),
        Index(
            "ix_person_chosen",
            "chosen_user_id",
            sqlite_where=_CHOSEN,
            postgresql_where=_CHOSEN,
        ),
        Index(
            "ix_person_applied",
            "integration_id",
            "applied_user_id",
            sqlite_where=_APPLIED,
            postgresql_where=_APPLIED,
        ),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    cloudlink_user_id: str
    extension: str | None = None
    site_id: str = ""
    name: str = ""
    address: str = ""
    teams_user_id: str | None = Field(default=None, index=True)
    unmatched: str | None = None
    excluded: bool = False
    outside: str = ""
    opted_out: bool = False
    gone: bool = False
    search: str = ""
    chosen_user_id: str | None = None
    chosen_mapping: str = ""
    mapping: str = ""
    choices: int = 0
    changed_by: str = ""
    changed_by_name: str = ""
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reach_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    line: str = "unknown"
    line_since: int = Field(default=0, sa_type=BigInteger)
    line_without_dnd: str = "unknown"
    heard_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    desired: str | None = None
    desired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    desired_because: str = ""
    waiting_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied: str | None = None
    applied_user_id: str | None = None
    applied_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    applied_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    refusal: str = ""
    refused_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refused_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status_message: str = ""
    status_before: str | None = None
    status_user_id: str | None = None
    status_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class SentChanges(SQLModel, table=True):
    """The last five changes sent to Teams for a person, each as ``sync.presence.sent_changes.entry`` writes it.

    A column each, so that one is added without reading the others. Deleted some days after ``newest_at``.
    """

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    newest_at: datetime = Field(sa_type=UtcDateTime, index=True)
    newest: dict[str, Any] | None = Field(default=None, sa_type=_ENTRY)
    second: dict[str, Any] | None = Field(default=None, sa_type=_ENTRY)
    third: dict[str, Any] | None = Field(default=None, sa_type=_ENTRY)
    fourth: dict[str, Any] | None = Field(default=None, sa_type=_ENTRY)
    fifth: dict[str, Any] | None = Field(default=None, sa_type=_ENTRY)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [each for each in (self.newest, self.second, self.third, self.fourth, self.fifth) if each]


class Endpoint(SQLModel, table=True):
    """A device at which a person was seen; what CloudLink last reported of it.

    ``at`` is CloudLink's own clock, in milliseconds, for its flags; ``heard_at``, ours, is when it was last heard
    of at all, None when its state is not known, ``by_poll`` or by an event. ``poll_at`` is when it is to
    be read again, out of turn.
    """

    __table_args__ = (Index("ix_endpoint_extension", "integration_id", "extension"),)

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    extension: str = Field(primary_key=True)
    integration_id: str
    do_not_disturb: bool = False
    offline: bool = False
    at: int = Field(default=0, sa_type=BigInteger)
    heard_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    by_poll: bool = False
    poll_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class Call(SQLModel, table=True):
    """A call of a person at an endpoint; an ended one is kept for a while, to ignore late events.

    ``at`` is the newest time that CloudLink gave for it, in milliseconds since the epoch; ``heard_at`` is ours.
    """

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    extension: str = Field(primary_key=True)
    call_id: str = Field(primary_key=True)
    state: str
    conference: bool = False
    at: int = Field(sa_type=BigInteger)
    heard_at: datetime = Field(sa_type=UtcDateTime)


class SeenEvent(SQLModel, table=True):
    """An event already received, to deduplicate."""

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    event_id: str = Field(primary_key=True)
    seen_at: datetime = Field(sa_type=UtcDateTime, index=True)


class UnknownState(SQLModel, table=True):
    """The name of a state that CloudLink sent and no table knows: counted, shown by ``status``, else ignored."""

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    name: str = Field(primary_key=True)
    count: int = 0
    last_at: datetime = Field(sa_type=UtcDateTime)


class LineTime(SQLModel, table=True):
    """For how many seconds of a ``day`` (UTC, ISO) a person's line was in a state that can be mapped.

    To replay another mapping. Counted when the state ends, while presence is on and the person has a Teams user.
    Deleted after the next day.
    """

    integration_id: str = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    day: str = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    seconds: int
