"""The pages under docs/ are checked against the bot: what is typed is understood, what is bold is on a card.

Conventions of the pages: ``code`` is what one types, a setting or a metric, **bold** is what a card or button says,
word for word, and *italics* are what is shown elsewhere, in Azure or Mitel Administration. The two languages have
the same pages, built alike.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from bot.commands import COMMANDS
from bot.commands.health.channel_alerts import WORDS
from settings import Settings
from sync.credentials.new_secrets import LIFETIMES
from sync.problems.notice_plan import THRESHOLDS
from tests.support.documents import METRICS, READMES, table_rows
from tests.support.tools import ROOT

INDEX = "README.md"
GLOSSARY = "glossario.md"
"""The Portuguese terms; it has no English counterpart."""
PAGES = sorted(path.name for path in (ROOT / "docs/en").glob("*.md"))
STEPS = [f"G{number}" for number in range(1, 16)]
SETTINGS = {name.upper() for name in Settings.model_fields}
PRESSED = ("button.", "link.", "notice.", "export.download")
"""The keys of what can be pressed."""

PRESS = re.compile(r"\b(?:press|prima) \*\*(.+?)\*\*", re.IGNORECASE)
MARKER = re.compile(r"^( *)(#+|\d+\.|-|\|)(?= |-)")
LEAST_LETTERS = 5
"""A message with fewer letters of its own between its values would match nearly anything."""

both_languages = pytest.mark.parametrize("language", READMES)


def read(language: str, page: str) -> str:
    return (ROOT / "docs" / language / page).read_text()


def on_one_line(text: str) -> str:
    """Without line breaks, blocks of code (for other programs), and marked tables (with tests of their own)."""
    text = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE).split())


def skeleton(text: str) -> list[str]:
    """A page's structure, without its words: headings, numbered steps, points, rows and paragraphs."""
    found = []
    for block in text.split("\n\n"):
        marks = [match[1] + match[2] for line in block.splitlines() if (match := MARKER.match(line))]
        found += marks or ["paragraph"]
    return found


def links(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]


def anchors(path: Path) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path: Path) -> Iterator[str]:
    for target in links(path.read_text()):
        file, _, anchor = target.partition("#")
        place = path.parent / file if file else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            yield target


@cache
def said_by(language: str) -> dict[str, list[re.Pattern[str]]]:
    """Each key of the catalogue with patterns for its messages with any values filled in."""
    with (ROOT / f"bot/languages/{language}.po").open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    found: dict[str, list[re.Pattern[str]]] = {}
    for message in messages:
        key = message.id if isinstance(message.id, str) else message.id[0]
        strings = [message.string] if isinstance(message.string, str) else message.string or ()
        found[key] = [_pattern(string) for string in strings if _has_words(string)]
    return found


def _has_words(message: str) -> bool:
    return "{" not in message or len(re.sub(r"\{\w+\}|\W", "", message)) >= LEAST_LETTERS


