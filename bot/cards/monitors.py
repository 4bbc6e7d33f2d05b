"""Presence monitors of the other direction: the list, the question after a rotation, and the checklist."""

from collections.abc import Sequence
from datetime import datetime

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_NAME
from bot.cards.parts import button, capped, card, error_note, header, note, plain, row, text
from bot.languages import Texts
from storage.queries.monitors import MAX_MONITORS, OpenTask
from storage.tables.rotations import Monitor
from sync.domain.model import IntegrationView

DONE_SHOWN = 10
MAX_TYPED = MAX_MONITORS * (MAX_NAME + 1)
CHOSEN = "monitors"
"""The input that holds the chosen monitors' ids, with commas between them."""


def list_card(
    texts: Texts,
    view: IntegrationView,
    monitors: Sequence[Monitor],
    open_tasks: int = 0,
    rotation_id: str = "",
    form_error: FormError | None = None,
    typed: str = "",
) -> Card:
    """The monitors, to add to and take from; ``rotation_id`` names a rotation that nobody was asked about yet.

    ``form_error`` is about the names in ``typed``.
    """
    title = texts("monitors.title")
    body: list[CardElement] = [header("📡", title, capped(view.name)), text(texts("monitors.what"), subtle=True)]
    if open_tasks:
        body.append(note("warning", "🔑", texts.plural("monitors.open", open_tasks)))
    if monitors:
        body.append(_choices(texts, [(one.id, one.name) for one in monitors], "monitors.listed"))
    else:
        body.append(text(texts("monitors.none")))
    if len(monitors) < MAX_MONITORS:
        body.append(_new_names(texts, typed))
    if form_error:
        body.append(error_note(form_error))
    return card(texts, title, body, _list_actions(texts, view, monitors, open_tasks, rotation_id))


def _list_actions(
    texts: Texts, view: IntegrationView, monitors: Sequence[Monitor], open_tasks: int, rotation_id: str
) -> list[Action]:
    data = {"integration": view.id}
    actions: list[Action] = []
    if open_tasks:
        actions.append(button(texts("button.checklist"), "monitors.checklist", data, style="positive"))
    elif rotation_id and monitors:
        asked = {**data, "rotation": rotation_id}
        actions.append(button(texts("button.monitors_ask"), "monitors.ask", asked, style="positive"))
    if len(monitors) < MAX_MONITORS:
        actions.append(button(texts("button.monitors_add"), "monitors.add", data, inputs=True))
    if monitors:
        actions.append(button(texts("button.monitors_remove"), "monitors.remove", data, inputs=True))
    return actions


def asked(texts: Texts, view: IntegrationView, monitors: Sequence[Monitor], rotation_id: str) -> Card:
    """After a rotation: did the secret that was replaced serve the monitors too?"""
    title = texts("monitors.asked")
    body: list[CardElement] = [
        header("📡", title, capped(view.name)),
        text(texts("monitors.asked.why")),
        plain(_names([monitor.name for monitor in monitors])),
    ]
    data = {"integration": view.id, "rotation": rotation_id}
    actions: list[Action] = [
        button(texts("button.same_secret"), "monitors.same", data, style="positive"),
        button(texts("button.other_secret"), "monitors.other", data),
    ]
    return card(texts, title, body, actions)


def other_secret(texts: Texts, view: IntegrationView) -> Card:
    """Asked, and answered no."""
    title = texts("monitors.other")
    actions = [button(texts("button.monitors"), "monitors.show", {"integration": view.id})]
    return card(texts, title, [header("👍", title, capped(view.name))], actions)


def checklist(texts: Texts, view: IntegrationView, tasks: Sequence[OpenTask], now: datetime) -> Card:
    """Which monitors still hold the replaced secret, and who renewed the others, and when."""
    still_open = [task for task in tasks if task.done_at is None]
    done = sorted((task for task in tasks if task.done_at), key=lambda task: task.done_at or now, reverse=True)
    title = texts("monitors.checklist") if still_open else texts("monitors.all_done")
    count = texts("monitors.progress", done=texts.number(len(done)), total=texts.number(len(tasks)))
    body: list[CardElement] = [header("📡" if still_open else "✅", title, capped(view.name)), plain(count)]
    if still_open:
        body.append(text(texts("monitors.checklist.how")))
        body.append(_choices(texts, [(task.monitor_id, task.name) for task in still_open], "monitors.renewed"))
    body.extend(_done(texts, task, now) for task in done[:DONE_SHOWN])
    if len(done) > DONE_SHOWN:
        body.append(plain(texts.plural("integrations.more", len(done) - DONE_SHOWN), subtle=True))
    data = {"integration": view.id}
    actions: list[Action] = []
    if still_open:
        actions.append(button(texts("button.tick"), "monitors.tick", data, style="positive", inputs=True))
    actions.append(button(texts("button.monitors"), "monitors.show", data))
    return card(texts, title, body, actions)


def _done(texts: Texts, task: OpenTask, now: datetime) -> CardElement:
    when = f"{texts.relative(task.done_at, now)} · {texts.moment(task.done_at)}" if task.done_at else ""
    return row("✅", capped(task.name, MAX_NAME), f"{capped(task.done_by, MAX_NAME)} · {when}")


def _choices(texts: Texts, named: Sequence[tuple[str, str]], label: str) -> ChoiceSetInput:
    return ChoiceSetInput(
        id=CHOSEN,
        label=texts(label),
        choices=[Choice(title=capped(name, MAX_NAME), value=identity) for identity, name in named],
        style="expanded",
        is_multi_select=True,
    )


def _new_names(texts: Texts, typed: str) -> TextInput:
    return TextInput(
        id="names",
        value=typed or None,
        label=texts("monitors.add"),
        placeholder=texts("monitors.add.hint"),
        is_multiline=True,
        max_length=MAX_TYPED,
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(capped(name, MAX_NAME) for name in names)
