"""Pictures of every card, for review: ``python -m tests.cards.pictures`` fills ``build/cards/``.

Drawn by Microsoft's renderer in headless Chromium, in something like Teams' light theme, as narrow as a phone and
as wide as a desktop, in every language; with a contact sheet of each. Where Teams alone knows an element, its
fallback is drawn.
"""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bot.activity import Card
from bot.languages import load_texts
from tests.cards.gallery.gallery import gallery
from tests.support.tools import NODE_MODULES, ROOT

OUT = ROOT / "build" / "cards"
PAGE = Path(__file__).with_name("pictures.html")
RENDERER = NODE_MODULES / "adaptivecards" / "dist" / "adaptivecards.js"
COLUMNS = {320: 8, 720: 4}
"""Width of a card in pixels, and how many are side by side on its contact sheet."""


def photograph(browser: Browser, cards: dict[str, Card], prefix: str, width: int, out: Path) -> Iterable[Path]:
    """One picture per card, ``<prefix>-<name>-<width>.png``, and the sheet of them all."""
    columns = COLUMNS[width]
    page = browser.new_page(viewport={"width": columns * (width + 64), "height": 800}, device_scale_factor=1)
    page.set_content(PAGE.read_text("utf-8"))
    page.add_script_tag(path=RENDERER)
    page.evaluate("([cards, width, columns]) => draw(cards, width, columns)", [cards, width, columns])
    for name in cards:
        path = out / f"{prefix}-{name}-{width}.png"
        page.locator(f"[data-card={json.dumps(name)}]").screenshot(path=path)
        yield path
    sheet = out / f"sheet-{prefix}-{width}.png"
    page.screenshot(path=sheet, full_page=True)
    page.close()
    yield sheet


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None or not RENDERER.exists():
        print("needs Chromium, and the renderer (npm ci)", file=sys.stderr)
        return 1
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, texts in load_texts().items():
            for width in COLUMNS:
                made = list(photograph(browser, gallery(texts), str(language), width, OUT))
                print(f"{made[-1]} and {len(made) - 1} cards")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
