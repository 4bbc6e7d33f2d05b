"""What an administrator changes about one person: excluded, matched by hand, shown again, cleared.

A setting names the number of ``choices`` it was made at and is stored only if that is still the person's: of two
administrators who change the same person at the same time, the second stores nothing and learns who was first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from storage.queries.people import directory, directory_people, endpoints, mapping, people
from storage.queries.people.mapping import OWN
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Endpoint, Person
from sync.audit import Act, AuditLog, Subject
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.jobs import MATCH, POLL_NOW, PUSH
from sync.domain.model import Actor, EditedMeanwhile, Unmatched
from sync.domain.people import ChangedMeanwhile, MatchRefusal, MatchRefused, UnknownPerson
from sync.domain.presence import LineState
from sync.domain.services import Account
from sync.people.reach import noting_reach
from sync.people.scope.judge import judge
from sync.presence.further_mappings import stored_mappings
from sync.presence.plan import forget_refusal
from sync.tenancy import owned


class PersonEditor:
    """Every method raises ``UnknownIntegration`` and ``UnknownPerson``; a failure is recorded, like a success.

    Those that take ``choices`` raise ``ChangedMeanwhile``.
    """

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock
        self._audit = AuditLog(context.database, context.clock)

    async def exclude(
        self, owner_tenant: str, integration_id: str, person_id: str, choices: int, by: Actor
    ) -> None:
        """Show nothing of this person from now on; what is shown is cleared immediately."""
        await self._set_excluded(Act.PERSON_EXCLUDE, owner_tenant, integration_id, person_id, choices, by)

    async def include(
        self, owner_tenant: str, integration_id: str, person_id: str, choices: int, by: Actor
    ) -> None:
        """Show this person's calls again, the current one included."""
        await self._set_excluded(Act.PERSON_INCLUDE, owner_tenant, integration_id, person_id, choices, by)

    async def _set_excluded(
        self, act: Act, owner_tenant: str, integration_id: str, person_id: str, choices: int, by: Actor
    ) -> None:
        subject = Subject(owner_tenant, integration_id)
        async with self._changing(act, subject, person_id, by, choices) as (_, _, person):
            person.excluded, person.due_at = act is Act.PERSON_EXCLUDE, self._clock()
            if person.status_message:
                person.status_due_at = self._clock()
        await self._jobs.defer(PUSH, integration_id)

    async def resend(self, owner_tenant: str, integration_id: str, person_id: str, by: Actor) -> None:
        """Read the person's phones again and send what Teams should show, though Graph accepted it before."""
        subject, now = Subject(owner_tenant, integration_id), self._clock()
        async with self._changing(Act.PERSON_RESEND, subject, person_id, by) as (session, _, person):
            _mark_unsure(person)
            forget_refusal(person)
            person.due_at = now
            await _read_phones(session, person, now)
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(POLL_NOW, integration_id)

    async def clear(self, owner_tenant: str, integration_id: str, person_id: str, by: Actor) -> None:
        """Clear what Teams shows from us and forget the calls, until the phone reports something again."""
        subject, now = Subject(owner_tenant, integration_id), self._clock()
        async with self._changing(Act.PERSON_CLEAR, subject, person_id, by) as (session, _, person):
            await people.forget_phones(session, col(Person.id) == person.id)
            _mark_unsure(person)
            forget_refusal(person)
            person.line, person.heard_at = LineState.UNKNOWN, None
            person.desired, person.desired_at, person.desired_because = None, now, current_cause()
            person.applied_until, person.due_at, person.waiting_since = None, now, None
        await self._jobs.defer(PUSH, integration_id)

    async def match(
        self,
        owner_tenant: str,
        integration_id: str,
        person_id: str,
        choices: int,
        principal_name: str,
        by: Actor,
    ) -> None:
        """Match this person to the account with this sign-in name. Raises ``MatchRefused`` and ``SyncError``."""
        subject, facts = Subject(owner_tenant, integration_id), {"to": principal_name}
        async with self._audit.attempt(Act.PERSON_MATCH, by, subject, facts):
            async with self._database.session() as session:
                integration = await owned(session, owner_tenant, integration_id)
                await _current(session, integration_id, person_id, choices)
            account = await self._account(integration, principal_name)
            async with self._database.writing() as session:
                integration = await owned(session, owner_tenant, integration_id, lock=True)
                person = await _current(session, integration_id, person_id, choices, lock=True)
                await _check_free(session, integration_id, account, person)
                await self._store_match(session, person, account.id)
                await judge(session, integration, self._clock, col(Person.id) == person.id)
                self._note(person, by)
                named = {"person": person.name, **facts}
                await self._audit.record(session, Act.PERSON_MATCH, by, integration, named)
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(POLL_NOW, integration_id)

    async def unmatch(
        self, owner_tenant: str, integration_id: str, person_id: str, choices: int, by: Actor
    ) -> None:
        """Let the address decide again, at the next match, which is queued."""
        subject = Subject(owner_tenant, integration_id)
        async with self._changing(Act.PERSON_UNMATCH, subject, person_id, by, choices) as (session, _, person):
            person.chosen_user_id = None
            await directory.count_change(session, integration_id)
        await self._jobs.defer(MATCH, integration_id)

    async def choose_mapping(
        self, owner_tenant: str, integration_id: str, person_id: str, choices: int, mapping_id: str, by: Actor
    ) -> None:
        """Have this further mapping apply to the person, or ``OWN``, or with an empty id what the rules say.

        Raises ``EditedMeanwhile`` when there is no such mapping any more.
        """
        subject = Subject(owner_tenant, integration_id)
        async with self._changing(Act.PERSON_MAPPING, subject, person_id, by, choices) as (session, row, person):
            if mapping_id not in {"", OWN, *(each["id"] for each in row.further)}:
                raise EditedMeanwhile(integration_id)
            person.chosen_mapping, now = mapping_id, self._clock()
            await session.flush()
            mappings, this = stored_mappings(row), col(Person.id) == person.id
            await mapping.apply(session, row, mappings, current_cause(), now, this)
        await self._jobs.defer(PUSH, integration_id)

    @asynccontextmanager
    async def _changing(
        self, act: Act, subject: Subject, person_id: str, by: Actor, choices: int | None = None
    ) -> AsyncIterator[tuple[AsyncSession, Integration, Person]]:
        """A transaction in which the person is changed, and the act recorded; with ``choices`` it is a setting."""
        async with self._audit.attempt(act, by, subject), self._database.writing() as session:
            integration = await owned(session, subject.owner_tenant, subject.id, lock=True)
            person = await _current(session, subject.id, person_id, choices, lock=True)
            yield session, integration, person
            if choices is not None:
                self._note(person, by)
            await self._audit.record(session, act, by, integration, {"person": person.name})

    def _note(self, person: Person, by: Actor) -> None:
        person.choices += 1
        person.changed_by, person.changed_by_name, person.changed_at = by.id, by.name, self._clock()

    async def _account(self, integration: Integration, principal_name: str) -> Account:
        async with self._clients.directory(self._credentials.app(integration)) as service:
            account = await service.find(principal_name)
        if account is None:
            raise MatchRefused(MatchRefusal.NOT_FOUND)
        if account.guest:
            raise MatchRefused(MatchRefusal.GUEST)
        if not account.enabled:
            raise MatchRefused(MatchRefusal.DISABLED)
        return account

    async def _store_match(self, session: AsyncSession, person: Person, user_id: str) -> None:
        now = self._clock()
        with noting_reach(person, now):
            person.chosen_user_id = person.teams_user_id = user_id
            if not person.extension:
                person.unmatched = Unmatched.NO_EXTENSION
            elif person.unmatched != Unmatched.SHARED_EXTENSION:
                person.unmatched = None
        await directory.count_change(session, person.integration_id)
        forget_refusal(person)
        person.due_at, person.waiting_since = now, None
        if person.status_message:
            person.status_due_at = now
        await _read_phones(session, person, now)


