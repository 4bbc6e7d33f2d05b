"""Presence monitors, which sync in the other direction: list, question after a rotation, and checklist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from microsoft_teams.cards.core import Action, ActionSet, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError, Link
from bot.cards.fields import MAX_NAME
from bot.cards.parts import button, capped, card, error_note, header, note, open_link, plain, row, text
from bot.languages import Texts
from sync.domain.model import IntegrationView

DONE_SHOWN = 10
CHOSEN = "monitors"
"""The input that holds the chosen monitors' ids, separated by commas."""


class Monitor(Protocol):
    """A monitor, as it is shown."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


class MonitorTask(Protocol):
    """A monitor that needs the new secret; open while ``done_at`` is None."""

    @property
    def monitor_id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def done_by(self) -> str: ...

    @property
    def done_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class MonitorList:
    """An integration's monitors, and how many more may be added.

    ``open_tasks`` counts the monitors that still need the new secret. ``rotation_id`` names a rotation about which
    the question was not answered yet, else empty.
    """

    monitors: Sequence[Monitor]
    free: int
    open_tasks: int = 0
    rotation_id: str = ""

    @property
    def max_typed(self) -> int:
        """The longest list of names, one a line."""
        return self.free * (MAX_NAME + 1)


def list_card(
    texts: Texts,
    view: IntegrationView,
    listed: MonitorList,
    form_error: FormError | None = None,
    typed: str = "",
) -> Card:
    """The monitors, to add and remove; ``form_error`` is about the names in ``typed``."""
    title = texts("monitors.title")
    body: list[CardElement] = [header("📡", title, capped(view.name)), text(texts("monitors.what"), subtle=True)]
    if listed.open_tasks:
        body.append(note("warning", "🔑", texts.plural("monitors.open", listed.open_tasks)))
    elif _is_asked(listed):
        body += _question(texts, view, listed.rotation_id)
    if listed.monitors:
        body.append(_choices(texts, [(one.id, one.name) for one in listed.monitors], "monitors.listed"))
    else:
        body.append(text(texts("monitors.none")))
    if listed.free:
        body.append(_new_names(texts, typed, listed.max_typed))
    else:
        body.append(text(texts("monitors.full", most=texts.number(len(listed.monitors))), subtle=True))
    if form_error:
        body.append(error_note(form_error))
    return card(texts, title, body, _list_actions(texts, view, listed))


def _is_asked(listed: MonitorList) -> bool:
    return bool(listed.rotation_id and listed.monitors)


def _question(texts: Texts, view: IntegrationView, rotation_id: str) -> list[CardElement]:
    """The question after a rotation, with its own button: those of the card are about the list."""
    data = {"integration": view.id, "rotation": rotation_id}
    answer = button(texts("button.monitors_ask"), "monitors.ask", data, style="positive")
    return [note("warning", "🔑", texts("monitors.unanswered")), ActionSet(actions=[answer], spacing="Small")]


def _list_actions(texts: Texts, view: IntegrationView, listed: MonitorList) -> list[Action]:
    data = {"integration": view.id}
    actions: list[Action] = []
    if listed.open_tasks:
        actions.append(button(texts("button.checklist"), "monitors.checklist", data, style="positive"))
    if listed.free:
        first: Literal["positive"] | None = None if listed.open_tasks or _is_asked(listed) else "positive"
        actions.append(button(texts("button.monitors_add"), "monitors.add", data, style=first, inputs=True))
    if listed.monitors:
        actions.append(button(texts("button.monitors_remove"), "monitors.remove", data, inputs=True))
        actions.append(button(texts("button.monitor_secret"), "monitors.secret", data))
    return actions


def asked(texts: Texts, view: IntegrationView, monitors: Sequence[Monitor], rotation_id: str) -> Card:
    """After a rotation: did the monitors use the replaced secret too?"""
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
    """The answer: the monitors use another secret."""
    title = texts("monitors.other")
    actions = [button(texts("button.monitors"), "monitors.show", {"integration": view.id})]
    body = [header("👍", title, capped(view.name)), text(texts("monitors.other.what"))]
    return card(texts, title, body, actions)


def checklist(
    texts: Texts,
    view: IntegrationView,
    tasks: Sequence[MonitorTask],
    now: datetime,
    zone: str,
    *,
    own: bool = False,
) -> Card:
    """Which monitors still use the replaced secret, and who updated the others, and when.

    The bot shows nobody a secret that it rotated: then the monitors need one of their ``own``.
    """
    still_open = [task for task in tasks if task.done_at is None]
    done = sorted((task for task in tasks if task.done_at), key=lambda task: task.done_at or now, reverse=True)
    title = texts("monitors.checklist") if still_open else texts("monitors.all_done")
    count = texts("monitors.progress", done=texts.number(len(done)), total=texts.number(len(tasks)))
    body: list[CardElement] = [header("📡" if still_open else "✅", title, capped(view.name)), plain(count)]
    if still_open:
        body.append(text(texts("monitors.checklist.own" if own else "monitors.checklist.how")))
        body.append(_choices(texts, [(task.monitor_id, task.name) for task in still_open], "monitors.renewed"))
    body.extend(_done(texts, task, now, zone) for task in done[:DONE_SHOWN])
    if len(done) > DONE_SHOWN:
        body.append(plain(texts.plural("integrations.more", len(done) - DONE_SHOWN), subtle=True))
    data = {"integration": view.id}
    actions: list[Action] = []
    if still_open:
        marked = button(texts("button.tick"), "monitors.tick", data, style=None if own else "positive", inputs=True)
        secret = button(texts("button.monitor_secret"), "monitors.secret", data, style="positive" if own else None)
        actions += [secret, marked] if own else [marked, secret]
    actions.append(button(texts("button.monitors"), "monitors.show", data))
    return card(texts, title, body, actions)


def secret_offered(texts: Texts, view: IntegrationView, page: Link, link: Link | None, *, may: bool) -> Card:
    """Where a secret of the monitors' own is made and shown once: ``link``; by hand in Azure, on ``page``.

    ``may`` if the application permits it to the bot.
    """
    title = texts("monitor_secret.title")
    body: list[CardElement] = [header("🔑", title, capped(view.name))]
    if may and link:
        steps = ("open", "paste", "mark")
        body += [row(f"{n}.", texts(f"monitors.secret.{step}")) for n, step in enumerate(steps, start=1)]
        body.append(row("🔒", "", texts("monitors.secret.safe")))
    else:
        why = "monitors.secret.unreachable" if may else "fault.graph.rotation_forbidden"
        body.append(note("warning", "🔒", texts(why), texts("monitors.secret.by_hand")))
    data = {"integration": view.id}
    actions: list[Action] = [
        open_link(link if may and link else page, style="positive"),
        button(texts("button.checklist"), "monitors.checklist", data),
    ]
    return card(texts, title, body, actions)


def _done(texts: Texts, task: MonitorTask, now: datetime, zone: str) -> CardElement:
    when = texts.when(task.done_at, now, zone) if task.done_at else ""
    return row("✅", capped(task.name, MAX_NAME), f"{capped(task.done_by, MAX_NAME)} · {when}")


def _choices(texts: Texts, named: Sequence[tuple[str, str]], label: str) -> ChoiceSetInput:
    return ChoiceSetInput(
        id=CHOSEN,
        label=texts(label),
        choices=[Choice(title=capped(name, MAX_NAME), value=identity) for identity, name in named],
        style="expanded",
        is_multi_select=True,
    )


def _new_names(texts: Texts, typed: str, max_length: int) -> TextInput:
    return TextInput(
        id="names",
        value=typed or None,
        label=texts("monitors.add"),
        placeholder=texts("monitors.add.hint"),
        is_multiline=True,
        max_length=max_length,
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(capped(name, MAX_NAME) for name in names)
