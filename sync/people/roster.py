"""People of a tenant: listed in pages, found by words, shown one by one, and explained. Nothing reads everybody."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import SequenceMatcher

from sqlmodel.ext.asyncio.session import AsyncSession

from core.text import searchable
from storage.queries import history, integrations
from storage.queries.health import problems
from storage.queries.people import directory_people, mapping, sent_changes
from storage.queries.people.directory_people import PeopleQuery, PersonRead
from storage.queries.people.hidden import hidden_by
from storage.tables.columns import UNSURE
from storage.tables.effects import ReadBack
from storage.tables.integrations import Integration
from storage.tables.people import Call, Person
from sync.audit import Act
from sync.domain.context import Context
from sync.domain.errors import SyncError
from sync.domain.model import Unmatched
from sync.domain.people import (
    Device,
    Explanation,
    ExportedPerson,
    Found,
    PeopleFilter,
    PeoplePage,
    PersonCard,
    PersonLine,
    SentChange,
    UnknownPerson,
)
from sync.domain.phone_events import CallState
from sync.domain.presence import LineState, Presence, Shown
from sync.people.explain import Facts, explain
from sync.presence import sent_changes as sent
from sync.presence.further_mappings import further_of, plain
from sync.presence.reader import PresenceReader
from sync.presence.shared_sessions import OtherPresence, Showing, shown_by, wish_of_others
from sync.problems import health
from sync.teams.quota import QuotaLedger
from sync.tenancy import owned

PAGE = 10
SLICE = 100
"""People of a file who are read together: for so long nobody else is served."""

NEAREST = 5
SHORTEST = 2
"""Letters that words must have to be searched; an extension may be shorter."""

AROUND = "?!.,;:¿¡()\"'“”«»"
"""What may be typed around a name and is none of it."""


class Roster:
    """Reads only, but for what Teams shows now, which ``explain`` asks Graph. Another tenant's people are unknown:
    every method raises ``UnknownIntegration``, and ``UnknownPerson`` where it takes a person."""

    def __init__(self, context: Context, reader: PresenceReader, quota: QuotaLedger) -> None:
        self._database = context.database
        self._clock = context.clock
        self._reader = reader
        self._quota = quota

    async def page(self, owner_tenant: str, integration_id: str, query: PeopleQuery) -> PeoplePage:
        """A page of an integration's people, in the order of their names."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            if integration.closed and query.filter == PeopleFilter.NOT_SHOWN:
                return PeoplePage(())
            rows, before, after = await directory_people.page(session, [integration_id], query, PAGE)
        return PeoplePage(_lines(rows, [integration]), before, after)

    async def slice_after(
        self, owner_tenant: str, integration_id: str, after: tuple[str, str] | None
    ) -> list[ExportedPerson]:
        """The next people for a file, after the key of the last one, in a session of their own."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            rows = await directory_people.slice_after(session, integration_id, after, SLICE)
        closed = integration.closed
        return [
            exported(person, principal_name or "", read, closed=closed) for person, principal_name, read in rows
        ]

    async def find(
        self, owner_tenant: str, typed: str, within: Collection[str] = (), *, is_guess: bool = False
    ) -> Found:
        """Whom these words mean: an extension, or the beginnings of words in a name or address, or parts of them.

        In all integrations of the tenant, or in those ``within``. ``is_guess``: the words may mean no person, so
        that each must be the beginning of a name or address, and nobody near is looked for.
        """
        words = tuple(word for each in searchable(typed).split() if (word := each.strip(AROUND)))
        async with self._database.session() as session:
            own = await integrations.list_owned(session, owner_tenant)
            ids = [each.id for each in own if each.id in within] or [each.id for each in own]
            if not ids or not words:
                return Found(is_short=not words)
            rows = await directory_people.with_extension(session, ids, words[0]) if len(words) == 1 else []
            if not rows and len("".join(words)) < SHORTEST:
                return Found(is_short=True)
            more = False
            for only_beginnings in (True,) if is_guess else (True, False):
                if not rows:
                    query = PeopleQuery(words=words, only_beginnings=only_beginnings)
                    rows, _, more = await directory_people.page(session, ids, query, NEAREST)
            if rows or is_guess:
                return Found(_lines(rows, own), has_more=more)
            candidates = await directory_people.candidates(session, ids, words)
        return Found(nearest=_lines(_nearest(candidates, " ".join(words)), own))

    async def card(self, owner_tenant: str, integration_id: str, person_id: str) -> PersonCard:
        """Everything known of a person, and what Teams shows now."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            user_id = (await _person(session, integration_id, person_id)).teams_user_id
        shown, _ = await self._read_back(integration_id, user_id)
        async with self._database.session() as session:
            person = await _person(session, integration_id, person_id)
            (line,) = _lines([(person, None)], await integrations.list_owned(session, owner_tenant))
            return PersonCard(
                line=line,
                devices=await _devices(session, person),
                sent=await _sent(session, person),
                heard_at=person.heard_at,
                applied_at=person.applied_at,
                applied_until=person.applied_until,
                read=shown if person.teams_user_id == user_id else None,
                cloudlink_user_id=person.cloudlink_user_id,
                teams_user_id=person.teams_user_id,
                because=person.desired_because,
                further=further_of(integration.further),
                closed_until=integration.turns_at if integration.closed else None,
                is_enabled=integration.enabled,
                is_cleared=await _is_cleared(session, integration, person),
            )

    async def is_cleared(self, owner_tenant: str, integration_id: str, person_id: str) -> bool:
        """Whether an administrator had what was known of the phone forgotten, and nothing was reported since."""
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            return await _is_cleared(session, integration, await _person(session, integration_id, person_id))

    async def explain(
        self, owner_tenant: str, integration_id: str, person_id: str, *, phone_answered: bool | None = None
    ) -> Explanation:
        """Why Teams shows what it shows for a person: read from Graph now, as far as quota and services let us.

        ``phone_answered`` is whether CloudLink, which was just asked, answered; None if it was not asked.
        """
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            user_id = (await _person(session, integration_id, person_id)).teams_user_id
            before = await shown_by(session, integration, user_id, self._clock())
        shown, error = await self._read_back(integration_id, user_id)
        async with self._database.session() as session:
            integration = await owned(session, owner_tenant, integration_id)
            person = await _person(session, integration_id, person_id)
            shown = shown if person.teams_user_id == user_id else None
            facts = await self._facts(session, integration, person, shown, error)
            after = await shown_by(session, integration, user_id, facts.now)
        others = [each for key, each in after.items() if key != person_id]
        is_changing = before != after or any(each.is_to_change for each in others)
        shown_by_others = _shown_by(others, owner_tenant)
        return explain(
            replace(facts, is_changing=is_changing, others_shown=shown_by_others, phone_answered=phone_answered)
        )

    async def of_user(self, tenant: str, user_id: str) -> list[PersonLine]:
        """The people who are this user of the tenant, in its own integrations."""
        async with self._database.session() as session:
            rows = await directory_people.of_teams_user(session, tenant, user_id)
            own = await integrations.list_owned(session, tenant)
        return [*_lines([(row, None) for row in rows], own)]

    async def _read_back(self, integration_id: str, user_id: str | None) -> tuple[Shown | None, SyncError | None]:
        if not user_id:
            return None, None
        try:
            return (await self._reader.read(integration_id, [user_id])).get(user_id), None
        except SyncError as error:
            return None, error

    async def _facts(
        self,
        session: AsyncSession,
        integration: Integration,
        person: Person,
        shown: Shown | None,
        error: SyncError | None,
    ) -> Facts:
        now = self._clock()
        sharing = await integrations.list_sharing(session, integration)
        ours = [each for each in sharing if each.owner_tenant == integration.owner_tenant]
        foreign = [each for each in sharing if each.owner_tenant != integration.owner_tenant]
        user_id = person.teams_user_id or ""
        (line,) = _lines([(person, None)], await integrations.list_owned(session, integration.owner_tenant))
        return Facts(
            person=person,
            line=line,
            integration=integration,
            health=health.service_health(await problems.list_open(session, integration.id)),
            now=now,
            device=_telling(await _devices(session, person)),
            selecting=await _selecting(session, integration, person),
            sent=await _sent(session, person),
            quota_until=self._quota.limited_until([integration, *sharing], now),
            others_wish=await wish_of_others(session, ours, user_id, now),
            has_foreign_wish=bool(await wish_of_others(session, foreign, user_id, now)),
            shown=shown,
            read_error=error,
            is_cleared=await _is_cleared(session, integration, person),
        )


