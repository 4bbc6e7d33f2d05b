"""The rows on the path from webhook to Graph, as plain values: read and written in sets, without an ORM.

The columns are described with the tables (``storage.tables``).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import ne
from typing import Any, ClassVar, Generic, TypeVar

from storage.tables import people as tables
from storage.tables.integrations import Integration
from storage.tables.people import Person
from storage.transaction import Table, Transaction

Row = TypeVar("Row")


@dataclass(slots=True)
class PersonRow:
    id: str
    integration_id: str
    cloudlink_user_id: str
    extension: str | None
    site_id: str
    teams_user_id: str | None
    excluded: bool
    outside: str
    opted_out: bool
    mapping: str
    line: str
    line_since: int
    line_without_dnd: str
    heard_at: datetime | None
    desired: str | None
    desired_at: datetime | None
    desired_because: str
    waiting_since: datetime | None
    applied: str | None
    applied_user_id: str | None
    applied_at: datetime | None
    applied_until: datetime | None
    due_at: datetime | None
    refusal: str
    refused_since: datetime | None
    refused_until: datetime | None
    status_message: str
    status_before: str | None
    status_user_id: str | None
    status_until: datetime | None
    status_due_at: datetime | None


@dataclass(slots=True)
class EndpointRow:
    person_id: str
    extension: str
    integration_id: str
    do_not_disturb: bool = False
    offline: bool = False
    at: int = 0
    heard_at: datetime | None = None
    by_poll: bool = False
    poll_at: datetime | None = None


@dataclass(slots=True)
class CallRow:
    person_id: str
    extension: str
    call_id: str
    state: str
    conference: bool
    at: int
    heard_at: datetime


@dataclass(slots=True)
class IntegrationRow:
    """An integration, with its sealed credentials for Teams and what the flow changes."""

    __tablename__: ClassVar[str] = "integration"

    id: str
    owner_tenant: str
    enabled: bool
    removing_since: datetime | None
    feature_version: int
    status_text: str
    status_texts: dict[str, str]
    mapping: dict[str, str | None]
    further: list[dict[str, Any]]
    closed: bool
    cloudlink_account_id: str
    webhook_token_hash: str = field(repr=False)
    subscription_id: str
    catch_up_since: datetime | None
    matched_at: datetime | None
    tenant_id: str
    client_id: str
    credential: str
    client_secret_sealed: str = field(repr=False)
    certificate_sealed: str | None = field(repr=False)
    host_proven_for: str
    previous_secret_sealed: str | None = field(repr=False)
    last_webhook_at: datetime | None
    live_since: datetime | None
    unreported: dict[str, float]
    missed: int
    missed_since: datetime | None
    missed_at: datetime | None
    last_change_at: datetime | None
    accepted_at: datetime | None
    quota_spent: list[list[float]]
    quota_limit: int
    quota_changed_at: datetime | None
    quota_blocked_until: datetime | None


AnyPerson = Person | PersonRow
AnyIntegration = Integration | IntegrationRow


def _from(kind: type, first: str) -> tuple[str, ...]:
    """The names of the fields from ``first`` on: those that the flow changes come last."""
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return names[names.index(first) :]


PEOPLE = Table(Person, PersonRow, _from(PersonRow, "line"))
INTEGRATIONS = Table(Integration, IntegrationRow, _from(IntegrationRow, "previous_secret_sealed"))
ENDPOINTS = Table(tables.Endpoint, EndpointRow)
CALLS = Table(tables.Call, CallRow)


class Tracked(Generic[Row]):
    """Rows with an ``id``, read in a transaction: ``save`` writes those that have changed since."""

    def __init__(self, table: Table[Row]) -> None:
        self._table = table
        self._stored: dict[str, tuple[object, ...]] = {}
        self.rows: dict[str, Row] = {}

    def add(self, rows: Iterable[Row]) -> list[Row]:
        """Keep these rows, in place of nothing read before; returns them as they are kept."""
        kept = []
        for row in rows:
            name: str = row.id  # type: ignore[attr-defined]
            if name not in self.rows:
                self.rows[name], self._stored[name] = row, self._table.state(row)
            kept.append(self.rows[name])
        return kept

    def save(self, transaction: Transaction) -> None:
        """One statement for all rows in which the same columns changed: what did not change keeps its index."""
        columns, changed = self._table.written, defaultdict(list)
        for name, row in self.rows.items():
            before, state = self._stored[name], self._table.state(row)
            if state != before:
                self._stored[name] = state
                differs = tuple(map(ne, state, before))
                changed[differs].append((*compress(state, differs), name))
        for differs, values in changed.items():
            transaction.write(self._table.update(compress(columns, differs)), values)
