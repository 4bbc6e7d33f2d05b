"""Version 2: people are matched by the other mail addresses of Teams users too (``proxyAddresses``).

Nobody loses a match; an address that two share is still nobody's.
"""

from collections.abc import Sequence

from sqlmodel import col, func, select

from storage.database import Database
from storage.queries import people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.features import PROXY_ADDRESSES
from sync.domain.jobs import MATCH, POLL, PUSH
from sync.domain.model import Unmatched
from sync.people.directory_sync import DirectorySync
from sync.people.matching import Matching, match
from sync.updates.model import Effect
from sync.updates.update import Accept, Changing, Facts, Portion, Step, nothing

SOME = 25
"""People stored together."""

NAMES = 12
"""As many are named in a dry run."""


class ProxyAddresses:
    """The update."""

    version = PROXY_ADDRESSES
    jobs = (MATCH, POLL, PUSH)

    def __init__(self, database: Database, directory_sync: DirectorySync) -> None:
        self._directory_sync = directory_sync
        self.steps: Sequence[Step] = (
            ReadDirectories(database, directory_sync),
            StoreMatches(),
            Accept(self.version),
        )

    async def dry_run(self, integration: Integration) -> tuple[Effect, ...]:
        found = await _judged(self._directory_sync, integration)
        new = [one.person.name for one in found if one.teams_user_id]
        unclear = [one.person.name for one in found if one.reason is Unmatched.AMBIGUOUS]
        effects = [Effect("matched", len(new), tuple(new[:NAMES]))]
        if unclear:
            effects.append(Effect("ambiguous", len(unclear), tuple(unclear[:NAMES])))
        return tuple(effects)


async def _judged(directory_sync: DirectorySync, integration: Integration) -> list[Matching]:
    """Those for whom the other addresses make a difference."""
    users, accounts = await directory_sync.read(integration)
    before, after = match(users, accounts), match(users, accounts, proxies=True)
    return [new for old, new in zip(before, after, strict=True) if new != old]


class ReadDirectories:
    """Read both directories; keep who is newly found, by CloudLink user id."""

    name = "read"

    def __init__(self, database: Database, directory_sync: DirectorySync) -> None:
        self._database = database
        self._directory_sync = directory_sync

    async def total(self, integration: Integration, facts: Facts) -> int:
        everybody = select(func.count()).where(Person.integration_id == integration.id, col(Person.gone).is_(False))
        async with self._database.session() as session:
            return max(1, (await session.exec(everybody)).one())

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        found = {
            one.person.user_id: one.teams_user_id
            for one in await _judged(self._directory_sync, integration)
            if one.teams_user_id
        }

        async def store(changing: Changing) -> None:
            changing.facts["found"] = found
            changing.facts["results"] = {"matched": len(found)}

        return Portion(await self.total(integration, facts), store)

    async def undo(self, changing: Changing) -> None:
        await nothing(changing)


class StoreMatches:
    """Give the newly found their Teams users; what their phones do is told from then on."""

    name = "match"

    async def total(self, integration: Integration, facts: Facts) -> int:
        return len(facts["found"])

    async def portion(self, integration: Integration, facts: Facts, done: int) -> Portion:
        some = sorted(facts["found"])[done : done + SOME]

        async def store(changing: Changing) -> None:
            rows = await people.by_cloudlink_user(changing.session, integration.id, some)
            for person in rows.values():
                if person.teams_user_id is None:
                    _give(person, changing)

        return Portion(max(1, len(some)), store)

    async def undo(self, changing: Changing) -> None:
        """Back to how they were; what Teams shows of them is cleared by the reconciler."""
        before: dict[str, str] = changing.facts.get("before", {})
        for person in (await people.by_ids(changing.session, list(before))).values():
            if person.teams_user_id == changing.facts["found"].get(person.cloudlink_user_id):
                person.teams_user_id, person.unmatched = None, before[person.id]
                person.due_at = changing.now
                changing.session.add(person)


def _give(person: Person, changing: Changing) -> None:
    before = changing.facts.setdefault("before", {})
    before[person.id] = person.unmatched or Unmatched.NOT_FOUND.value
    person.teams_user_id = changing.facts["found"][person.cloudlink_user_id]
    person.unmatched, person.due_at = None, changing.now
    changing.session.add(person)
