"""Integrations and previews as the bot shows them, made of stored rows. No view holds a secret."""

from collections.abc import Sequence

from storage.queries.directory import PresentPerson
from storage.tables.integrations import Integration
from sync.domain.model import (
    CredentialKind,
    ExpirySource,
    IntegrationView,
    Preview,
    Unmatched,
    UnmatchedPerson,
    WouldSend,
)
from sync.domain.presence import LineState, Presence


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
        mapping=integration.mapping,
        credential=CredentialKind(integration.credential),
        expiry_source=ExpirySource(integration.expiry_source),
        auto_rotate=integration.auto_rotate,
        revision=integration.revision,
    )


def reason_of(person: PresentPerson) -> Unmatched | None:
    """Why this person cannot be shown in Teams, None when they can."""
    if person.excluded:
        return Unmatched.EXCLUDED
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
