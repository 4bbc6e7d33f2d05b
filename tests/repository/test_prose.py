"""Docstrings, comments, names and log events use present-day English: none of the words below."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tools import ROOT

SEARCHED = ("bot", "core", "manifest", "sandbox", "storage", "sync", "tests", "app.py", "settings.py")

BANNED = frozenset(
    re.findall(
        "[a-z]+",
        """
        whoever whomever somebody anybody anew mend mends mended mending unwell lest lamp lamps door doors trouble
        troubles told hearken heed heeds thence whence hence hither whither thereof wherein aforesaid nought aught
        amid forth ere betwixt dwell dwells befall
        """,
    )
)
PHRASES = ("is told of", "are told of", "for good", "in the stead", "in its stead", "in the place of")

ALLOWED = frozenset({("bot/cards/health/alerts.py", "told")})
"""File and word: the state of a notice, as the catalogues call it."""


def python_files() -> list[Path]:
    found = [ROOT / name for name in SEARCHED if name.endswith(".py")]
    for name in SEARCHED:
        found += sorted((ROOT / name).rglob("*.py"))
    return [path for path in found if path != Path(__file__)]


def prose_in(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings (also of constants), comments, names and log events, each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.NAME):
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log")), args=[ast.Constant(value=str(text)), *_]):
                yield node.lineno, text


def words_of(text: str) -> set[str]:
    """The words of a sentence or a name, in lower case; names are split at underscores and capitals."""
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()))


def banned_in(source: str) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for line, text in prose_in(source):
        sentence = " ".join(text.lower().split())
        found |= {(line, word) for word in words_of(text) & BANNED}
        found |= {(line, phrase) for phrase in PHRASES if phrase in sentence}
    return found


def may_hold_one(source: str) -> bool:
    """Whether it has a banned word anywhere, also where it is allowed: much faster to find than what is prose."""
    plain = re.sub(r"\\.", " ", source)
    sentence = " ".join(plain.lower().split())
    return bool(words_of(plain) & BANNED) or any(phrase in sentence for phrase in PHRASES)


def test_no_banned_word_is_used() -> None:
    found = []
    for path in python_files():
        name, source = path.relative_to(ROOT).as_posix(), path.read_text()
        used = banned_in(source) if may_hold_one(source) else ()
        found += [f"{name}:{line}: {word}" for line, word in used if (name, word) not in ALLOWED]
    assert sorted(found) == []


@pytest.mark.parametrize(
    "source",
    [
        '"""Whoever asks."""',
        "x = 1  # sent anew",
        "def test_the_lamp() -> None: ...",
        "class MendedStore: ...",
        'log.info("service_unwell")',
        'X = 1\n"""Closed for\ngood."""',
    ],
)
def test_a_banned_word_is_found(source: str) -> None:
    assert len(banned_in(source)) == 1
    assert may_hold_one(source)


def test_sentences_for_people_are_left_to_the_catalogues() -> None:
    assert banned_in('print("Please ask whoever hosts this bot.")') == set()
