"""An integration's people: both directories are read, matched, and stored."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from core.correlation import current_cause
from core.grouping import grouped
from core.text import searchable
from storage.queries import directory_people, endpoints, integrations, people, problems
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.features import matches_proxies
from sync.domain.jobs import MATCH, POLL, POLL_NOW, PUSH
from sync.domain.model import Service, Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.domain.presence import LineState
from sync.domain.services import Account
from sync.people import sudden_loss, unmatched_alert
from sync.people.matching import Matching, match
from sync.presence.plan import forget_refusal, mark_nothing_shown
from sync.presence.status_message_plan import transfer_message
from sync.problems import health


class DirectorySync:
    """Matches integrations' people, and stores the result."""

    def __init__(self, context: Context, credentials: CredentialStore) -> None:
        self._database = context.database
        self._credentials = credentials
        self._clients = context.clients
        self._jobs = context.jobs
        self._clock = context.clock

    async def match(self, integration_id: str) -> None:
        """The job: refresh, then poll if people are newly matched. A failure marks the service unhealthy."""
        async with self._database.session() as session:
            integration = await integrations.get(session, integration_id)
        if integration is None or not integration.enabled:
            return
        try:
            has_new = await self.refresh(integration)
        except SyncError as error:
            await health.record_failure(self._database, integration, error, self._clock())
            return
        await self._jobs.defer(PUSH, integration_id)
        await self._jobs.defer(POLL if has_new else POLL_NOW, integration_id)

    async def refresh(self, integration: Integration, *, is_expected: bool = False) -> bool:
        """Read both directories, match and store; returns whether people are newly matched.

        Unless ``is_expected``, a sudden loss is stored only when a second reading agrees. Raises ``SyncError``.
        """
        chosen = await self.chosen(integration.id)
        users, accounts = await self.read(integration)
        matchings = match(users, accounts, matches_proxies(integration), chosen)
        return await self.store(integration.id, matchings, is_expected=is_expected)

    async def read(self, integration: Integration) -> tuple[list[CloudLinkUser], Sequence[Account]]:
        """CloudLink's and Teams' users. Raises ``SyncError``."""
        users = await self._clients.phones(self._credentials.account(integration)).users()
        async with self._clients.directory(self._credentials.app(integration)) as directory:
            return users, await directory.users()

    async def chosen(self, integration_id: str) -> dict[str, str]:
        """The Teams users whom administrators chose, by CloudLink user id."""
        async with self._database.session() as session:
            return await directory_people.chosen(session, integration_id)

    async def store(self, integration_id: str, matchings: Sequence[Matching], *, is_expected: bool = False) -> bool:
        """Store the result of a match; returns whether people are newly matched."""
        now = self._clock()
        async with self._database.writing() as session:
            integration = await integrations.get_for_update(session, integration_id)
            if integration is None:
                return False
            integration.matched_at = now
            before = await people.list_with_gone(session, integration_id)
            loss = None if is_expected else sudden_loss.find(before, matchings)
            is_believed = await sudden_loss.is_believed(session, integration_id, loss, now)
            has_new = is_believed and await self._store(session, integration, before, matchings)
        if not is_believed:
            await self._jobs.defer(MATCH, integration_id, at=now + sudden_loss.CONFIRM_AFTER)
        return has_new

    async def _store(
        self,
        session: AsyncSession,
        integration: Integration,
        before: Sequence[Person],
        matchings: Sequence[Matching],
    ) -> bool:
        now, integration_id = self._clock(), integration.id
        matched_before = {person.teams_user_id for person in before}
        was_matched = {person.id for person in before if person.teams_user_id}
        after = await _store_people(session, integration_id, before, matchings, now)
        _transfer_shown(after, now)
        await session.flush()
        if integration.enabled:
            await people.make_pending_due(session, integration_id, now)
        await self._mark_healthy(session, integration_id, now)
        await unmatched_alert.check(session, integration_id, was_matched, after, now)
        return any(person.teams_user_id not in matched_before for person in after if person.teams_user_id)

    async def _mark_healthy(self, session: AsyncSession, integration_id: str, now: datetime) -> None:
        """Both directories responded. Only a probe closes a blocking problem: reading does not prove writing."""
        services = [Service.CLOUDLINK]
        if not health.blocking_problem(await problems.list_open(session, integration_id), health.TEAMS):
            services += health.TEAMS
        await health.mark_healthy(session, integration_id, services, now)


