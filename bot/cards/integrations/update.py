"""The dialog of a feature update: release notes, dry run, progress and result."""

from collections.abc import Sequence
from typing import Literal

from microsoft_teams.cards.core import Action, CardElement, Container, RichTextBlock, TextInput, TextRun

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.parts import button, capped, card, error_note, header, note, plain, row, text
from bot.cards.presence.messages import MAX_STATUS_TEXT
from bot.languages import Texts
from sync.domain.model import IntegrationView
from sync.updates.model import (
    Installation,
    InstallationState,
    PendingUpdate,
    PlannedChange,
    UpdateOffer,
    UpdateProgress,
)

STATUS_MESSAGES = 3
"""The version that asks for the status message."""

SEGMENTS = 20
"""The blocks of the bar: as many as fit one line of a narrow chat."""

SYMBOLS = {
    InstallationState.WAITING: "⬜",
    InstallationState.RUNNING: "⏳",
    InstallationState.COMPLETED: "✅",
    InstallationState.ROLLING_BACK: "↩️",
    InstallationState.FAILED: "❌",
    InstallationState.UNDONE: "↩️",
}


def checking(texts: Texts, integration: IntegrationView) -> Card:
    title = texts("update.title")
    said = [text(texts("update.looking")), text(texts("checking.interrupted"), subtle=True)]
    return card(texts, title, [header("⏳", title, capped(integration.name)), *said])


def offered(texts: Texts, integration: IntegrationView, offer: UpdateOffer) -> Card:
    """The offer: release notes and dry run of the next update, and the status message it asks for."""
    title = texts("update.title")
    body: list[CardElement] = [header("✨", title, capped(integration.name)), text(texts("update.until_then"))]
    (update,) = offer.pending
    body.extend(_pending(texts, update))
    if update.version == STATUS_MESSAGES:
        body.append(_status_text(texts, texts("update.3.words")))
    body.append(note("accent", "ℹ️", texts("update.goes_on")))
    data = {"integration": integration.id, "version": str(update.version)}
    actions: list[Action] = [
        button(texts("button.install_update"), "update.install", data, style="positive", inputs=True),
        button(texts("button.not_now"), "update.later", {"integration": integration.id}),
        *_undo(texts, integration.id, offer.undoable),
    ]
    return card(texts, title, body, actions, wide=True)


def not_readable(texts: Texts, integration: IntegrationView, form_error: FormError) -> Card:
    """The dry run failed, so the update is not offered."""
    title = texts("update.title")
    body = [header("✨", title, capped(integration.name)), error_note(form_error), text(texts("update.unread"))]
    actions = [button(texts("button.try_again"), "update.show", {"integration": integration.id}, style="positive")]
    return card(texts, title, body, actions)


def nothing_to_install(texts: Texts, integration: IntegrationView, offer: UpdateOffer) -> Card:
    title = texts("update.nothing")
    standing = texts("update.stands_on", version=texts.number(offer.installed))
    body: list[CardElement] = [header("✅", title, capped(integration.name)), text(standing)]
    has_text = offer.installed >= STATUS_MESSAGES
    actions = _next_actions(texts, integration.id, offer.undoable, is_first=not has_text)
    if has_text:
        data = {"integration": integration.id}
        actions.insert(0, button(texts("button.status_text"), "messages.show", data, style="positive"))
    return card(texts, title, body, actions)


def _status_text(texts: Texts, words: str) -> TextInput:
    return TextInput(
        id="status_text",
        label=texts("field.status_text"),
        placeholder=texts("field.status_text.hint"),
        value=words,
        max_length=MAX_STATUS_TEXT,
    )


def put_off(texts: Texts, integration: IntegrationView) -> Card:
    title = texts("update.later")
    body = [header("⏸️", title, capped(integration.name)), text(texts("update.later.how"))]
    return card(texts, title, body, _next_actions(texts, integration.id, None))


def installation_card(texts: Texts, installation: Installation, form_error: FormError | None = None) -> Card:
    """The progress and result of an installation; ``form_error`` is why it failed."""
    match installation.current.state:
        case InstallationState.FAILED:
            return _failed(texts, installation, form_error)
        case InstallationState.UNDONE:
            return _undone(texts, installation)
        case InstallationState.COMPLETED if not installation.is_open:
            return _completed(texts, installation)
        case _:
            return _running(texts, installation)


def done(texts: Texts, integration: IntegrationView, version: int) -> Card:
    """The dialog, closed."""
    title = texts("update.completed")
    standing = texts("update.stands_on", version=texts.number(version))
    body = [header("✅", title, capped(integration.name)), text(standing)]
    return card(texts, title, body, _next_actions(texts, integration.id, None))


def bar(texts: Texts, percent: int) -> list[CardElement]:
    """A progress bar of blocks, the filled ones in the accent colour, with the percentage.

    Full and light blocks are equally wide, so the bar keeps its length; in bold they are not.
    """
    filled = round(SEGMENTS * percent / 100)
    runs = [TextRun(text="█" * filled, color="Accent"), TextRun(text="░" * (SEGMENTS - filled), is_subtle=True)]
    figure = f"{texts.number(percent)} %"
    return [
        RichTextBlock(inlines=[run for run in runs if run.text], spacing="Small"),
        plain(figure, weight="Bolder", spacing="None"),
    ]


