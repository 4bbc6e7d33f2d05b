"""The two forms of setup: what to do in each portal, with the fields beside the steps that yield their values."""

from collections.abc import Iterable, Sequence

from microsoft_teams.cards.core import ActionSet, CardElement, Column, ColumnSet, TextBlock

from bot.activity import Card
from bot.cards.field_errors import FormError, Link, Links
from bot.cards.fields import (
    GUID_EXAMPLE,
    MAX_NAME,
    Field,
    Values,
    expiry_day,
    field,
    lifetime,
    safe,
    secret,
    with_errors,
)
from bot.cards.parts import button, capped, card, error_note, note, text
from bot.cards.setup.steps import cancel_button, step_header
from bot.cards.validation import is_guid
from bot.languages import Texts

KEPT = "field.secret.kept"


def cloudlink_form(
    texts: Texts,
    draft: str,
    values: Values,
    links: Links,
    *,
    kept: bool = False,
    form_errors: Sequence[FormError] = (),
) -> Card:
    """Step 1. With ``kept`` a secret is stored, so its field may stay empty.

    The region is read from the account's token; it is asked for once that failed.
    """
    title = texts("setup.cloudlink.title")
    masked = secret(texts, "cloudlink_secret", required=not kept, hint=KEPT if kept else "")
    account = Link(texts("link.mitel_administration"), links.mitel_administration)
    client = Link(texts("link.cloudlink_clients"), links.cloudlink_clients)
    body: list[CardElement] = [
        step_header(texts, 1, "☎️", title),
        *_errors_of_the_card(texts, form_errors),
        text(texts("setup.cloudlink.intro")),
        _portal_step(texts, 1, "cloudlink.account", account),
        *_fields([field(texts, "account_id", values, required=True)], form_errors),
        _portal_step(texts, 2, "cloudlink.client", client),
        *_fields([field(texts, "cloudlink_client_id", values, required=True), masked], form_errors),
    ]
    if "ask_region" in values:
        body.append(_portal_step(texts, 3, "cloudlink.region"))
        body.extend(_fields([field(texts, "region", values, required=False)], form_errors))
    body.append(safe(texts))
    actions = [
        button(texts("button.check"), "setup.cloudlink", {"draft": draft}, style="positive", inputs=True),
        cancel_button(texts, draft),
    ]
    return card(texts, title, body, actions, wide=True)


def microsoft_form(
    texts: Texts,
    draft: str,
    values: Values,
    links: Links,
    *,
    kept: bool = False,
    form_errors: Sequence[FormError] = (),
) -> Card:
    """Step 2: the checklist of Mitel's guide. Once the application's ID is known, the links lead to that one.

    The secret is not marked as required: clients would then refuse to send the IDs before it is there.
    """
    title = texts("setup.microsoft.title")
    client_id = values.get("client_id", "") if is_guid(values.get("client_id", "")) else ""
    ids = [
        field(texts, "client_id", values, required=True, example=GUID_EXAMPLE),
        field(texts, "tenant_id", values, required=True, example=GUID_EXAMPLE),
    ]
    masked = secret(texts, "client_secret", required=False, hint=KEPT if kept else "")
    day = expiry_day(texts, values, "field.expires_on.instead")
    registration = Link(texts("link.new_registration"), links.new_registration())
    permissions = Link(texts("link.permissions"), links.registration(client_id, "CallAnAPI"))
    secrets = Link(texts("link.secrets"), links.registration(client_id, "Credentials"))
    body: list[CardElement] = [step_header(texts, 2, "🗝️", title)]
    if "people" in values and not form_errors:
        body.append(_found(texts, values))
    body += [
        *_errors_of_the_card(texts, form_errors),
        text(texts("setup.microsoft.intro")),
        _portal_step(texts, 1, "microsoft.registration", registration),
        *_fields(ids, form_errors),
        _aim(texts, draft, client_id),
        _portal_step(texts, 2, "microsoft.permissions", permissions),
        _portal_step(texts, 3, "microsoft.consent", permissions),
        _portal_step(texts, 4, "microsoft.secret", secrets),
        *_fields([masked, lifetime(texts, values), day], form_errors),
        text(texts("setup.microsoft.expiry"), subtle=True, spacing="Small"),
        _portal_step(texts, 5, "microsoft.name"),
        *_fields([field(texts, "name", values, required=True, length=MAX_NAME)], form_errors),
        safe(texts),
    ]
    actions = [
        button(texts("button.save_and_check"), "setup.save", {"draft": draft}, style="positive", inputs=True),
        button(texts("button.back"), "setup.back", {"draft": draft, "to": "cloudlink"}),
        cancel_button(texts, draft),
    ]
    return card(texts, title, body, actions, wide=True)


def _aim(texts: Texts, draft: str, client_id: str) -> CardElement:
    """The button that makes the links lead to the typed application, or the sentence that they do."""
    if client_id:
        return text(texts("setup.microsoft.aimed"), subtle=True, spacing="Small")
    aim = button(texts("button.use_ids"), "setup.register", {"draft": draft}, inputs=True)
    return ActionSet(actions=[aim], spacing="Small")


def _portal_step(texts: Texts, number: int, step: str, place: Link | None = None) -> ColumnSet:
    """A step in a portal: what to open, what to do there, and the link."""
    words: list[CardElement] = [
        text(texts(f"setup.{step}"), weight="Bolder", spacing="None"),
        text(texts(f"setup.{step}.how"), spacing="None"),
    ]
    if place:
        words.append(text(f"[{place.label}]({place.url})", spacing="Small"))
    sign = TextBlock(text=str(number), size="Large", weight="Bolder", color="Accent", spacing="None")
    columns = [Column(width="28px", items=[sign]), Column(width="stretch", items=words)]
    return ColumnSet(spacing="Large", columns=columns)


def _errors_of_the_card(texts: Texts, form_errors: Sequence[FormError]) -> list[CardElement]:
    """The errors about the whole card, and which fields have one: on a telephone those are far below."""
    named = list(dict.fromkeys(f"“{texts(f'field.{each.field}')}”" for each in form_errors if each.field))
    marked = [note("attention", "❌", texts("setup.see_fields", fields=", ".join(named)))] if named else []
    return [*(error_note(each) for each in form_errors if not each.field), *marked]


def _fields(fields: Iterable[Field], form_errors: Sequence[FormError]) -> list[CardElement]:
    """The fields, each with its own errors below it."""
    return with_errors(fields, [each for each in form_errors if each.field])


def _found(texts: Texts, values: Values) -> CardElement:
    people = int(values.get("people", "0"))
    found = texts.plural("setup.found", people, account=capped(values.get("account_name", "")))
    return note("good", "✅", found) if people else note("warning", "⚠️", found, texts("cloudlink.no_users"))
