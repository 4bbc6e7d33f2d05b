"""The cards about integrations: the list, the choice among several, disabling and removing."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.access.history import where
from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_NAME
from bot.cards.health.expiry import expiry
from bot.cards.health.own_problems import clearing
from bot.cards.health.remedies import is_lasting, is_suspected, known
from bot.cards.integrations.edit import cloudlink_side
from bot.cards.parts import NBSP, Style, button, capped, card, error_note, fact, header, note, plain, row, text
from bot.languages import Texts
from sync.domain.model import IntegrationView, Service, ServiceHealth, Status

SHOWN = 8
CHOICES = 40


def none_yet(texts: Texts) -> Card:
    """Shown for commands that need an integration when there is none."""
    body = [header("🧩", texts("none.title")), text(texts("none.how"))]
    actions = [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, texts("none.title"), body, actions)


def listed(
    texts: Texts,
    integrations: Sequence[IntegrationView],
    service_health: Mapping[str, Sequence[ServiceHealth]],
    total: int,
    page: int = 0,
) -> Card:
    """A page of integrations, each with its ``service_health`` (by id), and a choice among them."""
    title = texts("integrations.title")
    body: list[CardElement] = [header("🧩", title, texts.plural("integrations.count", total))]
    for integration in integrations:
        health = service_health.get(integration.id, ())
        body.append(_line(texts, integration, health))
        body.append(plain(health_line(texts, health), size="Small", spacing="None"))
    pages = -(-total // SHOWN)
    if pages > 1:
        body.append(plain(where(texts, page, pages), subtle=True))
    body.append(_chooser(texts, integrations))
    actions: list[Action] = [
        button(texts("button.open"), "integrations.open", style="positive", inputs=True),
        button(texts("button.setup_another"), "command.setup"),
    ]
    if page:
        actions.append(button(texts("button.previous"), "integrations.page", {"page": str(page - 1)}))
    if page + 1 < pages:
        actions.append(button(texts("button.more"), "integrations.page", {"page": str(page + 1)}))
    return card(texts, title, body, actions, wide=True)


def one(texts: Texts, status: Status, now: datetime) -> Card:
    """An integration, its health, and everything that can be done with it."""
    integration = status.integration
    title = capped(integration.name, MAX_NAME)
    body: list[CardElement] = [
        header("▶️" if integration.enabled else "⏸️", texts("integration.title"), title),
        plain(health_line(texts, status.service_health)),
        fact(texts("integration.state"), _state(texts, integration)),
        *cloudlink_side(texts, integration),
        fact(texts("field.tenant_id"), integration.tenant_id),
        fact(texts("field.client_id"), integration.client_id),
        *([] if _is_refused(status.service_health) else expiry(texts, integration, now.date())),
    ]
    data = {"integration": integration.id}
    turn = ("button.disable", "disable.ask") if integration.enabled else ("button.enable", "enable.preview")
    actions: list[Action] = [
        button(texts("button.status"), "status.show", data, style="positive"),
        button(texts("button.test"), "test.run", data),
        button(texts(turn[0]), turn[1], data),
        button(texts("button.edit"), "edit.open", data),
        button(texts("button.rotate"), "rotate.ask", data),
        button(texts("button.remove"), "remove.ask", data, style="destructive"),
    ]
    return card(texts, title, body, actions, wide=True)


def health_line(texts: Texts, service_health: Sequence[ServiceHealth]) -> str:
    """The services' health on one line: symbol and words, never colour alone."""
    return " · ".join(_service_health(texts, health) for health in known(service_health))


def _service_health(texts: Texts, health: ServiceHealth) -> str:
    name = texts(f"service.{health.service}")
    if health.error is None:
        return f"✅{NBSP}{name}"
    if is_suspected(health.error):
        return f"⏳{NBSP}{name}: {texts('health.checking')}"
    return (
        f"❌{NBSP}{name}: {texts('health.wrong')}"
        if is_lasting(health.error)
        else f"⚠️{NBSP}{name}: {texts('health.unavailable')}"
    )


def pick(
    texts: Texts,
    integrations: Sequence[IntegrationView],
    verb: str,
    purpose: str,
    data: Mapping[str, str] | None = None,
    unknown_name: str = "",
) -> Card:
    """Asks which integration; the choice and ``data`` are sent with ``verb``.

    ``purpose``: what was typed for it. ``unknown_name``: what was typed for the integration, if none is called so.
    """
    unknown = texts("pick.unknown", name=capped(unknown_name, MAX_NAME)) if unknown_name else ""
    title = unknown or texts("pick.title")
    body: list[CardElement] = [header("🧩", title, texts("pick.for", purpose=purpose))]
    if unknown:
        names = [capped(each.name, 40) for each in integrations[:SHOWN]] + ["…"] * (len(integrations) > SHOWN)
        body.append(plain(texts("pick.known", names=f"{NBSP}· ".join(names))))
    body.append(_chooser(texts, integrations[:CHOICES]))
    actions = [
        button(texts("button.continue"), verb, data, style="positive", inputs=True),
        button(texts("button.cancel"), "help.cancel"),
    ]
    return card(texts, title, body, actions)