def _pending(texts: Texts, update: PendingUpdate) -> list[CardElement]:
    items: list[CardElement] = [
        plain(_name(texts, update.version), weight="Bolder"),
        text(texts(f"update.{update.version}.notes"), spacing="Small"),
        plain(texts("update.here"), weight="Bolder", spacing="Small"),
        *(_effect(texts, update.version, effect) for effect in update.changes),
    ]
    return [Container(style="emphasis", items=items, spacing="Medium")]


def _effect(texts: Texts, version: int, effect: PlannedChange) -> CardElement:
    said = texts.plural(f"update.{version}.effect.{effect.key}", effect.count)
    return row("•", said, _names(texts, effect))


def _names(texts: Texts, effect: PlannedChange) -> str:
    if not effect.names:
        return ""
    names = ", ".join(capped(name, 40) for name in effect.names)
    more = effect.count - len(effect.names)
    return texts.plural("update.more_names", more, names=names) if more > 0 else names


def _name(texts: Texts, version: int) -> str:
    return texts("update.version", version=texts.number(version), name=texts(f"update.{version}.name"))


def _running(texts: Texts, installation: Installation) -> Card:
    going_back = installation.current.state is InstallationState.ROLLING_BACK
    title = texts("update.going_back" if going_back else "update.installing")
    body: list[CardElement] = [
        header("⏳", title, capped(installation.name)),
        *bar(texts, installation.percent),
        *(_line(texts, progress) for progress in installation.updates),
        text(texts("update.goes_on"), subtle=True),
    ]
    if installation.by:
        body.append(plain(texts("update.by", name=capped(installation.by, 60)), subtle=True))
    actions = [button(texts("button.progress"), "update.show", {"integration": installation.integration_id})]
    return card(texts, title, body, actions, wide=True)


def _line(texts: Texts, progress: UpdateProgress) -> CardElement:
    at_work = progress.state in (InstallationState.RUNNING, InstallationState.ROLLING_BACK) and progress.step
    return row(SYMBOLS[progress.state], _name(texts, progress.version), _step(texts, progress) if at_work else "")


def _step(texts: Texts, progress: UpdateProgress) -> str:
    values = {
        "place": texts.number(progress.step_index + 1),
        "steps": texts.number(progress.steps),
        "name": texts(f"update.{progress.version}.step.{progress.step}"),
        "done": texts.number(progress.done),
        "total": texts.number(progress.total),
    }
    return texts(
        "update.step_back" if progress.state is InstallationState.ROLLING_BACK else "update.step", **values
    )


def _completed(texts: Texts, installation: Installation) -> Card:
    title = texts("update.completed")
    body: list[CardElement] = [
        header("✅", title, capped(installation.name)),
        *bar(texts, 100),
        *(_line(texts, progress) for progress in installation.updates),
        *_results(texts, installation.updates),
    ]
    version = installation.updates[-1].version
    data = {"integration": installation.integration_id, "version": str(version)}
    actions: list[Action] = [
        button(texts("button.done"), "update.done", data, style="positive"),
        button(texts("button.undo_update", version=texts.number(version - 1)), "update.undo", data),
    ]
    return card(texts, title, body, actions, wide=True)


def _results(texts: Texts, updates: Sequence[UpdateProgress]) -> list[CardElement]:
    return [
        row("•", texts.plural(f"update.{progress.version}.result.{key}", count))
        for progress in updates
        for key, count in progress.results.items()
        if count
    ]


def _failed(texts: Texts, installation: Installation, form_error: FormError | None) -> Card:
    title = texts("update.failed")
    current = installation.current
    step = texts(f"update.{current.version}.step.{current.failed_step}") if current.failed_step else ""
    body: list[CardElement] = [
        header("❌", title, capped(installation.name)),
        *(_line(texts, progress) for progress in installation.updates),
        error_note(form_error or FormError(texts("update.unexpected"), texts("update.unexpected.remedy"))),
        text(texts("update.rolled_back", step=step)),
    ]
    data = {"integration": installation.integration_id}
    actions = [
        button(texts("button.try_again"), "update.show", data, style="positive"),
        button(texts("button.status"), "status.show", data),
    ]
    return card(texts, title, body, actions, wide=True)


def _undone(texts: Texts, installation: Installation) -> Card:
    title = texts("update.undone")
    version = installation.current.version
    standing = texts("update.stands_on", version=texts.number(version - 1))
    body: list[CardElement] = [
        header("↩️", title, capped(installation.name)),
        plain(_name(texts, version), weight="Bolder"),
        text(standing),
        text(texts("update.undone.how")),
    ]
    return card(texts, title, body, _next_actions(texts, installation.integration_id, None))


def _next_actions(
    texts: Texts, integration_id: str, undoable: int | None, *, is_first: bool = True
) -> list[Action]:
    data = {"integration": integration_id}
    style: Literal["positive"] | None = "positive" if is_first else None
    status = button(texts("button.status"), "status.show", data, style=style)
    return [status, *_undo(texts, integration_id, undoable)]


def _undo(texts: Texts, integration_id: str, undoable: int | None) -> list[Action]:
    """A button that undoes the newest installed update, where there is one."""
    if undoable is None:
        return []
    title = texts("button.undo_update", version=texts.number(undoable - 1))
    return [button(title, "update.undo", {"integration": integration_id, "version": str(undoable)})]
