"""Every card of the gallery, in every language, through every check."""

import pytest

from bot.activity import Card
from bot.languages import Language, load_texts
from tests.cards.gallery.gallery import gallery
from tests.support.bot.fakes import parts, words
from tests.support.cards.checks import problems_of_all

TEXTS = load_texts()
GALLERIES = {str(language): gallery(texts) for language, texts in TEXTS.items()}
CARDS: dict[str, Card] = {
    f"{language}-{name}": card for language, cards in GALLERIES.items() for name, card in cards.items()
}


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    return dict(zip(CARDS, problems_of_all(list(CARDS.values())), strict=True))


@pytest.mark.parametrize("name", CARDS)
def test_the_card_passes_every_check(name: str, problems: dict[str, list[str]]) -> None:
    assert problems[name] == []


SAY_WHAT_NOW = (
    *("refused.why", "limited.why", "personal.please", "claim.too_often.remedy", "channel.on", "channel.off"),
    *("setup.checking.wait", "setup.checking.moment", "test.wait", "update.looking", "rotate.checking.wait"),
    "notice.closed.nothing",
)
"""Sentences of cards without a button: what to do or to wait for, or that nothing is to be done."""


def _can_act(card: Card) -> bool:
    return any(part["type"].startswith("Action.") for part in parts(card))


@pytest.mark.parametrize("name", GALLERIES["en"])
def test_every_card_answers_what_now(name: str) -> None:
    """It has a button or a link, or says that nothing is to be done."""
    card = GALLERIES["en"][name]
    sentences = [TEXTS[Language.ENGLISH](key) for key in SAY_WHAT_NOW]
    assert _can_act(card) or any(sentence in words(card) for sentence in sentences), words(card)


@pytest.mark.parametrize("name", CARDS)
def test_what_is_shown_as_it_is_has_no_markdown(name: str) -> None:
    """A ``TextRun`` and a title are not Markdown: an asterisk in them is shown. Address patterns have one."""
    found = [part for part in parts(CARDS[name]) if part["type"] in ("TextRun", "Action.Execute", "Action.OpenUrl")]
    said = [str(part.get("text") or part.get("title", "")) for part in found]
    assert [each for each in said if "*" in each.replace("*@", "") or "](" in each] == []


def test_both_languages_have_the_same_cards() -> None:
    assert set(GALLERIES) == {"en", "pt"}
    assert set(GALLERIES["en"]) == set(GALLERIES["pt"])


def test_the_gallery_is_the_same_every_time() -> None:
    """So that pictures can be compared, and names stay the same."""
    for language, texts in TEXTS.items():
        assert gallery(texts) == GALLERIES[language]


def skeleton(value: object) -> object:
    """A card without its texts."""
    if isinstance(value, list):
        return [skeleton(item) for item in value]
    if isinstance(value, dict):
        return {key: skeleton(item) for key, item in value.items()}
    return type(value).__name__


@pytest.mark.parametrize("name", GALLERIES["en"])
def test_a_card_has_the_same_shape_in_both_languages(name: str) -> None:
    assert skeleton(GALLERIES["en"][name]) == skeleton(GALLERIES["pt"][name])
