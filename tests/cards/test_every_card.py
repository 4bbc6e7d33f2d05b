"""Every card of the gallery, in every language, through every check."""

import pytest

from bot.activity import Card
from bot.languages import load_texts
from tests.cards.gallery.gallery import gallery
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
