"""The READMEs are short, say what can be typed, show a picture, and lead to the pages."""

import re

import pytest

from tests.docs.test_guide import links, meaning
from tests.support.documents import READMES, table_rows
from tests.support.tools import ROOT

LONGEST = 120
"""Lines."""

COMMANDS_NAMED = 6
PICTURE = re.compile(r"!\[[^\]]+\]\((docs/images/[^)]+)\)")

both_readmes = pytest.mark.parametrize(("language", "readme"), READMES.items())


@both_readmes
def test_it_is_short(language: str, readme: str) -> None:
    assert len((ROOT / readme).read_text().splitlines()) <= LONGEST


@both_readmes
def test_it_has_one_picture(language: str, readme: str) -> None:
    (picture,) = PICTURE.findall((ROOT / readme).read_text())
    assert f".{language}." in picture
    assert (ROOT / picture).exists()


@both_readmes
def test_what_can_be_said_is_understood(language: str, readme: str) -> None:
    rows = table_rows(readme, "said")
    assert len(rows) == COMMANDS_NAMED
    for row in rows:
        named = re.findall(r"`([^`]+)`", " ".join(row))
        assert named
        assert [words for words in named if not meaning(words, language)] == []


def test_both_say_the_same() -> None:
    said = [
        [meaning(row[0].strip("`"), language) for row in table_rows(name, "said")]
        for language, name in READMES.items()
    ]
    assert said[0] == said[1]
    targets = [
        [target.replace("/en/", "/pt/") for target in links((ROOT / name).read_text())] for name in READMES.values()
    ]
    plain = [[re.sub(r"\.(en|pt)\.png|README(\.pt)?\.md", "", target) for target in each] for each in targets]
    assert plain[0] == plain[1]
