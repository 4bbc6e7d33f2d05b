"""What Teams shows for each state of a phone: the choices, and whom they would change now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microsoft_teams.cards.core import (
    Action,
    ActionSet,
    CardElement,
    ChoiceSetInput,
    Container,
    ToggleVisibilityAction,
)
from microsoft_teams.cards.core import Choice as ListedChoice

from bot.activity import Card
from bot.cards.parts import button, capped, card, header, note, plain, pressable, row, text
from bot.cards.people.scope import rules_in_short
from bot.languages import Texts
from sync.domain.model import Concerned, FurtherMapping, IntegrationView, Replay, Replayed
from sync.domain.presence import LineState, Presence
from sync.presence.mapping import MAPPABLE, QUIET, USUAL, Choice, Chosen, choices_of, chosen_by

CLEAR, MORE = "clear", "more_states"


@dataclass(frozen=True, slots=True)
class Preview:
    """How many people the choices would change now, the first of them, and a day replayed with the choices."""

    count: int
    first: Sequence[Concerned]
    replay: Replay | None = None


def field_of(state: LineState) -> str:
    return f"show_{state.value}"


def value_of(choice: Choice) -> str:
    return choice.value if choice else CLEAR


def form(
    texts: Texts,
    view: IntegrationView,
    chosen: Chosen,
    preview: Preview | None = None,
    *,
    further: FurtherMapping | None = None,
    said: str = "",
    refused: LineState | None = None,
) -> Card:
    """``preview`` is of ``chosen``, which is not saved then; ``said`` is what was saved; of the state ``refused``
    something was sent that cannot be chosen.

    The mapping is the integration's own, or a ``further`` one for some people.
    """
    title = texts("mapping.title")
    about = f"{capped(view.name, 40)} · {capped(further.name, 40)}" if further else capped(view.name)
    body: list[CardElement] = [header("🔀", title, about)]
    if said:
        body.append(note("good", "✅", said))
    if refused:
        sentence = texts("mapping.refused", state=texts(f"mapping.state.{refused}"))
        body.append(note("attention", "❌", sentence, texts("mapping.refused.remedy")))
    if shown := chosen[LineState.IDLE]:
        body.append(note("warning", "⚠️", texts("mapping.idle_shown", shown=shown_as(texts, shown))))
    if preview:
        body += _preview(texts, preview, view)
        body += _replay(texts, preview.replay) if preview.replay else []
    if further:
        body.append(_who_gets_it(texts, view, further))
    body.append(text(texts("mapping.how")))
    body += [_choices(texts, state, chosen[state]) for state in USUAL]
    body += _more(texts, chosen, chosen_by(further.overrides if further else view.mapping))
    body.append(text(texts("mapping.leave"), subtle=True))
    body += _quiet(texts, chosen, data_of(view, further))
    some = pressable("mapping.some", {"integration": view.id})
    body.append(row("👥", texts("button.some_people"), spacing="Default", select=some))
    return card(texts, title, body, _actions(texts, view, further))


def _who_gets_it(texts: Texts, view: IntegrationView, further: FurtherMapping) -> CardElement:
    said = rules_in_short(texts, further.rules) or texts("rules.none")
    return row("👥", texts("rules.who"), said, select=pressable("mapping.rules_show", data_of(view, further)))


def data_of(view: IntegrationView, further: FurtherMapping | None) -> dict[str, str]:
    """What the buttons of a mapping carry."""
    return {"integration": view.id, **({"mapping": further.id} if further else {})}


def _choices(texts: Texts, state: LineState, chosen: Choice) -> CardElement:
    choices = [ListedChoice(title=shown_as(texts, one), value=value_of(one)) for one in choices_of(state)]
    label = texts(f"mapping.state.{state}")
    return ChoiceSetInput(id=field_of(state), label=label, choices=choices, value=value_of(chosen), style="compact")


def _more(texts: Texts, chosen: Chosen, now: Chosen) -> list[CardElement]:
    """The states that few change, behind a line; open when one of them is changed, by this card or before."""
    states, defaults = [each for each in MAPPABLE if each not in USUAL], chosen_by({})
    is_open = any((chosen[each], now[each]) != (defaults[each], defaults[each]) for each in states)
    named = ", ".join(texts(f"mapping.state.{each}") for each in states)
    show = ToggleVisibilityAction(target_elements=[MORE])
    rows = Container(id=MORE, items=[_choices(texts, each, chosen[each]) for each in states], is_visible=is_open)
    return [row("⚙️", texts("mapping.more"), named, spacing="Default", select=show), rows]


def _quiet(texts: Texts, chosen: Chosen, data: Mapping[str, str]) -> list[CardElement]:
    """One choice that keeps Teams from ringing during a call, and why the default does not; or what it does."""
    if all(chosen[state] is choice for state, choice in QUIET.items()):
        return [note("default", "🔕", texts("mapping.quiet.chosen"))]
    press = button(texts("button.quiet"), "mapping.quiet", data)
    return [
        note("default", "🔕", texts("mapping.quiet"), texts("mapping.quiet.why")),
        ActionSet(actions=[press], spacing="Small"),
    ]


def _preview(texts: Texts, preview: Preview, view: IntegrationView) -> list[CardElement]:
    if not preview.count:
        of_hours = texts("mapping.preview.closed" if view.closed else "mapping.preview.none")
        said = of_hours if view.enabled else texts("mapping.preview.off")
        return [note("default", "👀", texts("mapping.preview.title"), said)]
    changes = texts.plural("mapping.preview.changes", preview.count)
    body: list[CardElement] = [note("default", "👀", texts("mapping.preview.title"), changes)]
    body += [_concerned(texts, one) for one in preview.first]
    more = preview.count - len(preview.first)
    return [*body, plain(texts.plural("preview.more", more), subtle=True)] if more > 0 else body


def _replay(texts: Texts, replay: Replay) -> list[CardElement]:
    """What the choices would have shown on a day, in all and of some people."""
    title = texts("replay.today" if replay.is_today else "replay.title", day=texts.date(replay.day))
    said = [_total(texts, one) for one in replay.totals] or [texts("replay.none")]
    return [note("default", "⏪", title, *said), *(row("📞", _replayed(texts, one)) for one in replay.first)]


def _total(texts: Texts, one: Replayed) -> str:
    return texts.plural(f"replay.total.{_kind(one)}", one.people, **_words(texts, one))


def _replayed(texts: Texts, one: Replayed) -> str:
    return texts(f"replay.{_kind(one)}", name=capped(one.name), **_words(texts, one))


def _kind(one: Replayed) -> str:
    if one.before and one.after:
        return "instead"
    return "less" if one.before else "more"


def _words(texts: Texts, one: Replayed) -> dict[str, str]:
    time = texts.plural("replay.minutes", max(1, round(one.seconds / 60)))
    return {"time": time, "before": shown_as(texts, one.before), "after": shown_as(texts, one.after)}


def _concerned(texts: Texts, one: Concerned) -> CardElement:
    change = f"{shown_as(texts, one.before)} → {shown_as(texts, one.after)}"
    return row("📞", capped(one.name), f"{texts(f'line.{one.line}')}: {change}")


def shown_as(texts: Texts, choice: Choice) -> str:
    """A choice in words."""
    return texts(f"mapping.show.{choice.activity if isinstance(choice, Presence) else value_of(choice)}")


def _actions(texts: Texts, view: IntegrationView, further: FurtherMapping | None) -> list[Action]:
    data = data_of(view, further)
    revised = {**data, "revision": str(view.revision)}
    return [
        button(texts("button.save"), "mapping.save", revised, style="positive", inputs=True),
        button(texts("button.preview"), "mapping.preview", revised, inputs=True),
        button(texts("button.reset_mapping"), "mapping.reset", data),
        *([button(texts("button.remove_mapping"), "mapping.remove", revised)] if further else []),
    ]
