"""Every card of the gallery, in every language, through every check."""

from collections.abc import Mapping

import pytest

from bot.activity import Card
from bot.languages import Language, load_texts
from tests.cards.gallery.gallery import gallery, gallery_in
from tests.support.bot.fakes import parts, words
from tests.support.cards.checks import problems_of_all

Galleries = dict[str, Mapping[str, Card]]


@pytest.fixture(scope="module")
def galleries() -> Galleries:
    """Each language's cards by name."""
    return {str(language): gallery_in(language) for language in Language}


@pytest.fixture(scope="module")
def cards(galleries: Galleries) -> dict[str, Card]:
    return {f"{language}-{name}": card for language, named in galleries.items() for name, card in named.items()}


def test_every_card_passes_every_check(cards: dict[str, Card]) -> None:
    problems = zip(cards, problems_of_all(list(cards.values())), strict=True)
    assert {name: found for name, found in problems if found} == {}


SAY_WHAT_NOW = (
    *("refused.why", "limited.why", "personal.please", "claim.too_often.remedy", "channel.on", "channel.off"),
    *("setup.checking.wait", "checking.interrupted"),
    *("notice.closed.nothing", "channel.too_many.remedy", "channel.forbidden.remedy"),
)
"""Sentences of cards without a button: what to do or to wait for, or that nothing is to be done."""


def _can_act(card: Card) -> bool:
    return any(part["type"].startswith("Action.") for part in parts(card))


def test_every_card_answers_what_now(galleries: Galleries) -> None:
    """It has a button or a link, or says that nothing is to be done."""
    english = load_texts()[Language.ENGLISH]
    sentences = [english(key) for key in SAY_WHAT_NOW]
    silent = {name: words(card) for name, card in galleries["en"].items() if not _can_act(card)}
    assert {name: said for name, said in silent.items() if not any(each in said for each in sentences)} == {}


def test_what_is_shown_as_it_is_has_no_markdown(cards: dict[str, Card]) -> None:
    """A ``TextRun`` and a title are not Markdown: an asterisk in them is shown. Address patterns have one."""
    found = {name: [each for each in _shown_as_it_is(card) if _is_marked(each)] for name, card in cards.items()}
    assert {name: marked for name, marked in found.items() if marked} == {}


def _shown_as_it_is(card: Card) -> list[str]:
    found = [part for part in parts(card) if part["type"] in ("TextRun", "Action.Execute", "Action.OpenUrl")]
    return [str(part.get("text") or part.get("title", "")) for part in found]


def _is_marked(text: str) -> bool:
    return "*" in text.replace("*@", "") or "](" in text


def test_both_languages_have_the_same_cards(galleries: Galleries) -> None:
    assert set(galleries) == {"en", "pt"}
    assert set(galleries["en"]) == set(galleries["pt"])


def test_the_gallery_is_the_same_every_time(galleries: Galleries) -> None:
    """So that pictures can be compared, and names stay the same."""
    for language, texts in load_texts().items():
        assert gallery(texts) == galleries[language]


def skeleton(value: object) -> object:
    """A card without its texts."""
    if isinstance(value, list):
        return [skeleton(item) for item in value]
    if isinstance(value, dict):
        return {key: skeleton(item) for key, item in value.items()}
    return type(value).__name__


def test_a_card_has_the_same_shape_in_both_languages(galleries: Galleries) -> None:
    english, portuguese = galleries["en"], galleries["pt"]
    assert [name for name in english if skeleton(english[name]) != skeleton(portuguese[name])] == []