async def _store_people(
    session: AsyncSession,
    integration_id: str,
    before: Sequence[Person],
    matchings: Sequence[Matching],
    now: datetime,
) -> list[Person]:
    """Store a row for each CloudLink user; returns the rows that matter for Teams.

    Those of users that are gone are kept while Teams may show something for them, then deleted.
    """
    known = {person.cloudlink_user_id: person for person in before}
    present = {matching.person.user_id: matching for matching in matchings}
    extensions = {person.id: person.extension for person in before}
    for user_id, person in known.items():
        if user_id not in present:
            await _retire(session, person, now)
    after = [_updated(known.get(user_id), matching, integration_id, now) for user_id, matching in present.items()]
    shared = _with_shared_extension([matching.person for matching in matchings])
    for person in after:
        if _is_current(person, present[person.cloudlink_user_id]):
            person.unmatched = _reason(present[person.cloudlink_user_id], shared)
    session.add_all(person for person in after if person.cloudlink_user_id not in known)
    await session.flush()
    await _move_phones(session, after, extensions, now)
    return [*after, *(person for name, person in known.items() if name not in present and person.applied)]


def _with_shared_extension(users: Sequence[CloudLinkUser]) -> set[str]:
    """The ids of users whose extension another one has at the same site, or may have."""
    sites = grouped(users, lambda user: user.extension)
    return {
        user.user_id
        for user in users
        if any(
            other is not user and (other.site_id == user.site_id or not (other.site_id and user.site_id))
            for other in sites[user.extension]
        )
    }


async def _move_phones(
    session: AsyncSession, rows: Sequence[Person], before: Mapping[str, str | None], now: datetime
) -> None:
    """Someone whose extension was taken away has no calls there; whose extension changed, is read out of turn."""
    moved = [person for person in rows if before.get(person.id) not in (None, person.extension)]
    former = {person.id: before[person.id] or "" for person in moved}
    await endpoints.move(session, former, moved, now)
    without_phone = [person for person in rows if person.extension is None and person.desired]
    seen = await endpoints.endpoints_by_person(session, [person.id for person in without_phone])
    for person in without_phone:
        if not seen[person.id]:
            person.line, person.desired, person.desired_at = LineState.UNKNOWN, None, now
            person.desired_because = current_cause()


async def _retire(session: AsyncSession, person: Person, now: datetime) -> None:
    if not person.applied and not person.status_message:
        await session.delete(person)
        return
    person.gone, person.teams_user_id, person.desired = True, None, None
    person.desired_because, person.due_at = current_cause(), now


def _reason(matching: Matching, shared: Set[str]) -> str | None:
    """Why this user's calls cannot be shown, or not all of them; None when they can."""
    if matching.reason:
        return matching.reason.value
    if matching.person.extension is None:
        return Unmatched.NO_EXTENSION.value
    return Unmatched.SHARED_EXTENSION.value if matching.person.user_id in shared else None


def _is_current(person: Person, matching: Matching) -> bool:
    """Whether no administrator chose another Teams user meanwhile: then the next match counts."""
    return person.chosen_user_id == matching.chosen


def _updated(person: Person | None, matching: Matching, integration_id: str, now: datetime) -> Person:
    """Who stops matching is due now, for what is shown must be cleared, in a call or not."""
    user = matching.person
    row = person or Person(integration_id=integration_id, cloudlink_user_id=user.user_id)
    row.name, row.address, row.gone = user.name, user.address, False
    row.extension, row.site_id = user.extension, user.site_id
    row.search = searchable(user.name, user.address, user.extension)
    if _is_current(row, matching) and row.teams_user_id != matching.teams_user_id:
        row.teams_user_id = matching.teams_user_id
        row.due_at = now if row.applied or row.status_message else row.due_at
        forget_refusal(row)
    return row


def _transfer_shown(rows: Sequence[Person], now: datetime) -> None:
    """What Teams shows for a Teams user is recorded with the person who is matched to that user now."""
    owners = {person.teams_user_id: person for person in rows if person.teams_user_id}
    for person in rows:
        owner = owners.get(person.applied_user_id) if person.applied_user_id else None
        if owner is None or owner is person:
            continue
        transfer_message(person, owner)
        if owner.applied is None:
            owner.applied, owner.applied_user_id = UNSURE, person.applied_user_id
            owner.applied_at, owner.applied_until, owner.due_at = None, person.applied_until, now
            mark_nothing_shown(person)
