"""Pictures of cards: ``python -m tests.cards.pictures`` draws every one, for review, into ``build/cards/``.

Given the beginnings of names, it draws only those cards.

With ``--docs`` it renews those that the pages show, in ``docs/images/cards/``: a page of ``docs/en`` that shows
``status.en.png`` gets the card ``status`` of the gallery.

Drawn by Microsoft's renderer in headless Chromium, in something like Teams' light theme, as narrow as a phone and
as wide as a desktop, in every language; with a contact sheet of each. Where Teams alone knows an element, its
fallback is drawn.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bot.activity import Card
from bot.languages import Language, load_texts
from sandbox.demo import missing_emoji_font
from tests.cards.gallery.gallery import gallery
from tests.support.tools import NODE_MODULES, ROOT

OUT = ROOT / "build" / "cards"
DOCS = ROOT / "docs"
IMAGES = DOCS / "images" / "cards"
PAGE = Path(__file__).with_name("pictures.html")
RENDERER = NODE_MODULES / "adaptivecards" / "dist" / "adaptivecards.js"
COLUMNS = {320: 8, 720: 4}
"""Width of a card in pixels, and how many are side by side on its contact sheet."""

WIDTH_IN_PAGES = 520
SHOWN = re.compile(r"\(\.\./images/cards/([\w.-]+?)\.(en|pt)\.png\)")


def shown_in_pages(language: Language) -> set[str]:
    """The names of the cards that the pages of a language show."""
    return {name for page in (DOCS / language).glob("*.md") for name, _ in SHOWN.findall(page.read_text())}


def drawn(browser: Browser, cards: dict[str, Card], width: int, columns: int) -> Page:
    page = browser.new_page(viewport={"width": columns * (width + 64), "height": 800}, device_scale_factor=1)
    page.set_content(PAGE.read_text("utf-8"))
    page.add_script_tag(path=RENDERER)
    page.evaluate("([cards, width, columns]) => draw(cards, width, columns)", [cards, width, columns])
    return page


def photograph(page: Page, names: Iterable[str], pattern: str) -> None:
    """One picture per card; ``{}`` in the path ``pattern`` is its name."""
    for name in names:
        page.locator(f"[data-card={json.dumps(name)}]").screenshot(path=pattern.format(name))


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Raises ``LookupError`` with what this machine lacks."""
    chromium = shutil.which("chromium")
    if chromium is None or not RENDERER.exists():
        raise LookupError("needs Chromium, and the renderer (npm ci)")
    if lacks := missing_emoji_font():
        raise LookupError(lacks)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def review(browser: Browser, names: Sequence[str] = ()) -> None:
    """The cards whose name begins with one of ``names``; all of them by default."""
    OUT.mkdir(parents=True, exist_ok=True)
    for language, texts in load_texts().items():
        cards = {name: card for name, card in gallery(texts).items() if name.startswith(tuple(names) or "")}
        for width, columns in COLUMNS.items():
            page = drawn(browser, cards, width, columns)
            photograph(page, cards, f"{OUT}/{language}-{{}}-{width}.png")
            page.screenshot(path=f"{OUT}/sheet-{language}-{width}.png", full_page=True)
            print(f"{OUT}/sheet-{language}-{width}.png and {len(cards)} cards")
            page.close()


def renew_pages(browser: Browser) -> None:
    shutil.rmtree(IMAGES, ignore_errors=True)
    IMAGES.mkdir(parents=True)
    for language, texts in load_texts().items():
        cards = {name: card for name, card in gallery(texts).items() if name in shown_in_pages(language)}
        photograph(drawn(browser, cards, WIDTH_IN_PAGES, 1), cards, f"{IMAGES}/{{}}.{language}.png")
        print(f"{len(cards)} pictures for docs/{language}")


def main(arguments: Sequence[str]) -> int:
    try:
        with open_browser() as browser:
            renew_pages(browser) if arguments == ["--docs"] else review(browser, arguments)
    except LookupError as lacks:
        print(lacks, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
