"""The cards that change an integration without deleting it: its name, its CloudLink side, its Teams side."""

from collections.abc import Sequence

from microsoft_teams.cards.core import Action, CardElement, DateInput, TextInput

from bot.activity import Card
from bot.cards import fields
from bot.cards.access.history import HistoryEntry, details, what
from bot.cards.field_errors import FormError
from bot.cards.fields import GUID_EXAMPLE, MAX_NAME, Values
from bot.cards.parts import button, capped, card, fact, header, note, row, text
from bot.languages import Texts
from sync.domain.model import CredentialKind, IntegrationView


def menu(texts: Texts, view: IntegrationView, saved: str = "") -> Card:
    """What can be edited; ``saved`` is the key of what was just changed."""
    title = texts("edit.title")
    body: list[CardElement] = [header("✏️", title, capped(view.name))]
    if saved:
        body.append(note("good", "✅", texts(saved), _follows(texts, view, saved)))
    body.extend(
        (
            *cloudlink_side(texts, view),
            fact(texts("field.tenant_id"), view.tenant_id),
            fact(texts("field.client_id"), view.client_id),
        )
    )
    data = {"integration": view.id}
    actions: list[Action] = [
        button(texts("button.rename"), "edit.rename", data),
        button(texts("button.edit_cloudlink"), "edit.cloudlink", data),
        button(texts("button.edit_teams"), "edit.teams", data),
        button(texts("button.status_text"), "messages.show", data),
        button(texts("button.back"), "integrations.open", data),
    ]
    return card(texts, title, body, actions)


def cloudlink_side(texts: Texts, view: IntegrationView) -> list[CardElement]:
    """The account and its client, each on its own line: a narrow chat would wrap them."""
    side = texts("service.cloudlink")
    return [
        fact(f"{side} · {texts('field.account_id')}", view.cloudlink_account_id),
        fact(f"{side} · {texts('field.cloudlink_client_id')}", view.cloudlink_client_id),
    ]


def _follows(texts: Texts, view: IntegrationView, saved: str) -> str:
    """A new name does not affect presence sync."""
    return texts("edit.saved.follows") if view.enabled and saved != "edit.renamed" else ""


def rename_form(
    texts: Texts, view: IntegrationView, typed: Values | None = None, form_errors: Sequence[FormError] = ()
) -> Card:
    name = fields.field(texts, "name", typed or {"name": view.name}, required=True, length=MAX_NAME)
    body = [header("✏️", texts("rename.title"), capped(view.name)), *fields.with_errors([name], form_errors)]
    return card(texts, texts("rename.title"), body, _save_or_back(texts, view, "edit.save_name"))


def cloudlink_form(
    texts: Texts,
    view: IntegrationView,
    typed: Values | None = None,
    form_errors: Sequence[FormError] = (),
    *,
    again: bool = False,
) -> Card:
    """The account and its client; an empty secret keeps the stored one, unless it is to be typed ``again``."""
    values = typed or cloudlink_values(view)
    hint = "field.secret.again" if again else "field.secret.unchanged"
    inputs = [
        fields.field(texts, "account_id", values, required=True),
        fields.field(texts, "cloudlink_client_id", values, required=True),
        fields.secret(texts, "cloudlink_secret", required=again, hint=hint),
        fields.field(texts, "region", values, required=False),
    ]
    body = [
        header("☎️", texts("edit.cloudlink"), capped(view.name)),
        text(texts("edit.proves")),
        *fields.with_errors(inputs, form_errors),
        fields.safe(texts),
    ]
    return card(
        texts, texts("edit.cloudlink"), body, _save_or_back(texts, view, "edit.save_cloudlink", again=again)
    )


def teams_form(
    texts: Texts,
    view: IntegrationView,
    typed: Values | None = None,
    form_errors: Sequence[FormError] = (),
    *,
    again: bool = False,
) -> Card:
    """Tenant, application and secret; another tenant or application requires another secret.

    A secret that was not kept is to be typed ``again``.
    """
    values = typed or teams_values(view)
    unchanged = "field.secret.unchanged" if view.credential is CredentialKind.SECRET else ""
    inputs: list[TextInput | DateInput] = [
        fields.field(texts, "tenant_id", values, required=True, example=GUID_EXAMPLE),
        fields.field(texts, "client_id", values, required=True, example=GUID_EXAMPLE),
        fields.secret(texts, "client_secret", required=again, hint="field.secret.again" if again else unchanged),
        fields.expiry_day(texts, values),
    ]
    body = [
        header("🔐", texts("edit.teams"), capped(view.name)),
        text(texts("edit.proves")),
        note("warning", "⚠️", texts("edit.teams.moves")),
        *fields.with_errors(inputs, form_errors),
        fields.safe(texts),
    ]
    return card(texts, texts("edit.teams"), body, _save_or_back(texts, view, "edit.save_teams", again=again))


def cloudlink_values(view: IntegrationView) -> dict[str, str]:
    return {
        "region": view.cloudlink_region,
        "account_id": view.cloudlink_account_id,
        "cloudlink_client_id": view.cloudlink_client_id,
    }


def teams_values(view: IntegrationView) -> dict[str, str]:
    expires_on = view.secret_expires_on.isoformat() if view.secret_expires_on else ""
    return {"tenant_id": view.tenant_id, "client_id": view.client_id, "expires_on": expires_on}


def outdated(
    texts: Texts,
    view: IntegrationView,
    last: HistoryEntry | None,
    by: str,
    ago: str,
    again: str = "edit.open",
) -> Card:
    """The integration was changed since the form was opened, and nothing was stored; ``last`` is that change.

    ``by`` is empty where the reader made it. The verb ``again`` opens the form once more.
    """
    title, why = texts("edit.outdated"), texts("edit.outdated.why")
    if last:
        why = texts("edit.outdated.by", who=capped(by), ago=ago) if by else texts("edit.outdated.by.you", ago=ago)
    body: list[CardElement] = [header("🔀", title, capped(view.name)), text(why)]
    if last:
        body.append(row("👤", what(texts, last), capped(details(texts, last.facts), 200)))
    data = {"integration": view.id}
    actions: list[Action] = [
        button(texts("button.edit_again"), again, data, style="positive"),
        button(texts("button.history"), "history.show", data),
    ]
    return card(texts, title, body, actions)


def _save_or_back(texts: Texts, view: IntegrationView, verb: str, *, again: bool = False) -> list[Action]:
    data = {"integration": view.id}
    carried = {**data, "revision": str(view.revision)} | ({"again": "yes"} if again else {})
    return [
        button(texts("button.save"), verb, carried, style="positive", inputs=True),
        button(texts("button.back"), "edit.open", data),
    ]
