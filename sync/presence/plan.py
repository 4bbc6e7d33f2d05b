"""What to send to Graph for a person now, if anything. Pure: rows in, a change out."""

from datetime import datetime, timedelta
from random import Random

from storage.flow.rows import AnyIntegration, AnyPerson
from storage.queries.people.hidden import hidden_by
from storage.tables.columns import UNSURE
from sync.domain.changes import Change, ClearPresence, SetPresence
from sync.domain.presence import STALE_AFTER, Presence

SESSION_SECONDS = 4 * 3600
"""The longest session (Graph reference, presence: setPresence): cleared when the call ends, and rarely renewed."""

LEEWAY = timedelta(seconds=60)
"""A session may start this much after its request was planned, and so end this much later."""

RENEW_FROM, RENEW_UNTIL = 0.7, 0.8
"""A presence is renewed at a random time between these fractions of its duration, to spread the requests."""

SHORTEST_REFUSAL, LONGEST_REFUSAL = timedelta(seconds=5), timedelta(hours=1)
"""What Graph refuses for one person is sent again after as long as it is refused already, within these bounds."""

CATCH_UP = timedelta(minutes=10)
"""So long after a gap the polls of everybody may take, before what none of them confirmed is cleared."""

RECHECK = timedelta(seconds=30)
"""When a person for whom nothing can be sent, because the state is stale, is checked again."""


def may_show(person: AnyPerson, integration: AnyIntegration) -> bool:
    """Whether anything from us may be shown of this person now: whatever forbids it is decided here."""
    is_running = integration.enabled and not integration.closed and not integration.removing_since
    return is_running and not hidden_by(person) and bool(person.teams_user_id)


def wanted_presence(person: AnyPerson, integration: AnyIntegration) -> Presence | None:
    """What Teams should show from us, None for nothing."""
    return Presence(person.desired) if person.desired and may_show(person, integration) else None


def is_unconfirmed(person: AnyPerson, integration: AnyIntegration, now: datetime) -> bool:
    """Whether what is shown may be over long ago, and no polls after a gap are about to confirm it."""
    gap = integration.catch_up_since
    return is_stale(person, now) and (gap is None or gap + CATCH_UP <= now)


def change_for(person: AnyPerson, integration: AnyIntegration, now: datetime) -> Change | None:
    """The next request for this person. The presence of a former Teams user is cleared before another is set."""
    wanted = None if is_unconfirmed(person, integration, now) else wanted_presence(person, integration)
    if person.applied and (wanted is None or person.applied_user_id != person.teams_user_id):
        is_refused_clear = person.applied == UNSURE and is_refused(person, now)
        if has_ended(person, now) or is_refused_clear:
            return None
        return ClearPresence(person.applied_user_id or "", person.desired_because)
    if wanted is None or is_refused(person, now):
        return None
    if is_shown(person, wanted, now) or is_stale(person, now):
        return None
    return SetPresence(person.teams_user_id or "", wanted, SESSION_SECONDS, person.desired_because)


def has_ended(person: AnyPerson, now: datetime) -> bool:
    """Whether what we set has expired."""
    return person.applied_until is not None and person.applied_until <= now


def is_shown(person: AnyPerson, wanted: Presence, now: datetime) -> bool:
    """Whether Teams shows it from us, and it needs no renewal yet."""
    at = person.applied_at
    return person.applied == wanted and at is not None and now < _at_fraction(at, RENEW_FROM)


def is_refused(person: AnyPerson, now: datetime) -> bool:
    """Whether Graph refused this person, and nothing is to be tried yet."""
    return person.refused_until is not None and now < person.refused_until


def is_stale(person: AnyPerson, now: datetime) -> bool:
    """Whether this person's phones were not heard of for long."""
    stale_at = stale_from(person)
    return stale_at is None or stale_at <= now


def stale_from(person: AnyPerson) -> datetime | None:
    """When what is known of this person's phones becomes too old; None if nothing is known."""
    return person.heard_at + STALE_AFTER if person.heard_at else None


def next_due(person: AnyPerson, integration: AnyIntegration, now: datetime, random: Random) -> datetime | None:
    """When the person is due next, after a request or when none was needed; None for not before a change."""
    if change_for(person, integration, now) is not None:
        return now
    wanted = wanted_presence(person, integration)
    if is_refused(person, now) and (wanted or person.applied):
        return person.refused_until
    if wanted is None:
        return None
    if is_shown(person, wanted, now) and (stale_at := stale_from(person)) and now < stale_at:
        at = person.applied_at or now
        return min(stale_at, _at_fraction(at, random.uniform(RENEW_FROM, RENEW_UNTIL)))
    return now + RECHECK


def mark_sending(person: AnyPerson, change: Change, now: datetime) -> None:
    """Before the request: until its outcome is known, what Teams shows is unknown."""
    if isinstance(change, SetPresence):
        if person.applied != change.presence:
            person.applied = UNSURE
        until = now + timedelta(seconds=change.seconds) + LEEWAY
        person.applied_until = max(until, person.applied_until or until)
        person.applied_user_id = change.user_id
    else:
        person.applied = UNSURE


def done_at(selected_at: datetime | None, now: datetime) -> datetime:
    """When Graph did at the latest what was selected then, and answered by now: a machine may sleep in between."""
    return min(now, selected_at + LEEWAY) if selected_at else now


def mark_accepted(person: AnyPerson, change: Change, at: datetime, now: datetime) -> None:
    """Graph accepted the request, and did it ``at`` this time; its end counts from now: rather too late."""
    if isinstance(change, SetPresence):
        person.applied, person.applied_user_id = change.presence, change.user_id
        person.applied_at, person.applied_until = at, now + timedelta(seconds=change.seconds)
    else:
        mark_nothing_shown(person)
    forget_refusal(person)


def mark_refused(person: AnyPerson, refusal: str, at: datetime) -> None:
    """Graph refused the request for this person ``at`` this time: it is tried again, ever more rarely."""
    person.refusal, person.refused_since = refusal, person.refused_since or at
    person.refused_until = at + min(LONGEST_REFUSAL, max(SHORTEST_REFUSAL, at - person.refused_since))


def forget_refusal(person: AnyPerson) -> None:
    person.refusal, person.refused_since, person.refused_until = "", None, None


def mark_nothing_shown(person: AnyPerson) -> None:
    person.applied = person.applied_user_id = person.applied_at = person.applied_until = None


def _at_fraction(at: datetime, fraction: float) -> datetime:
    """When this part of a session that began ``at`` this time is over."""
    return at + fraction * timedelta(seconds=SESSION_SECONDS)
