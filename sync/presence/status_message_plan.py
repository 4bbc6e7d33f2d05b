"""Whose status message is to be set or taken away, seen from what stands there now. Pure: rows in, a change out.

A person's own words are never touched: what stands in Teams is read first, and only an empty place, or our own
words, are written over. So it does no harm that nobody can tell, after a crash, whether a message was sent.
"""

from datetime import datetime, timedelta

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.changes import ClearMessage, MessageChange, SetMessage
from sync.domain.features import shows_messages
from sync.domain.presence import Presence
from sync.presence import plan

LIFE = timedelta(hours=1)
"""As long as a call's presence, so that both are renewed together."""

RENEW_AFTER = LIFE * 0.4
ON_THE_PHONE = frozenset({Presence.IN_A_CALL, Presence.IN_A_CONFERENCE_CALL})


def wanted_message(person: Person, integration: Integration) -> str:
    """The words that should stand beside the person's presence from us, empty for none."""
    wanted = plan.wanted_of(person, integration)
    return integration.status_text if shows_messages(integration) and wanted in ON_THE_PHONE else ""


def needs_look(person: Person, integration: Integration, now: datetime) -> bool:
    """Whether something may have to be changed, as far as can be told without asking Graph."""
    wanted = wanted_message(person, integration)
    if person.status_message and (person.status_message != wanted or _stands_elsewhere(person)):
        return True
    if not wanted or plan.is_stale(person, integration, now):
        return False
    until = person.status_until
    return not person.status_message or until is None or until - LIFE + RENEW_AFTER <= now


def user_to_read(person: Person, integration: Integration) -> str:
    """Whose status message decides: the one where ours must go, or the one where it shall stand."""
    if person.status_message and (not wanted_message(person, integration) or _stands_elsewhere(person)):
        return person.status_user_id or ""
    return person.teams_user_id or ""


def change_for(person: Person, integration: Integration, found: str | None, now: datetime) -> MessageChange | None:
    """What to send, given what stands there; None when it is not ours to change. ``found`` is None for nobody."""
    ours = {"", person.status_message}
    wanted = wanted_message(person, integration)
    if person.status_message and (not wanted or _stands_elsewhere(person)):
        clearing = ClearMessage(person.status_user_id or "", person.desired_because)
        return clearing if found == person.status_message else None
    if wanted and found is not None and found in ours | {wanted}:
        return SetMessage(person.teams_user_id or "", wanted, now + LIFE, person.desired_because)
    return None


def mark_message(person: Person, change: MessageChange | None) -> None:
    """Before it is sent: what might stand there from now on. None: nothing of ours does."""
    if isinstance(change, SetMessage):
        person.status_message, person.status_user_id = change.text, change.user_id
        person.status_until = max(change.until + plan.LEEWAY, person.status_until or change.until)
    elif change is None:
        forget_message(person)


def mark_message_accepted(person: Person, change: MessageChange) -> None:
    if isinstance(change, SetMessage):
        person.status_until = change.until
    else:
        forget_message(person)


def forget_message(person: Person) -> None:
    person.status_message, person.status_user_id, person.status_until = "", None, None


def hand_over_message(person: Person, heir: Person) -> None:
    """Words of ours beside a Teams user belong to whoever is matched to that user now."""
    if person.status_message and person.status_user_id == heir.teams_user_id and not heir.status_message:
        heir.status_message, heir.status_user_id = person.status_message, person.status_user_id
        heir.status_until = person.status_until
        forget_message(person)


def _stands_elsewhere(person: Person) -> bool:
    return person.status_user_id != person.teams_user_id
