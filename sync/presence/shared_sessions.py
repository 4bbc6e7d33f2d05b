"""A person's session belongs to an application in a tenant: integrations that share the application share it.

The strongest wish wins, as Teams decides between sessions, and only what no integration wishes is cleared (Graph
reference, presence: setPresence, whose ``sessionId`` is the application's id).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.flow.rows import AnyIntegration, AnyPerson
from storage.queries.people import people
from storage.tables.integrations import Integration
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
    by_id = {each.id: each for each in others if not await health.is_blocked(session, each.id, health.TEAMS)}
    return wishes(await people.by_teams_user(session, list(by_id), user_ids), by_id, now) if by_id else {}


def wishes(
    persons: Iterable[AnyPerson], integrations: Mapping[str, AnyIntegration], now: datetime
) -> dict[str, Presence]:
    """The strongest wish of these people's integrations, by id, for each Teams user who has one."""
    found: dict[str, Presence] = {}
    for person in persons:
        wish = plan.wanted_presence(person, integrations[person.integration_id])
        if wish and person.teams_user_id and not plan.is_stale(person, now):
            found[person.teams_user_id] = strongest(wish, found.get(person.teams_user_id))
    return found


def strongest(wish: Presence, other: Presence | None) -> Presence:
    return wish if other is None else max(wish, other, key=STRENGTH.index)


def strongest_of(*wanted: Presence | None) -> Presence | None:
    """The strongest of these wishes, None without any."""
    return max((each for each in wanted if each), key=STRENGTH.index, default=None)


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
