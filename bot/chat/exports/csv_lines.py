"""Lines of CSV that a spreadsheet in the reader's language splits into cells, and in which no cell is a formula."""

import csv
import io
import re
from collections.abc import Sequence

from bot.languages import Language

SEPARATORS = {Language.ENGLISH: ",", Language.PORTUGUESE: ";"}
"""Excel separates cells by the list separator of the reader's regional settings: in Portugal the semicolon."""

FORMULA = re.compile(r'(^|[;,\t\r\n])([ "\u00a0]*)(?=[=+\-@＝＋－＠])')
"""Where a formula can begin, for a program that splits at any of these separators (OWASP, CSV injection)."""


def csv_line(cells: Sequence[str], language: Language) -> str:
    """A line of CSV (RFC 4180, every cell quoted) with the separator that ``language`` uses."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=SEPARATORS[language], quoting=csv.QUOTE_ALL)
    writer.writerow(map(_as_text, cells))
    return buffer.getvalue()


def _as_text(cell: str) -> str:
    """``cell`` with an apostrophe before each character that could begin a formula."""
    safe = FORMULA.sub(r"\1'\2", cell)
    return f"'{safe}" if safe.startswith(("\t", "\r", "\n")) else safe
