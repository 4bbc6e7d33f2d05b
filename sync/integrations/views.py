"""Integrations and previews as the bot shows them, made of stored rows. No view holds a secret."""

from collections.abc import Sequence
from datetime import datetime

from storage.queries.people.directory import PresentPerson
from storage.queries.people.hidden import hidden_by
from storage.tables.integrations import Integration
from storage.tables.problems import Problem
from sync.domain.model import (
    CredentialKind,
    ExpirySource,
    IntegrationView,
    Preview,
    Service,
    Unmatched,
    UnmatchedPerson,
    WouldSend,
)
from sync.domain.presence import LineState, Presence
from sync.domain.schedule import of_stored
from sync.presence.further_mappings import further_of
from sync.problems.health import REFUSALS
from sync.problems.incidents import EFFECT

SHOWING = frozenset({*Service, EFFECT, REFUSALS})
"""The services whose problems keep Teams from showing calls; of ``EFFECT``, it was read that it does not."""


def integration_view(integration: Integration) -> IntegrationView:
    return IntegrationView(
        id=integration.id,
        name=integration.name,
        enabled=integration.enabled,
        cloudlink_region=integration.cloudlink_region,
        cloudlink_account_id=integration.cloudlink_account_id,
        cloudlink_client_id=integration.cloudlink_client_id,
        tenant_id=integration.tenant_id,
        client_id=integration.client_id,
        secret_expires_on=integration.secret_expires_on,
        created_at=integration.created_at,
        feature_version=integration.feature_version,
        status_text=integration.status_text,
        status_texts=integration.status_texts,
        mapping=integration.mapping,
        further=further_of(integration.further),
        schedule=of_stored(integration.schedule),
        closed=integration.closed,
        turns_at=integration.turns_at,
        credential=CredentialKind(integration.credential),
        expiry_source=ExpirySource(integration.expiry_source),
        auto_rotate=integration.auto_rotate,
        revision=integration.revision,
    )


def shown_since(integration: Integration, opened: Sequence[Problem], healed_at: datetime | None) -> datetime | None:
    """Since when Teams shows calls: since they are enabled, or since the last problem of ``SHOWING`` ended.

    None if one of ``opened`` keeps it from doing so, or nothing was sent yet.
    """
    since, changed = integration.enabled_at, integration.last_change_at
    if since is None or changed is None or changed < since or any(row.service in SHOWING for row in opened):
        return None
    return max(since, healed_at) if healed_at else since


def reason_of(person: PresentPerson) -> Unmatched | None:
    """Why this person cannot be shown in Teams, None when they can."""
    if hidden := hidden_by(person):
        return Unmatched(hidden)
    if person.unmatched:
        return Unmatched(person.unmatched)
    return Unmatched.REFUSED if person.refusal else None


def preview_of(people: Sequence[PresentPerson]) -> Preview:
    """Who can be shown, who cannot and why, and the presence that each person on the phone would get."""
    people = sorted(people, key=lambda person: (reason_of(person) or "", person.name.casefold()))
    left_out = {person.cloudlink_user_id: reason for person in people if (reason := reason_of(person))}
    matched = [person for person in people if person.teams_user_id and person.cloudlink_user_id not in left_out]
    return Preview(
        matched=len(matched),
        unmatched=tuple(
            UnmatchedPerson(person.name, person.address, left_out[person.cloudlink_user_id])
            for person in people
            if person.cloudlink_user_id in left_out
        ),
        would_send=tuple(
            WouldSend(person.name, LineState(person.line), Presence(person.desired))
            for person in matched
            if person.desired
        ),
        shown=tuple(person.name for person in matched),
    )
