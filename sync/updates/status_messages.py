"""Version 3: a status message says that a person is on the phone, unless the person has set one."""

from collections.abc import Sequence

from sqlmodel import col, func, select, update
from sqlmodel.sql.expression import SelectOfScalar

from storage.database import Database
from storage.queries.people import people
from storage.queries.people.hidden import can_be_shown, is_shown
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.features import STATUS_MESSAGES
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE
from sync.domain.presence import RESTING
from sync.domain.services import MAX_READ
from sync.presence.status_message_plan import ON_THE_PHONE
from sync.presence.status_messages import StatusMessageWriter
from sync.updates.model import PlannedChange
from sync.updates.update import (
    MAX_NAMES,
    STORE_BATCH,
    Batch,
    Facts,
    RaiseVersion,
    StepTransaction,
    UpdateStep,
    store_nothing,
)

READ_BATCH = 200
"""People read in one batch; one request can read ``MAX_READ``."""


class StatusMessages:
    """The update."""

    version = STATUS_MESSAGES
    jobs = (PUSH, PUSH_STATUS_MESSAGE)

    def __init__(self, database: Database, messages: StatusMessageWriter) -> None:
        self._database = database
        self._messages = messages
        self.steps: Sequence[UpdateStep] = (
            ReadMessages(database, messages),
            SetStatusText(self.version),
            MarkDue(database),
        )

    async def dry_run(self, integration: Integration) -> tuple[PlannedChange, ...]:
        """How many are matched; who is on the phone now, and who of them would keep a message of their own."""
        async with self._database.session() as session:
            matched = (await session.exec(_count(_matched(integration)))).one()
            calling = (await session.exec(_calling(integration).limit(MAX_READ))).all()
        found = await self._messages.read(integration.id, [each.teams_user_id or "" for each in calling])
        own = [each.name for each in calling if found.get(each.teams_user_id or "")]
        changed = [each.name for each in calling if not found.get(each.teams_user_id or "")]
        changes = [
            PlannedChange("people", matched),
            PlannedChange("on_the_phone", len(changed), tuple(changed[:MAX_NAMES])),
        ]
        if own:
            changes.append(PlannedChange("own_message", len(own), tuple(own[:MAX_NAMES])))
        return tuple(changes)


def _matched(integration: Integration) -> SelectOfScalar[Person]:
    return select(Person).where(
        Person.integration_id == integration.id,
        col(Person.gone).is_(False),
        can_be_shown(),
        is_shown(),
    )


def _calling(integration: Integration) -> SelectOfScalar[Person]:
    values = [presence.value for presence in ON_THE_PHONE]
    calling = _matched(integration).where(col(Person.desired).in_(values), col(Person.line).not_in(RESTING))
    return calling.order_by(col(Person.id))


def _count(query: SelectOfScalar[Person]) -> SelectOfScalar[int]:
    return select(func.count()).select_from(query.order_by(None).subquery())


async def _counted(database: Database, query: SelectOfScalar[Person]) -> int:
    async with database.session() as session:
        return (await session.exec(_count(query))).one()


def _add_result(transaction: StepTransaction, key: str, count: int) -> None:
    results = transaction.facts.setdefault("results", {})
    results[key] = results.get(key, 0) + count


class ReadMessages:
    """Read the status messages of all matched people: tests the permission, and counts who has a message."""

    name = "read"

    def __init__(self, database: Database, messages: StatusMessageWriter) -> None:
        self._database = database
        self._messages = messages

    async def total(self, integration: Integration, facts: Facts) -> int:
        return await _counted(self._database, _matched(integration))

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        query = _matched(integration).order_by(col(Person.id)).offset(done).limit(READ_BATCH)
        async with self._database.session() as session:
            users = [each.teams_user_id or "" for each in (await session.exec(query)).all()]
        found = await self._messages.read(integration.id, users)
        own = sum(1 for message in found.values() if message)

        async def store(transaction: StepTransaction) -> None:
            _add_result(transaction, "own_message", own)

        return Batch(max(1, len(users)), store)

    async def undo(self, transaction: StepTransaction) -> None:
        await store_nothing(transaction)


class SetStatusText(RaiseVersion):
    """Raise the version and set the integration's status text."""

    async def _raise(self, transaction: StepTransaction) -> None:
        transaction.integration.feature_version = self.version
        transaction.integration.status_text = str(transaction.facts.get("status_text", ""))
        transaction.integration.status_texts = {}

    async def undo(self, transaction: StepTransaction) -> None:
        """Clear the text; the job that set the status messages removes them."""
        transaction.integration.feature_version = self.version - 1
        transaction.integration.status_text = ""
        ours = update(Person).where(
            col(Person.integration_id) == transaction.integration.id, col(Person.status_message) != ""
        )
        await transaction.session.exec(ours.values(status_due_at=transaction.now))


class MarkDue:
    """Have status messages set for people who are on the phone now; for the others their next call does that."""

    name = "announce"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def total(self, integration: Integration, facts: Facts) -> int:
        return await _counted(self._database, _calling(integration))

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        """Those after the last one stored: counting does not work, since others may have hung up in between."""
        rest = _calling(integration).where(col(Person.id) > str(facts.get("announced", ""))).limit(STORE_BATCH)
        async with self._database.session() as session:
            person_ids = [each.id for each in (await session.exec(rest)).all()]
        if not person_ids:
            return Batch(max(1, await self.total(integration, facts) - done), store_nothing)

        async def store(transaction: StepTransaction) -> None:
            for person in (await people.by_ids(transaction.session, person_ids)).values():
                person.status_due_at = transaction.now
            _add_result(transaction, "on_the_phone", len(person_ids))
            transaction.facts["announced"] = person_ids[-1]

        return Batch(len(person_ids), store)

    async def undo(self, transaction: StepTransaction) -> None:
        await store_nothing(transaction)
