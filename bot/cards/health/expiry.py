"""When an integration's credential expires; an unknown or contradicted date can be entered right there."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

from microsoft_teams.cards.core import Action, ActionSet, CardElement

from bot.cards.field_errors import FormError
from bot.cards.fields import expiry_day, with_errors
from bot.cards.parts import button, fact, note
from bot.languages import Texts
from sync.domain.model import CredentialKind, IntegrationView

WARN_DAYS = 30
RENEWED_DAYS = 30
"""How long before its last day a secret is renewed automatically."""


def about_renewal(texts: Texts, days: int) -> str:
    """When the bot renews a secret that expires in ``days``, or that it has not done so in time."""
    return texts("notice.expiry.automatic" if days >= RENEWED_DAYS else "notice.expiry.not_renewed")


def expires_soon(integration: IntegrationView, today: date) -> bool:
    """Whether the credential is valid, but not for long."""
    expires_on = integration.secret_expires_on
    return expires_on is not None and 0 <= (expires_on - today).days <= WARN_DAYS


def renewal(texts: Texts, integration_id: str, *, certificate: bool, is_first: bool = True) -> Action:
    """To the form for a new secret; to the choice of credentials where a certificate is what helps."""
    key, verb = ("button.change_credential", "certificate.show") if certificate else ("button.rotate", "rotate.ask")
    return button(texts(key), verb, {"integration": integration_id}, style="positive" if is_first else None)


def expiry(
    texts: Texts,
    integration: IntegrationView,
    today: date,
    *,
    may_edit: bool = False,
    form_errors: Sequence[FormError] = (),
) -> list[CardElement]:
    """The date and its source; highlighted when it is near, past or unknown. ``may_edit``: it can be entered."""
    if integration.credential is CredentialKind.FEDERATED:
        return [fact(texts("certificate.in_use"), texts("expiry.nothing"))]
    entered = expiry_form(texts, integration, form_errors) if may_edit else []
    expires_on = integration.secret_expires_on
    if expires_on is None:
        return [note("warning", "❔", texts("expiry.unknown"), texts("expiry.unknown.remedy")), *entered]
    if expires_on < today:
        return [_past(texts, integration, expires_on), *entered]
    return [_valid(texts, integration, expires_on, today)]


def asks_for_date(integration: IntegrationView, today: date) -> bool:
    """Whether the last day of its secret is unknown, or past though the secret works."""
    day = integration.secret_expires_on
    return integration.credential is CredentialKind.SECRET and (day is None or day < today)


def expiry_form(
    texts: Texts, integration: IntegrationView, form_errors: Sequence[FormError] = (), *, is_asked: bool = False
) -> list[CardElement]:
    """The field for a secret's last day and its button; nothing for a certificate, which says its own.

    ``is_asked``: the card asks for nothing else, so that it is the main button.
    """
    if integration.credential is not CredentialKind.SECRET:
        return []
    style: Literal["positive"] | None = "positive" if is_asked else None
    data = {"integration": integration.id}
    save = button(texts("button.save_date"), "edit.save_expiry", data, style=style, inputs=True)
    return [*with_errors([expiry_day(texts, {})], form_errors), ActionSet(actions=[save], spacing="Small")]


def _past(texts: Texts, integration: IntegrationView, expires_on: date) -> CardElement:
    """The credentials still work, or the card would show their fault instead of this."""
    day = texts.date(expires_on)
    if integration.credential is CredentialKind.CERTIFICATE:
        return note("attention", "❌", texts("expiry.certificate.past", day=day))
    return note("warning", "❔", texts("expiry.past_but_works", day=day), texts("expiry.past_but_works.remedy"))


def _valid(texts: Texts, integration: IntegrationView, expires_on: date, today: date) -> CardElement:
    certificate = integration.credential is CredentialKind.CERTIFICATE
    days, day = (expires_on - today).days, texts.date(expires_on)
    source = texts(f"expiry.source.{integration.expiry_source}") if integration.expiry_source else ""
    label = texts("expiry.certificate" if certificate else "expiry.label")
    description = texts.plural("expiry.fine", days, day=day)
    if expires_soon(integration, today):
        soon = f"{label}: {description}" if certificate else texts.plural("expiry.soon", days, day=day)
        return note("warning", "⚠️", soon, source)
    return fact(label, f"{description} ({source})" if source else description)
