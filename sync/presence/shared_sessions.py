"""A person's session belongs to an application in a tenant: integrations that share the application share it.

The strongest wish wins, as Teams decides between sessions, and only what no integration wishes is cleared (Graph
reference, presence: setPresence, whose ``sessionId`` is the application's id).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.flow.rows import AnyIntegration, AnyPerson
from storage.queries import integrations
from storage.queries.people import effects, people
from storage.tables.columns import UNSURE
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.changes import Change, SetPresence
from sync.domain.presence import Presence
from sync.presence import plan
from sync.problems import health

STRENGTH = (
    Presence.AWAY,
    Presence.AVAILABLE,
    Presence.IN_A_CALL,
    Presence.IN_A_CONFERENCE_CALL,
    Presence.PRESENTING,
)
"""DoNotDisturb wins over Busy, Busy over Available, Available over Away."""


async def wishes_of_others(
    session: AsyncSession, others: Collection[Integration], user_ids: Collection[str], now: datetime
) -> dict[str, Presence]:
    """``wishes`` of ``others``, who share the application, for these Teams users.

    Whose own credentials are refused has no wish: it must not come true through the credentials of another.
    """
    by_id = await _with_access(session, others)
    return wishes(await people.by_teams_user(session, list(by_id), user_ids), by_id, now) if by_id else {}


async def _with_access(session: AsyncSession, others: Collection[Integration]) -> dict[str, Integration]:
    """Those whose credentials are not refused, by id."""
    return {each.id: each for each in others if not await health.is_blocked(session, each.id, health.TEAMS)}


@dataclass(frozen=True, slots=True)
class OtherPresence:
    """What another ``integration``, by its name, has or wants shown."""

    presence: Presence
    integration: str


async def wish_of_others(
    session: AsyncSession, others: Collection[Integration], user_id: str, now: datetime
) -> OtherPresence | None:
    """The strongest wish of ``others``, who share the application, for this Teams user, and whose it is."""
    by_id = await _with_access(session, others)
    found = [
        OtherPresence(wish, by_id[person.integration_id].name)
        for person in (await people.by_teams_user(session, list(by_id), [user_id]) if by_id else ())
        if (wish := wishes([person], by_id, now).get(user_id))
    ]
    return max(found, key=lambda each: STRENGTH.index(each.presence), default=None)


@dataclass(frozen=True, slots=True)
class Showing:
    """What a Teams user shows through one person of an integration, whose customer is the ``owner``.

    ``integration`` is its name. ``applied`` may be ``UNSURE``. ``is_to_change``: something else will be sent soon.
    """

    owner: str
    integration: str
    applied: str | None
    is_to_change: bool


async def shown_by(
    session: AsyncSession, integration: Integration, user_id: str | None, now: datetime
) -> Mapping[str, Showing]:
    """By which people a Teams user shows something from the integration and those that share the session.

    Another integration whose credentials are refused changes nothing: what it has shown is seen until that ends.
    """
    others = await integrations.list_sharing(session, integration)
    blocked = {each.id for each in others if await health.is_blocked(session, each.id, health.TEAMS)}
    by_id = {each.id: each for each in (integration, *others)}
    found: dict[str, Showing] = {}
    for row in await effects.shown_to(session, by_id, user_id) if user_id else ():
        its = by_id[row.integration_id]
        if not plan.has_ended(row, now):
            is_to_change = its.id not in blocked and _is_to_change(row, its, now)
            found[row.id] = Showing(its.owner_tenant, its.name, row.applied, is_to_change)
    return found


def _is_to_change(person: Person, integration: Integration, now: datetime) -> bool:
    is_former = person.applied_user_id != person.teams_user_id
    is_wanted = person.applied == plan.wanted_presence(person, integration)
    return is_former or not is_wanted or plan.is_unconfirmed(person, integration, now)


def wishes(
    persons: Iterable[AnyPerson], integrations: Mapping[str, AnyIntegration], now: datetime
) -> dict[str, Presence]:
    """The strongest wish of these people's integrations, by id, for each Teams user who has one.

    Whose former account is still to be cleared has none for the new one: a row answers for one session.
    """
    found: dict[str, Presence] = {}
    for person in persons:
        wish = plan.wanted_presence(person, integrations[person.integration_id])
        is_former = person.applied and person.applied_user_id not in (None, person.teams_user_id)
        if wish and person.teams_user_id and not is_former and not plan.is_stale(person, now):
            found[person.teams_user_id] = strongest(wish, found.get(person.teams_user_id))
    return found


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session that an integration leaves to others: what it shows, which may be ``UNSURE``, and until when."""

    shown: str | None
    until: datetime

    def give_to(self, person: AnyPerson, now: datetime) -> None:
        """Have the person's integration answer for it, if it wishes something and is not known to show the same.

        ``applied_at`` says that something is there, whatever comes of a request of theirs that is under way.
        """
        if person.desired and (person.applied != self.shown or self.shown == UNSURE):
            person.applied, person.applied_user_id = UNSURE, person.applied_user_id or person.teams_user_id
            person.applied_at = person.due_at = now
            person.applied_until = max(self.until, person.applied_until or self.until)


def give_all(persons: Iterable[AnyPerson], left: Mapping[str, LeftSession], now: datetime) -> None:
    """Have those who share these sessions, by Teams user, answer for them: their wish is what is shown."""
    for person in persons:
        if session := left.get(person.teams_user_id or ""):
            session.give_to(person, now)


def strongest(wish: Presence, other: Presence | None) -> Presence:
    return wish if other is None else max(wish, other, key=STRENGTH.index)


def strongest_of(wish: Presence | None, other: Presence | None) -> Presence | None:
    """The stronger of these wishes, None without any."""
    return strongest(wish, other) if wish else other


def shared_change(person: AnyPerson, change: Change, others: Mapping[str, Presence]) -> Change | None:
    """``change`` as it is to be sent when others share the session; None when their wish is shown already."""
    other = others.get(change.user_id)
    if other is None:
        return change
    if isinstance(change, SetPresence):
        return SetPresence(change.user_id, strongest(change.presence, other), change.seconds, change.cause)
    return (
        None if person.applied == other else SetPresence(change.user_id, other, plan.SESSION_SECONDS, change.cause)
    )