def _chooser(texts: Texts, integrations: Sequence[IntegrationView]) -> ChoiceSetInput:
    return ChoiceSetInput(
        id="integration",
        label=texts("pick.label"),
        choices=[Choice(title=capped(one.name, MAX_NAME), value=one.id) for one in integrations],
        value=integrations[0].id,
        style="compact",
        is_required=True,
        error_message=texts("pick.required"),
    )


def disable_asked(texts: Texts, integration: IntegrationView) -> Card:
    body = [header("⏸️", texts("disable.title"), capped(integration.name)), text(texts("disable.what"))]
    data = {"integration": integration.id}
    actions = [
        button(texts("button.disable"), "disable.now", data, style="destructive"),
        button(texts("button.keep"), "disable.keep", data),
    ]
    return card(texts, texts("disable.title"), body, actions)


def disabled(texts: Texts, view: IntegrationView, cleared: int, health: Sequence[ServiceHealth] = ()) -> Card:
    title = texts("disabled.title")
    body: list[CardElement] = [header("⏸️", title, capped(view.name))]
    body += [text(clearing(texts, cleared, health))] if cleared else []
    return card(texts, title, body, _enable_or_status(texts, view))


def not_enabled(texts: Texts, integration: IntegrationView) -> Card:
    """The integration is already disabled."""
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
    """The answer was no: nothing was changed."""
    title = texts("kept.title")
    actions = [button(texts("button.status"), "status.show", {"integration": integration.id})]
    return card(texts, title, [header("👍", title, capped(integration.name))], actions)


def remove_asked(texts: Texts, integration: IntegrationView, form_error: FormError | None = None) -> Card:
    """What removing does, and an input for the integration's name as confirmation."""
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
        *([error_note(form_error)] if form_error else []),
    ]
    data = {"integration": integration.id}
    actions = [
        button(texts("button.remove"), "remove.now", data, style="destructive", inputs=True),
        button(texts("button.cancel"), "remove.keep", data),
    ]
    return card(texts, title, body, actions)


def removed(texts: Texts, integration_id: str, name: str, left: int | None) -> Card:
    """It is removed, with ``left`` statuses still shown, or with None it will be as soon as they are cleared."""
    is_done = left is not None
    title = texts("removed.title" if is_done else "removing.title")
    what = texts.plural("removed.left", left) if left else texts("removed.what" if is_done else "removing.what")
    style: Style = "warning" if left else "good" if is_done else "accent"
    body = [
        header("🗑️", title, capped(name)),
        note(style, "⚠️" if left else "✅" if is_done else "⏳", what),
    ]
    data = {"integration": integration_id, "name": capped(name)}
    again = button(texts("button.refresh"), "remove.progress", data, style="positive")
    setup = button(texts("button.setup"), "command.setup")
    return card(texts, title, body, [setup if is_done else again, button(texts("button.help"), "command.help")])


def failed(texts: Texts, form_error: FormError, verb: str, data: dict[str, str]) -> Card:
    """The request failed; ``verb`` with ``data`` tries again."""
    title = texts("failed.title")
    actions: list[Action] = [button(texts("button.help"), "command.help")]
    if verb:
        actions.insert(0, button(texts("button.try_again"), verb, data, style="positive"))
    return card(texts, title, [header("🛠️", title), error_note(form_error)], actions)


def _line(texts: Texts, integration: IntegrationView, health: Sequence[ServiceHealth]) -> CardElement:
    state = _state(texts, integration)
    if not _is_refused(health):
        state = f"{state} · {_expires(texts, integration.secret_expires_on)}"
    return row("▶️" if integration.enabled else "⏸️", capped(integration.name), state, spacing="Default")


def _is_refused(health: Sequence[ServiceHealth]) -> bool:
    """Whether Entra refuses the credentials, or may: their expiry date says nothing then."""
    errors = [one.error for one in health if one.service is Service.ENTRA and one.error]
    return any(is_lasting(error) or is_suspected(error) for error in errors)


def _state(texts: Texts, integration: IntegrationView) -> str:
    if not integration.enabled:
        return texts("integrations.disabled")
    enabled = texts("integrations.enabled")
    return f"{enabled} · {texts('hours.closed')}" if integration.closed else enabled


def _expires(texts: Texts, day: date | None) -> str:
    return texts("integrations.expires", day=texts.date(day)) if day else texts("expiry.unknown")


def _enable_or_status(texts: Texts, integration: IntegrationView) -> list[Action]:
    data = {"integration": integration.id}
    return [
        button(texts("button.enable"), "enable.preview", data, style="positive"),
        button(texts("button.status"), "status.show", data),
    ]
