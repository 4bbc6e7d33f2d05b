"""Version 2: people are also matched by the other mail addresses of Teams users (``proxyAddresses``).

Existing matches are kept. An address that two users share matches neither.
"""

from collections.abc import Sequence

from sqlmodel import col, func, select

from storage.database import Database
from storage.queries.people import people
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.features import PROXY_ADDRESSES
from sync.domain.jobs import MATCH, POLL, PUSH
from sync.domain.model import Unmatched
from sync.people.directory_sync import DirectorySync
from sync.people.matching import Matching, match
from sync.people.reach import noting_reach
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


class ProxyAddresses:
    """The update."""

    version = PROXY_ADDRESSES
    jobs = (MATCH, POLL, PUSH)

    def __init__(self, database: Database, directory_sync: DirectorySync) -> None:
        self._directory_sync = directory_sync
        self.steps: Sequence[UpdateStep] = (
            ReadDirectories(database, directory_sync),
            StoreMatches(),
            RaiseVersion(self.version),
        )

    async def dry_run(self, integration: Integration) -> tuple[PlannedChange, ...]:
        found = await _changed_matchings(self._directory_sync, integration)
        new = [each.person.name for each in found if each.teams_user_id]
        ambiguous = [each.person.name for each in found if each.reason is Unmatched.AMBIGUOUS]
        changes = [PlannedChange("matched", len(new), tuple(new[:MAX_NAMES]))]
        if ambiguous:
            changes.append(PlannedChange("ambiguous", len(ambiguous), tuple(ambiguous[:MAX_NAMES])))
        return tuple(changes)


async def _changed_matchings(directory_sync: DirectorySync, integration: Integration) -> list[Matching]:
    """The people whose matching differs once the other addresses count."""
    users, accounts = await directory_sync.read(integration)
    chosen = await directory_sync.chosen(integration.id)
    before, after = match(users, accounts, chosen=chosen), match(users, accounts, proxies=True, chosen=chosen)
    return [new for old, new in zip(before, after, strict=True) if new != old]


class ReadDirectories:
    """Read both directories; keep the newly matched, by CloudLink user id."""

    name = "read"

    def __init__(self, database: Database, directory_sync: DirectorySync) -> None:
        self._database = database
        self._directory_sync = directory_sync

    async def total(self, integration: Integration, facts: Facts) -> int:
        present = select(func.count()).where(Person.integration_id == integration.id, col(Person.gone).is_(False))
        async with self._database.session() as session:
            return max(1, (await session.exec(present)).one())

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        """Everyone in one batch: both directories are read as a whole."""
        found = {
            each.person.user_id: each.teams_user_id
            for each in await _changed_matchings(self._directory_sync, integration)
            if each.teams_user_id
        }

        async def store(transaction: StepTransaction) -> None:
            transaction.facts["found"] = found
            transaction.facts["results"] = {"matched": len(found)}

        return Batch(await self.total(integration, facts), store)

    async def undo(self, transaction: StepTransaction) -> None:
        await store_nothing(transaction)


class StoreMatches:
    """Give the newly matched their Teams users; their calls are shown from then on."""

    name = "match"

    async def total(self, integration: Integration, facts: Facts) -> int:
        return len(facts["found"])

    async def next_batch(self, integration: Integration, facts: Facts, done: int) -> Batch:
        user_ids = sorted(facts["found"])[done : done + STORE_BATCH]

        async def store(transaction: StepTransaction) -> None:
            rows = await people.by_cloudlink_user(transaction.session, integration.id, user_ids)
            for person in rows.values():
                if person.teams_user_id is None:
                    _store_match(person, transaction)

        return Batch(max(1, len(user_ids)), store)

    async def undo(self, transaction: StepTransaction) -> None:
        """Unmatch them again; the next push clears the presence that Teams shows of them."""
        before: dict[str, str] = transaction.facts.get("before", {})
        for person in (await people.by_ids(transaction.session, list(before))).values():
            if person.teams_user_id == transaction.facts["found"].get(person.cloudlink_user_id):
                with noting_reach(person, transaction.now):
                    person.teams_user_id, person.unmatched = None, before[person.id]
                person.due_at = transaction.now


def _store_match(person: Person, transaction: StepTransaction) -> None:
    """Match ``person``, and keep in the facts why there was no match before."""
    before = transaction.facts.setdefault("before", {})
    before[person.id] = person.unmatched or Unmatched.NOT_FOUND.value
    with noting_reach(person, transaction.now):
        person.teams_user_id = transaction.facts["found"][person.cloudlink_user_id]
        person.unmatched = None
    person.due_at = transaction.now
