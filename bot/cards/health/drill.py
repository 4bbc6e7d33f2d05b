"""The drill: what a failure would look like, with the very cards of a real one, from which no button acts.

Each card says first that nothing has happened. The buttons of the cards shown are named, not there: what can be
pressed leads to another card of the drill, or out of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from microsoft_teams.cards.core import Action, CardElement

from bot.activity import Card
from bot.cards.health.notices import NoticeView, notice_card
from bot.cards.health.status import StatusView, status_card
from bot.cards.parts import button, capped, card, header, note, plain, pressable, row, summary, text
from bot.languages import Texts
from sync.domain.drills import Drill, Moment, Rehearsal
from sync.domain.model import IntegrationView
from sync.problems.notice_plan import CLEAR, PROBLEM

SYMBOLS = {Rehearsal.SECRET: "🔑", Rehearsal.WEBHOOKS: "📡", Rehearsal.GRAPH: "🌩️"}
STEPS = ("alert", "status", "clear")
"""The cards that a drill shows."""


@dataclass(frozen=True, slots=True)
class DrillView:
    """A drill for one reader: the status as they would see it, with their links and time zone."""

    drill: Drill
    status: StatusView

    @property
    def integration(self) -> IntegrationView:
        return self.status.integration


def menu(texts: Texts, integration: IntegrationView) -> Card:
    """What can be rehearsed."""
    title = texts("drill.title")
    body: list[CardElement] = [
        header("🧯", title, capped(integration.name)),
        note("accent", "ℹ️", texts("drill.safe"), texts("drill.safe.what")),
        *(_choice(texts, integration, one) for one in Rehearsal),
    ]
    back = button(texts("button.status"), "status.show", {"integration": integration.id})
    return card(texts, title, body, [back])


def _choice(texts: Texts, integration: IntegrationView, one: Rehearsal) -> CardElement:
    begin = pressable("drill.begin", {"integration": integration.id, "rehearsal": one.value})
    return row(SYMBOLS[one], texts(f"drill.{one}"), texts(f"drill.{one}.what"), select=begin)


def overview(texts: Texts, view: DrillView) -> Card:
    """Who would be concerned, and what happens when."""
    drill = view.drill
    title = texts("drill.of", what=texts(f"drill.{drill.rehearsal}"))
    body: list[CardElement] = [
        _banner(texts),
        header("🧯", title, capped(view.integration.name)),
        *_concerned(texts, drill),
        text(texts("drill.times"), weight="Bolder"),
        *(_moment(texts, drill.rehearsal, one) for one in drill.moments),
    ]
    return card(texts, title, body, _actions(texts, view, ""), wide=True)


def step(texts: Texts, view: DrillView, name: str) -> Card:
    """The card of a real failure, without its buttons: the alert, the status or the all-clear."""
    now = view.status.now
    if name == "status":
        real = status_card(texts, view.status)
    else:
        topic, facts = (PROBLEM, view.drill.alert) if name == "alert" else (CLEAR, view.drill.clear)
        real = notice_card(texts, _notice(view, topic, facts), now)
    titles = list(dict.fromkeys(_titles(real)))
    buttons = [plain(texts("drill.buttons", buttons=" · ".join(titles)), subtle=True)] if titles else []
    title = texts("drill.of", what=summary(real))
    own = card(texts, title, [_banner(texts), *buttons], _actions(texts, view, name))
    banner, *rest = own["body"]
    return {**own, "body": [banner, *_inert(real["body"]), *rest], "msteams": {"width": "Full"}}


def _notice(view: DrillView, topic: str, facts: Mapping[str, Any]) -> NoticeView:
    status = view.status
    return NoticeView("drill", topic, facts, status.integration, status.links, status.zone)


def _banner(texts: Texts) -> CardElement:
    return note("warning", "🧯", texts("drill.banner"), texts("drill.banner.what"))


def _concerned(texts: Texts, drill: Drill) -> Iterator[CardElement]:
    calls = drill.calls
    named = ", ".join(capped(name, 40) for name in drill.names)
    more = calls - len(drill.names)
    shown = texts.plural("report.and_more", more, names=named) if named and more > 0 else named
    yield row("📞", texts.plural("drill.on_the_phone", calls), shown)
    yield row("👥", texts.plural("drill.matched", drill.status.matched))
    yield row("🔔", texts.plural("drill.alerted", drill.alerted))


def _moment(texts: Texts, rehearsal: Rehearsal, moment: Moment) -> CardElement:
    span = texts.span(max(1, round(moment.seconds)))
    return row("⏱️", texts(f"drill.moment.{moment.name}", span=span))


def _actions(texts: Texts, view: DrillView, shown: str) -> list[Action]:
    data = {"integration": view.integration.id, "rehearsal": view.drill.rehearsal.value}
    upcoming = STEPS[STEPS.index(shown) + 1 :] if shown else STEPS
    steps = [
        button(
            texts(f"button.drill_{name}"),
            "drill.step",
            {**data, "step": name},
            style="positive" if name in upcoming[:1] else None,
        )
        for name in STEPS
        if name != shown
    ]
    back = [button(texts("button.drill_times"), "drill.step", {**data, "step": ""})] if shown else []
    return [*steps, *back, button(texts("button.drill_other"), "drill.show", data)]


def _titles(value: Any) -> Iterator[str]:
    """The titles of a card's buttons, in their order."""
    if isinstance(value, dict):
        if str(value.get("type", "")).startswith("Action.") and value.get("title"):
            yield capped(str(value["title"]), 60)
        for name, inner in value.items():
            if name not in ("fallback", "selectAction", "refresh"):
                yield from _titles(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _titles(inner)


def _inert(value: Any) -> Any:
    """Without whatever can be pressed or filled in."""
    if isinstance(value, list):
        return [_inert(inner) for inner in value if not _is_active(inner)]
    if isinstance(value, dict):
        return {name: _inert(inner) for name, inner in value.items() if name != "selectAction"}
    return value


def _is_active(value: Any) -> bool:
    kind = str(cast(dict[str, Any], value).get("type", "")) if isinstance(value, dict) else ""
    return kind == "ActionSet" or kind.startswith(("Action.", "Input."))
