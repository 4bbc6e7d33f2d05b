"""Version 3: while somebody is on the phone a status message says so, unless they have words of their own there."""

from collections.abc import Sequence

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from storage.database import Database
from storage.queries import people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.features import STATUS_MESSAGES
from sync.domain.jobs import PUSH, PUSH_STATUS_MESSAGE
from sync.presence.status_message_plan import ON_THE_PHONE
from sync.presence.status_messages import StatusMessageWriter
from sync.updates.model import Effect
from sync.updates.update import Accept, Changing, Facts, Portion, Step, nothing

BLOCK = 200
"""People read at once; Graph takes 650 (Graph reference, presence: getPresencesByUserId)."""

SOME = 25
NAMES = 12
MOST_LOOKED_AT = 650


class StatusMessages:
    """The update."""

    version = STATUS_MESSAGES
    jobs = (PUSH, PUSH_STATUS_MESSAGE)

    def __init__(self, database: Database, messages: StatusMessageWriter) -> None:
        self._database = database
        self._messages = messages
        self.steps: Sequence[Step] = (
            ReadMessages(database, messages),
            AcceptWords(self.version),
            Announce(database),
        )

    async def dry_run(self, integration: Integration) -> tuple[Effect, ...]:
        """How many it concerns; who is on the phone now, and who of them would keep words of their own."""
        async with self._database.session() as session:
            everybody = (await session.exec(_count(_matched(integration)))).one()
            calling = (await session.exec(_calling(integration).limit(MOST_LOOKED_AT))).all()
        found = await self._messages.read(integration.id, [each.teams_user_id or "" for each in calling])
        own = [each.name for each in calling if found.get(each.teams_user_id or "")]
        told = [each.name for each in calling if not found.get(each.teams_user_id or "")]
        effects = [Effect("people", everybody), Effect("on_the_phone", len(told), tuple(told[:NAMES]))]
        if own:
            effects.append(Effect("own_message", len(own), tuple(own[:NAMES])))
        return tuple(effects)


def _matched(integration: Integration) -> SelectOfScalar[Person]:
    return select(Person).where(
        Person.integration_id == integration.id,
        col(Person.teams_user_id).is_not(None),
        col(Person.gone).is_(False),
        col(Person.excluded).is_(False),
    )


def _calling(integration: Integration) -> SelectOfScalar[Person]:
    words = [presence.value for presence in ON_THE_PHONE]
    return _matched(integration).where(col(Person.desired).in_(words)).order_by(col(Person.id))


def _count(query: SelectOfScalar[Person]) -> SelectOfScalar[int]:
    return select(func.count()).select_from(query.order_by(None).subquery())


async def _counted(database: Database, query: SelectOfScalar[Person]) -> int:
    async with database.session() as session:
        return (await session.exec(_count(query))).one()


class ReadMessages:
    """Read everybody's status message: it proves that we may, and tells how many have words of their own."""

    name = "read"

    def __init__(self, database: Database, messages: StatusMessageWriter) -> None:
        self._database = database
        self._messages = messages

    async def total(self, integration: Integration, facts: Facts) -> int:
        return await _counted(self._database, _matched(integration))

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        some = _matched(integration).order_by(col(Person.id)).offset(done).limit(BLOCK)
        async with self._database.session() as session:
            users = [each.teams_user_id or "" for each in (await session.exec(some)).all()]
        found = await self._messages.read(integration.id, users)
        own = sum(1 for message in found.values() if message)

        async def store(changing: Changing) -> None:
            results = changing.facts.setdefault("results", {})
            results["own_message"] = results.get("own_message", 0) + own

        return Portion(max(1, len(users)), store)

    async def undo(self, changing: Changing) -> None:
        await nothing(changing)


class AcceptWords(Accept):
    """Raise the version and give the integration its words."""

    async def _accept(self, changing: Changing) -> None:
        changing.integration.feature_version = self.version
        changing.integration.status_text = str(changing.facts.get("status_text", ""))

    async def undo(self, changing: Changing) -> None:
        """Our words are taken away where they stand, by the job that put them there."""
        changing.integration.feature_version = self.version - 1
        changing.integration.status_text = ""
        ours = update(Person).where(
            col(Person.integration_id) == changing.integration.id, col(Person.status_message) != ""
        )
        await changing.session.exec(ours.values(status_due_at=changing.now))


class Announce:
    """Have it said of those who are on the phone already; of others it is said when they are."""

    name = "announce"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def total(self, integration: Integration, facts: Facts) -> int:
        return await _counted(self._database, _calling(integration))

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        """After the last one dealt with, for the others may have hung up meanwhile."""
        rest = _calling(integration).where(col(Person.id) > str(facts.get("announced", ""))).limit(SOME)
        async with self._database.session() as session:
            some = [each.id for each in (await session.exec(rest)).all()]
        if not some:
            return Portion(max(1, await self.total(integration, facts) - done), nothing)

        async def store(changing: Changing) -> None:
            await _look_at(changing.session, some, changing)
            changing.facts["announced"] = some[-1]

        return Portion(len(some), store)

    async def undo(self, changing: Changing) -> None:
        await nothing(changing)


async def _look_at(session: AsyncSession, person_ids: Sequence[str], changing: Changing) -> None:
    for person in (await people.by_ids(session, person_ids)).values():
        person.status_due_at = changing.now
        session.add(person)
    results = changing.facts.setdefault("results", {})
    results["on_the_phone"] = results.get("on_the_phone", 0) + len(person_ids)