def _shown_by(others: Sequence[Showing], owner_tenant: str) -> tuple[OtherPresence, ...]:
    """What is known to be shown by other people of this customer."""
    return tuple(
        OtherPresence(Presence(each.applied), each.integration)
        for each in others
        if each.owner == owner_tenant and each.applied and each.applied != UNSURE
    )


def _lines(rows: Sequence[PersonRead], own: Sequence[Integration]) -> tuple[PersonLine, ...]:
    """The people of these integrations, which are named if there are several."""
    closed = {each.id for each in own if each.closed}
    names = {each.id: each.name for each in own} if len(own) > 1 else {}
    return tuple(
        person_line(row, names.get(row.integration_id, ""), read, closed=row.integration_id in closed)
        for row, read in rows
    )


def person_line(
    person: Person, integration: str = "", read: ReadBack | None = None, *, closed: bool = False
) -> PersonLine:
    """Nothing is desired while the integration is ``closed`` by its schedule, or of who is not to be shown."""
    current = _current(person, read)
    return PersonLine(
        id=person.id,
        integration_id=person.integration_id,
        name=person.name,
        address=person.address,
        extension=person.extension,
        line=LineState(person.line),
        desired=None if closed or hidden_by(person) or not person.teams_user_id else person.desired,
        shown=person.applied,
        left_out=_left_out(person),
        is_matched=bool(person.teams_user_id),
        excluded=person.excluded,
        outside=bool(person.outside),
        opted_out=person.opted_out,
        by_hand=bool(person.chosen_user_id),
        mapping=person.mapping,
        chosen_mapping=person.chosen_mapping,
        choices=person.choices,
        changed_by=person.changed_by_name,
        changed_at=person.changed_at,
        integration=integration,
        read=Shown(current.availability, current.activity) if current else None,
    )