def _pattern(message: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", message)))


@cache
def keys_of(words: str, language: str) -> set[str]:
    """The keys whose message matches these words."""
    return {key for key, patterns in said_by(language).items() if any(each.fullmatch(words) for each in patterns)}


def bold(text: str) -> list[str]:
    return re.findall(r"\*\*(.+?)\*\*", on_one_line(text))


def typed(text: str) -> list[str]:
    return re.findall(r"`(.+?)`", on_one_line(text))


def meaning(words: str, language: str) -> str:
    """The command, phrase, setting or metric that is meant; empty when it is none in this language."""
    if words in SETTINGS or words in METRICS:
        return words
    if words in WORDS:
        return f"channel {WORDS[words]}"
    for command in COMMANDS:
        if words == command.titles[language] or words in command.aliases:
            return command.key
    return ""


def test_both_languages_have_the_same_pages() -> None:
    assert {path.name for path in (ROOT / "docs/pt").glob("*.md")} - {GLOSSARY} == set(PAGES)
    assert INDEX in PAGES


def test_a_page_is_built_alike_in_both_languages() -> None:
    assert [page for page in PAGES if skeleton(read("en", page)) != skeleton(read("pt", page))] == []


def test_a_page_points_to_the_same_pages_in_both_languages() -> None:
    assert [page for page in PAGES if targets("en", page) != targets("pt", page)] == []


def targets(language: str, page: str) -> list[str]:
    """Where a page leads, by the names of the English files."""
    return [
        target.partition("#")[0].replace(".pt.md", ".md").replace(".pt.png", ".en.png")
        for target in links(read(language, page))
        if target != GLOSSARY
    ]


def test_a_page_names_the_same_commands_in_both_languages() -> None:
    assert [page for page in PAGES if commands_named("en", page) != commands_named("pt", page)] == []


def commands_named(language: str, page: str) -> Counter[str]:
    return Counter(meaning(words, language) for words in typed(read(language, page)))


@both_languages
def test_commands_to_type_are_understood(language: str) -> None:
    said = [(page, words) for page in PAGES for words in typed(read(language, page))]
    assert [(page, words) for page, words in said if not meaning(words, language)] == []


@both_languages
def test_bold_text_is_on_a_card(language: str) -> None:
    said = [(page, words) for page in PAGES for words in bold(read(language, page))]
    assert [(page, words) for page, words in said if not keys_of(words, language)] == []


@both_languages
def test_buttons_to_press_exist(language: str) -> None:
    pressed = [(page, one) for page in PAGES for one in PRESS.findall(on_one_line(read(language, page)))]
    exist = {one for _, one in pressed if any(key.startswith(PRESSED) for key in keys_of(one, language))}
    assert [(page, one) for page, one in pressed if one not in exist] == []


def test_both_languages_quote_the_same_from_the_cards() -> None:
    for page in PAGES:
        quoted = {lang: [keys_of(words, lang) for words in bold(read(lang, page))] for lang in READMES}
        assert len(quoted["en"]) == len(quoted["pt"]), page
        for one, other in (("en", "pt"), ("pt", "en")):
            everywhere = set().union(*quoted[other])
            assert [keys for keys in quoted[one] if not keys & everywhere] == [], page


@both_languages
def test_every_link_has_a_target(language: str) -> None:
    paths = [ROOT / READMES[language], *(ROOT / "docs" / language / page for page in PAGES)]
    found = {path.name: list(broken(path)) for path in paths}
    assert {name: targets for name, targets in found.items() if targets} == {}


@both_languages
def test_the_index_leads_to_every_page(language: str) -> None:
    assert set(PAGES) - {INDEX} <= set(links(read(language, INDEX)))


@both_languages
def test_every_command_has_its_page(language: str) -> None:
    mentioned = {meaning(words, language) for page in PAGES for words in typed(read(language, page))}
    assert {command.key for command in COMMANDS} - mentioned == set()


@both_languages
def test_the_days_are_the_bots_own(language: str) -> None:
    *earlier, last = [str(days) for days in THRESHOLDS if days]
    conjunction = {"en": "and", "pt": "e"}[language]
    assert f"{', '.join(earlier)} {conjunction} {last} d" in read(language, "alerts.md")
    assert f" {LIFETIMES[0]} d" in read(language, "automatic-rotation.md")


@both_languages
def test_every_step_of_mitels_guide_has_its_counterpart(language: str) -> None:
    rows = table_rows(f"docs/{language}/mitel-guide.md", "procedures")
    assert [row[0] for row in rows] == STEPS
    for _, mitels, here, page in rows:
        assert mitels
        assert here
        assert all(meaning(words, language) for words in typed(here))
        assert all(keys_of(words, language) for words in bold(here))
        assert links(page)[0].partition("#")[0] in PAGES


def test_both_tables_of_mitels_guide_lead_to_the_same_pages() -> None:
    tables = [table_rows(f"docs/{language}/mitel-guide.md", "procedures") for language in READMES]
    pages = [[links(row[3])[0].partition("#")[0] for row in rows] for rows in tables]
    assert pages[0] == pages[1]


@both_languages
def test_every_reason_for_being_left_out_is_explained(language: str) -> None:
    said = set().union(*(keys_of(words, language) for words in bold(read(language, "not-shown.md"))))
    assert {key for key in said_by(language) if key.startswith("unmatched.")} - said == set()
