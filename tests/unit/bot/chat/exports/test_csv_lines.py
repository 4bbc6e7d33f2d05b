"""A line of CSV in both languages, read by programs that split it at either separator."""

import csv
import io

import pytest

from bot.chat.exports.csv_lines import SEPARATORS, csv_line
from bot.languages import Language

both_languages = pytest.mark.parametrize("language", Language)
BEGINNINGS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def cells_of(line: str, separator: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(line, newline=""), delimiter=separator) for cell in row]


def test_the_separator_is_that_of_the_language() -> None:
    assert csv_line(["a", "b"], Language.ENGLISH) == '"a","b"\r\n'
    assert csv_line(["a", "b"], Language.PORTUGUESE) == '"a";"b"\r\n'
    assert set(SEPARATORS) == set(Language)


@both_languages
@pytest.mark.parametrize(
    "cell", ['say "no"', "a,b", "a;b", "one\ntwo", "one\r\ntwo", "çãõ", "", "2026-11-22T11:59:00+00:00"]
)
def test_a_cell_survives_quotes_separators_and_line_breaks(language: Language, cell: str) -> None:
    assert cells_of(csv_line([cell, cell], language), SEPARATORS[language]) == [cell, cell]


@both_languages
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_no_cell_is_a_formula_whichever_separator_the_reader_uses(language: Language, beginning: str) -> None:
    for before in ("", ";", ",", "\n", "\r", "\t", "a;", "a,", "a\n", "a\r\n", 'a";"', "a; ", "a;;", '"'):
        line = csv_line(["x", f"{before}{beginning}1+1", "y"], language)
        for separator in (",", ";", "\t"):
            found = [*cells_of(line, separator), *naively_split(line, separator)]
            assert [cell for cell in found if cell.lstrip(' "').startswith((*BEGINNINGS, "\t", "\r"))] == [], line
            assert any("1+1" in cell for cell in found)


def naively_split(line: str, separator: str) -> list[str]:
    """As by a program that knows no quotes."""
    return line.replace('"', "").replace("\r", "\n").replace("\n", separator).split(separator)


@both_languages
def test_a_cell_that_begins_with_a_tab_or_a_line_break_is_text(language: Language) -> None:
    found = cells_of(csv_line(["\ta", "\ra", "\na"], language), SEPARATORS[language])
    assert found == ["'\ta", "'\ra", "'\na"]