def _current(person: Person, read: ReadBack | None) -> ReadBack | None:
    """What was read counts only for a presence that is applied, still wished, and was read since it is."""
    is_shown = person.applied is not None and person.applied == person.desired
    return read if read and is_shown and person.desired_at and read.at >= person.desired_at else None


def exported(person: Person, principal_name: str, read: ReadBack | None, *, closed: bool = False) -> ExportedPerson:
    current = _current(person, read)
    return ExportedPerson(
        line=person_line(person, read=read, closed=closed),
        key=(person.search, person.id),
        teams_user_id=person.teams_user_id or "",
        principal_name=principal_name,
        read_at=current.at if current else None,
    )


def _left_out(person: Person) -> Unmatched | None:
    if person.unmatched:
        return Unmatched(person.unmatched)
    return Unmatched.REFUSED if person.refusal else None


async def _person(session: AsyncSession, integration_id: str, person_id: str) -> Person:
    person = await directory_people.get(session, integration_id, person_id)
    if person is None:
        raise UnknownPerson(person_id)
    return person


async def _devices(session: AsyncSession, person: Person) -> tuple[Device, ...]:
    """The devices at which the person was seen, their own first, though nothing may be known of it yet."""
    calls = await directory_people.live_calls(session, person.id, CallState.ENDED.value)
    seen = {
        row.extension: Device(
            extension=row.extension,
            own=row.extension == person.extension,
            calls=_states(calls, row.extension),
            do_not_disturb=row.do_not_disturb,
            offline=row.offline,
            heard_at=row.heard_at,
            by_poll=row.by_poll,
        )
        for row in await directory_people.endpoints(session, person.id)
    }
    if person.extension and person.extension not in seen:
        seen[person.extension] = Device(person.extension, own=True)
    return tuple(sorted(seen.values(), key=lambda device: (not device.own, device.extension)))


def _states(calls: Sequence[Call], extension: str) -> tuple[str, ...]:
    """A conference by its own name, whatever the state of the call."""
    return tuple(
        CallState.CONFERENCED.value if call.conference else call.state
        for call in calls
        if call.extension == extension
    )


async def _selecting(session: AsyncSession, integration: Integration, person: Person) -> str:
    """The rule by which a further mapping applies to the person; empty without one."""
    rules = {each.id: each.rules for each in further_of(integration.further)}.get(person.mapping, ())
    if not rules or person.chosen_mapping == person.mapping:
        return ""
    found = await mapping.selecting(session, integration.id, plain(rules), person.id)
    return next((f"{rule.kind}:{rule.said}" for rule in rules if (rule.kind, rule.value) == found), "")


async def _is_cleared(session: AsyncSession, integration: Integration, person: Person) -> bool:
    enabled_at, at = integration.enabled_at, person.desired_at
    if person.line != LineState.UNKNOWN or at is None or (enabled_at and at < enabled_at):
        return False
    since = at - timedelta(seconds=1)
    return await history.has_since(session, integration.owner_tenant, Act.PERSON_CLEAR.value, history.DONE, since)


def _telling(devices: Sequence[Device]) -> Device | None:
    """The device that makes the person's state what it is; None when it is no single one."""
    telling = [device for device in devices if device.calls or device.do_not_disturb] or list(devices)
    return telling[0] if len(telling) == 1 else None


async def _sent(session: AsyncSession, person: Person) -> tuple[SentChange, ...]:
    found = await sent_changes.entries(session, [person.id])
    return sent.read(found.get(person.id, []))


def _nearest(candidates: Sequence[PersonRead], words: str) -> list[PersonRead]:
    """The few whose name, or a part of it, is most similar."""

    def similarity(person: Person) -> float:
        name = searchable(person.name)
        parts = [name, *name.split()[:3], person.extension or ""]
        return max(SequenceMatcher(None, words, part).ratio() for part in parts)

    return sorted(candidates, key=lambda row: -similarity(row[0]))[:NEAREST]
