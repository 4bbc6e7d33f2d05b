"""The status message for each state of a phone: an input each, empty for none."""

from collections.abc import Mapping, Sequence

from microsoft_teams.cards.core import CardElement, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import with_errors
from bot.cards.parts import button, capped, card, header, note, text
from bot.cards.people.words import sentence
from bot.languages import Texts
from sync.domain.model import IntegrationView
from sync.domain.presence import LineState

MAX_STATUS_TEXT = 80
"""Teams shows no more of a message beside a name without a click."""


def field_of(state: LineState) -> str:
    return f"text_{state.value}"


def form(
    texts: Texts,
    view: IntegrationView,
    known: Mapping[LineState, str],
    *,
    is_saved: bool = False,
    too_long: Sequence[LineState] = (),
) -> Card:
    """``too_long`` are the states whose text does not fit."""
    title = texts("messages.title")
    body: list[CardElement] = [header("💬", title, capped(view.name))]
    if is_saved:
        body.append(note("good", "✅", texts("messages.saved"), texts("messages.saved.how")))
    body.append(text(texts("messages.how")))
    limit = str(MAX_STATUS_TEXT)
    errors = [
        FormError(texts("messages.too_long", limit=limit), texts("messages.too_long.remedy"), field=field_of(state))
        for state in too_long
    ]
    body += with_errors([_input(texts, state, words) for state, words in known.items()], errors)
    data = {"integration": view.id, "revision": str(view.revision)}
    actions = [
        button(texts("button.save"), "messages.save", data, style="positive", inputs=True),
        button(texts("button.status"), "status.show", {"integration": view.id}),
    ]
    return card(texts, title, body, actions)


def not_installed(texts: Texts, view: IntegrationView) -> Card:
    """Status messages come with a feature update."""
    title = texts("messages.title")
    needed = note("accent", "✨", texts("messages.needs_update"), texts("messages.needs_update.why"))
    install = button(texts("button.install_update"), "update.show", {"integration": view.id}, style="positive")
    return card(texts, title, [header("💬", title, capped(view.name)), needed], [install])


def _input(texts: Texts, state: LineState, words: str) -> TextInput:
    return TextInput(
        id=field_of(state),
        label=sentence(texts(f"line.{state}")),
        placeholder=texts("field.status_text.hint"),
        value=words or None,
        max_length=max(MAX_STATUS_TEXT, len(words)),
    )
