"""The list of people: ten a page, each a press away from their card; and the question which person is meant."""

from collections.abc import Sequence
from dataclasses import dataclass

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.parts import button, capped, card, header, note, pressable, row, text
from bot.cards.people.words import light, state, who
from bot.languages import Texts
from sync.domain.model import IntegrationView
from sync.domain.people import Found, PeopleFilter, PeoplePage, PersonLine

MAX_WORDS = 60


@dataclass(frozen=True, slots=True)
class Search:
    """What a list shows: it is carried by its buttons. ``words`` are as typed."""

    integration: IntegrationView
    filter: PeopleFilter = PeopleFilter.EVERYONE
    words: str = ""

    def data(self, **more: str) -> dict[str, str]:
        return {"integration": self.integration.id, "filter": self.filter, "words": self.words, **more}


def listed(texts: Texts, search: Search, page: PeoplePage) -> Card:
    title = texts("people.title")
    subtitle = texts(f"people.filter.{search.filter}")
    if search.words:
        subtitle = f"{subtitle} · {texts('people.filter.found', words=capped(search.words, MAX_WORDS))}"
    body: list[CardElement] = [header("👥", title, f"{capped(search.integration.name, 40)} · {subtitle}")]
    if not search.integration.enabled:
        body.append(note("default", "⏸️", texts("disabled.already")))
    elif search.integration.closed:
        body.append(note("default", "🌙", texts("hours.closed")))
    body += [_line(texts, line) for line in page.people] or [text(_empty(texts, search))]
    body += [_search(texts, search), _filter(texts, search)]
    return card(texts, title, body, _actions(texts, search, page), wide=True)


def _line(texts: Texts, line: PersonLine, verb: str = "people.open") -> CardElement:
    name = " · ".join(part for part in (who(line), line.extension or "", capped(line.integration, 40)) if part)
    data = {"integration": line.integration_id, "person": line.id}
    return row(light(line), name, state(texts, line), select=pressable(verb, data), spacing="Default")


def _empty(texts: Texts, search: Search) -> str:
    key = f"people.empty.{search.filter}"
    return texts("people.empty") if search.words or key not in texts.keys else texts(key)


def _search(texts: Texts, search: Search) -> TextInput:
    return TextInput(
        id="words", label=texts("people.search"), value=search.words or None, max_length=MAX_WORDS, spacing="Large"
    )


def _filter(texts: Texts, search: Search) -> ChoiceSetInput:
    return ChoiceSetInput(
        id="filter",
        label=texts("people.filter"),
        choices=[Choice(title=texts(f"people.filter.{one}"), value=one.value) for one in PeopleFilter],
        value=search.filter.value,
        style="compact",
    )


def _actions(texts: Texts, search: Search, page: PeoplePage) -> list[Action]:
    data = {"integration": search.integration.id}
    actions: list[Action] = [button(texts("button.search"), "people.search", data, style="positive", inputs=True)]
    if page.has_before and page.people:
        before = search.data(before=page.people[0].id)
        actions.append(button(texts("button.previous"), "people.page", before))
    if page.has_after:
        actions.append(button(texts("button.more"), "people.page", search.data(after=page.people[-1].id)))
    actions.append(button(texts("button.export"), "export_people.link", data))
    return [*actions, button(texts("button.status"), "status.show", data)]


def which(texts: Texts, found: Found, typed: str, verb: str, command: str) -> Card:
    """Which of several is meant, or who comes nearest; ``verb`` goes on with the chosen one."""
    words = capped(typed, MAX_WORDS)
    if found.is_short:
        title = texts("people.short")
        body: list[CardElement] = [header("👥", title), text(texts("people.short.add", command=command))]
    elif found.people:
        title = texts("people.which")
        body = [header("👥", title, texts("people.filter.found", words=words)), *_lines(texts, found.people, verb)]
    else:
        title = texts("people.none", words=words)
        body = [header("👥", texts("people.which"), title)]
        body += _near(texts, found.nearest, verb)
    if found.has_more:
        body.append(note("accent", "ℹ️", texts("people.more")))
    return card(texts, title, body, [button(texts("button.people"), "command.people")], wide=True)


def _near(texts: Texts, nearest: Sequence[PersonLine], verb: str) -> list[CardElement]:
    if not nearest:
        return [text(texts("people.nobody_near"))]
    return [text(texts("people.nearest"), weight="Bolder"), *_lines(texts, nearest, verb)]


def _lines(texts: Texts, people: Sequence[PersonLine], verb: str) -> list[CardElement]:
    return [_line(texts, line, verb) for line in people]


def gone(texts: Texts) -> Card:
    title = texts("people.gone")
    return card(texts, title, [header("👤", title)], [button(texts("button.people"), "command.people")])
