"""The pictures of cards in the pages are of the gallery, in the language of the page (`make screenshots`)."""

import re

import pytest

from bot.languages import Language
from tests.cards.gallery.gallery import gallery_in
from tests.cards.pictures import IMAGES, SHOWN, shown_in_pages
from tests.support.tools import ROOT

both_languages = pytest.mark.parametrize("language", Language)


@both_languages
def test_a_card_that_is_shown_is_in_the_gallery(language: Language) -> None:
    assert shown_in_pages(language) - gallery_in(language).keys() == set()


@both_languages
def test_a_page_shows_cards_in_its_language(language: Language) -> None:
    for page in (ROOT / "docs" / language).glob("*.md"):
        assert {found for _, found in SHOWN.findall(page.read_text())} <= {language}, page.name


def test_no_picture_is_left_over() -> None:
    shown = {f"{name}.{language}.png" for language in Language for name in shown_in_pages(language)}
    assert {path.name for path in IMAGES.glob("*.png")} - shown == set()


def test_every_other_picture_is_shown_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "README.pt.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w.]+)\)", page.read_text())}
    assert {path.name for path in IMAGES.parent.iterdir() if path.is_file()} - shown == set()