async def _current(
    session: AsyncSession, integration_id: str, person_id: str, choices: int | None, *, lock: bool = False
) -> Person:
    person = await directory_people.get(session, integration_id, person_id, lock=lock)
    if person is None:
        raise UnknownPerson(person_id)
    if choices is not None and person.choices != choices:
        raise ChangedMeanwhile(person.changed_by_name)
    return person


async def _check_free(session: AsyncSession, integration_id: str, account: Account, person: Person) -> None:
    other = await directory_people.owner_of_account(session, integration_id, account.id, person.id)
    if other is not None:
        raise MatchRefused(MatchRefusal.TAKEN, other.name or other.address)


def _mark_unsure(person: Person) -> None:
    """Whatever was accepted before is sent again."""
    if person.applied_user_id or person.teams_user_id:
        person.applied = UNSURE
        person.applied_user_id = person.applied_user_id or person.teams_user_id


async def _read_phones(session: AsyncSession, person: Person, now: datetime) -> None:
    """All the person's endpoints are to be read out of turn, their own too if it was never seen."""
    rows = (await endpoints.endpoints_by_person(session, [person.id]))[person.id]
    if person.extension and person.extension not in {row.extension for row in rows}:
        row = Endpoint(person_id=person.id, extension=person.extension, integration_id=person.integration_id)
        session.add(row)
        rows.append(row)
    for row in rows:
        row.poll_at = now
