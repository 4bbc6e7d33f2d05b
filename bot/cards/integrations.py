"""The cards about integrations as things: the list, the choice among several, switching off, taking away."""

from collections.abc import Sequence
from datetime import date

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.cards.parts import button, capped, card, complaint_note, header, note, plain, row, text
from bot.cards.setup import MAX_NAME
from bot.complaints import Complaint
from bot.languages import Texts
from bot.turns import Card
from sync.model import IntegrationView

SHOWN = 10
CHOICES = 40


def none_yet(texts: Texts) -> Card:
    """For commands that need an integration when there is none."""
    body = [header("🧩", texts("none.title")), text(texts("none.how"))]
    actions = [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, texts("none.title"), body, actions)


def listed(texts: Texts, integrations: Sequence[IntegrationView]) -> Card:
    """Every integration in a line; the first ten when there are more."""
    title = texts("integrations.title")
    body: list[CardElement] = [header("🧩", title, texts.plural("integrations.count", len(integrations)))]
    body.extend(_line(texts, integration) for integration in integrations[:SHOWN])
    more = len(integrations) - SHOWN
    if more > 0:
        body.append(plain(texts.plural("integrations.more", more), subtle=True))
    actions: list[Action] = [
        button(texts("button.status"), "command.status", style="positive"),
        button(texts("button.setup_another"), "command.setup"),
        button(texts("button.remove"), "command.remove"),
    ]
    return card(texts, title, body, actions, wide=True)


def pick(texts: Texts, integrations: Sequence[IntegrationView], verb: str) -> Card:
    """Which of several; the choice is sent with ``verb``."""
    choices = [Choice(title=capped(one.name, MAX_NAME), value=one.id) for one in integrations[:CHOICES]]
    chooser = ChoiceSetInput(
        id="integration",
        label=texts("pick.label"),
        choices=choices,
        value=integrations[0].id,
        style="compact",
        is_required=True,
        error_message=texts("pick.required"),
    )
    body = [header("🧩", texts("pick.title")), chooser]
    actions = [button(texts("button.continue"), verb, style="positive", inputs=True)]
    return card(texts, texts("pick.title"), body, actions)


def disable_asked(texts: Texts, integration: IntegrationView) -> Card:
    body = [header("⏸️", texts("disable.title"), capped(integration.name)), text(texts("disable.what"))]
    data = {"integration": integration.id}
    actions = [
        button(texts("button.disable"), "disable.now", data, style="destructive"),
        button(texts("button.keep"), "disable.keep", data),
    ]
    return card(texts, texts("disable.title"), body, actions)


def disabled(texts: Texts, integration: IntegrationView, cleared: int) -> Card:
    title = texts("disabled.title")
    body = [header("⏸️", title, capped(integration.name)), text(texts.plural("disabled.cleared", cleared))]
    return card(texts, title, body, _enable_or_status(texts, integration))


def not_enabled(texts: Texts, integration: IntegrationView) -> Card:
    """Nothing to switch off."""
    title = texts("disabled.already")
    return card(texts, title, [header("⏸️", title, capped(integration.name))], _enable_or_status(texts, integration))


def already_enabled(texts: Texts, integration: IntegrationView) -> Card:
    title = texts("enabled.already")
    data = {"integration": integration.id}
    actions = [
        button(texts("button.status"), "status.show", data, style="positive"),
        button(texts("button.disable"), "disable.ask", data),
    ]
    return card(texts, title, [header("▶️", title, capped(integration.name))], actions)


def kept(texts: Texts, integration: IntegrationView) -> Card:
    """Asked, and answered no."""
    title = texts("kept.title")
    actions = [button(texts("button.status"), "status.show", {"integration": integration.id})]
    return card(texts, title, [header("👍", title, capped(integration.name))], actions)


def remove_asked(texts: Texts, integration: IntegrationView, complaint: Complaint | None = None) -> Card:
    """What removing does, and the name to be typed before it is done."""
    title = texts("remove.title")
    typed = TextInput(
        id="typed_name",
        label=texts("remove.type_name", name=capped(integration.name)),
        is_required=True,
        error_message=texts("remove.type_name", name=capped(integration.name)),
        max_length=MAX_NAME,
    )
    body: list[CardElement] = [
        header("🗑️", title, capped(integration.name)),
        note("warning", "⚠️", texts("remove.what"), texts("remove.what.clear"), texts("remove.what.secrets")),
        text(texts("remove.what.azure")),
        typed,
        *([complaint_note(complaint)] if complaint else []),
    ]
    data = {"integration": integration.id}
    actions = [
        button(texts("button.remove"), "remove.now", data, style="destructive", inputs=True),
        button(texts("button.cancel"), "remove.keep", data),
    ]
    return card(texts, title, body, actions)


def removed(texts: Texts, name: str) -> Card:
    title = texts("removed.title")
    body = [header("🗑️", title, capped(name)), text(texts("removed.what"))]
    actions = [button(texts("button.setup"), "command.setup"), button(texts("button.help"), "command.help")]
    return card(texts, title, body, actions)


def failed(texts: Texts, complaint: Complaint, verb: str, data: dict[str, str]) -> Card:
    """What was asked could not be done; ``verb`` with ``data`` tries again."""
    title = texts("failed.title")
    actions: list[Action] = [button(texts("button.help"), "command.help")]
    if verb:
        actions.insert(0, button(texts("button.try_again"), verb, data, style="positive"))
    return card(texts, title, [header("🛠️", title), complaint_note(complaint)], actions)


def _line(texts: Texts, integration: IntegrationView) -> CardElement:
    state = texts("integrations.enabled" if integration.enabled else "integrations.disabled")
    expires = _expires(texts, integration.secret_expires_on)
    symbol = "▶️" if integration.enabled else "⏸️"
    return row(symbol, capped(integration.name), f"{state} · {expires}", spacing="Default")


def _expires(texts: Texts, day: date | None) -> str:
    return texts("integrations.expires", day=texts.date(day)) if day else texts("expiry.unknown")


def _enable_or_status(texts: Texts, integration: IntegrationView) -> list[Action]:
    data = {"integration": integration.id}
    return [
        button(texts("button.enable"), "enable.preview", data, style="positive"),
        button(texts("button.status"), "status.show", data),
    ]
