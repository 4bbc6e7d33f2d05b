"""Which status messages to set or clear, given the current ones. Pure: rows in, a change out.

A user's own message is never replaced: the current one is read from Teams first, and only an empty message or our
own is overwritten. While a request's outcome is unknown, two texts count as ours: the one that was shown, and the
one that was sent; so it does not matter whether a message was sent before a crash.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from storage.flow.rows import AnyIntegration, AnyPerson
from sync.domain.changes import ClearMessage, MessageChange, SetMessage
from sync.domain.features import shows_messages
from sync.domain.presence import BUSY_LINES, RESTING, TALKING, LineState, Presence
from sync.presence import plan

DURATION = timedelta(seconds=plan.SESSION_SECONDS)
"""The duration of a call's presence: a message ends by itself no later."""

RINGING = timedelta(minutes=10)
"""No phone rings for longer: so long a message about it lasts at most."""

RENEW_AFTER = 0.65
"""The part of its duration after which a message is renewed."""

ON_THE_PHONE = frozenset({Presence.IN_A_CALL, Presence.IN_A_CONFERENCE_CALL})


def texts_of(status_text: str, chosen: Mapping[str, str]) -> dict[LineState, str]:
    """The text for each line state: the one that was chosen, else the one for calls."""
    return {state: chosen.get(state, status_text if state in TALKING else "") for state in BUSY_LINES}


def wanted_message(person: AnyPerson, integration: AnyIntegration) -> str:
    """The message that should be shown from us, empty for none."""
    if not shows_messages(integration) or not plan.may_show(person, integration):
        return ""
    chosen = integration.status_texts.get(person.line)
    if chosen is not None:
        return chosen
    wanted = plan.wanted_presence(person, integration)
    is_on_the_phone = person.line in TALKING or (wanted in ON_THE_PHONE and person.line not in RESTING)
    return integration.status_text if wanted and is_on_the_phone else ""


def _current_message(person: AnyPerson, integration: AnyIntegration, now: datetime) -> str:
    """The same, while phones are heard of."""
    wanted = wanted_message(person, integration)
    return "" if wanted and plan.is_unconfirmed(person, integration, now) else wanted


def needs_check(person: AnyPerson, integration: AnyIntegration, now: datetime) -> bool:
    """Whether the message may have to change, as far as is known without reading it from Graph."""
    wanted = _current_message(person, integration, now)
    if person.status_message and (person.status_message != wanted or _is_of_former_user(person)):
        return True
    if not wanted or plan.is_stale(person, now):
        return False
    renewal = renewal_of(person)
    return not person.status_message or renewal is None or renewal <= now


def renewal_of(person: AnyPerson) -> datetime | None:
    """When the message is renewed if it is still wanted then; None while it is unknown whether it is shown."""
    if person.status_until is None or person.status_before is not None:
        return None
    return person.status_until - _duration(person) * (1 - RENEW_AFTER)


def user_to_read(person: AnyPerson, integration: AnyIntegration) -> str:
    """The Teams user whose message to read: the one to clear, or else the one to set."""
    if person.status_message and (not wanted_message(person, integration) or _is_of_former_user(person)):
        return person.status_user_id or ""
    return person.teams_user_id or ""


def change_for(
    person: AnyPerson, integration: AnyIntegration, found: str | None, now: datetime
) -> MessageChange | None:
    """What to send, given the current message; None when it is not ours. ``found`` is None for an unknown user."""
    ours = {person.status_message, person.status_before or ""}
    wanted = _current_message(person, integration, now)
    if person.status_message and (not wanted or _is_of_former_user(person)):
        if not found or found not in ours:
            return None
        return ClearMessage(person.status_user_id or "", person.desired_because, replaces=found)
    if wanted and found is not None and found in ours | {"", wanted}:
        until = now + _duration(person)
        return SetMessage(person.teams_user_id or "", wanted, until, person.desired_because, replaces=found)
    return None


def mark_message(person: AnyPerson, change: MessageChange | None) -> None:
    """Before the request: record what may be shown from now on. Without a change, no message of ours is shown."""
    if isinstance(change, SetMessage):
        person.status_message, person.status_user_id = change.text, change.user_id
        person.status_before = change.replaces
        person.status_until = max(change.until + plan.LEEWAY, person.status_until or change.until)
    elif change is None:
        forget_message(person)
    else:
        person.status_message = person.status_before = change.replaces


def mark_message_accepted(person: AnyPerson, change: MessageChange) -> None:
    if isinstance(change, SetMessage):
        person.status_until, person.status_before = change.until, None
    else:
        forget_message(person)


def mark_message_refused(person: AnyPerson) -> None:
    """What was shown before is still shown."""
    if person.status_before:
        person.status_message, person.status_before = person.status_before, None
    else:
        forget_message(person)


def forget_message(person: AnyPerson) -> None:
    person.status_message, person.status_before = "", None
    person.status_user_id, person.status_until = None, None


def transfer_message(person: AnyPerson, owner: AnyPerson) -> None:
    """Our message of a Teams user is recorded with the person who is matched to that user now."""
    if person.status_message and person.status_user_id == owner.teams_user_id and not owner.status_message:
        owner.status_message, owner.status_user_id = person.status_message, person.status_user_id
        owner.status_until, owner.status_before = person.status_until, person.status_before
        forget_message(person)


def _duration(person: AnyPerson) -> timedelta:
    return RINGING if person.line == LineState.RINGING else DURATION


def _is_of_former_user(person: AnyPerson) -> bool:
    return person.status_user_id != person.teams_user_id
