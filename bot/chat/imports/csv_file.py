"""Reads a CSV file of exclusions and matches as spreadsheets and people write it. Pure, and slow: for a thread."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from bot.cards.typed_secrets import without_secrets
from bot.languages import Language, Texts
from core.text import searchable, visible
from sync.people.imports.values import FileFault, FileRefused, LineFault, Wish

MAX_LINES = 150_000
MAX_LINE = 20_000
"""Characters of a line."""

MAX_NAMED = 3
SLICE = 1000
"""Lines of the file that are read at a time."""

CHUNK = 1024 * 1024
SEPARATORS = ",;\t"
WHO = ("person_id", "address", "extension", "name")
"""The columns that name a person; the first that has something decides."""

WISHES = ("excluded", "teams_user", "by_hand")
COLUMNS = (*WHO, *WISHES)
EARLIER = {"Excluída": "excluded", "Excluído": "excluded"}
"""Titles in files that an earlier version exported (they may still be sent back), and what people write."""

YES = frozenset({"yes", "y", "true", "1", "x", "sim", "s", "verdadeiro"})
NO = frozenset({"", "no", "n", "false", "0", "não", "nao", "falso"})

FORMULA = re.compile(r"[=@＝＠]|[+\-＋－](?![\d ]*$)|#(N/A|[A-Z0-9/]+[!?])$")
"""A cell that a spreadsheet calculates, or the error it shows for one; a number with a sign is none."""

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How the files of Excel begin, new and old."""

Names = Mapping[str, str]


def column_names(languages: Mapping[Language, Texts]) -> Names:
    """The columns by their titles in every language, in lower case: those that ``export people`` writes."""
    titles = {column: column for column in COLUMNS} | {_key(title): column for title, column in EARLIER.items()}
    for texts in languages.values():
        titles |= {_key(texts(f"export.people.{column}")): column for column in COLUMNS}
    return titles


def read_csv(content: bytes, names: Names) -> Iterator[list[Wish]]:
    """The wishes of the file's lines, slice by slice. Raises ``FileRefused``."""
    if content.startswith(WORKBOOKS):
        raise FileRefused(FileFault.WORKBOOK)
    with io.TextIOWrapper(io.BytesIO(content), _encoding(content), newline="") as text:
        yield from _read(_bounded(text), names)


def _encoding(content: bytes) -> str:
    """Excel writes UTF-8, UTF-16 with tabs, or the code page of Western Europe, by the format chosen."""
    for encoding in ("utf-16",) if content.startswith(UTF_16) else ("utf-8-sig", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for start in range(0, len(content), CHUNK):
                decoder.decode(content[start : start + CHUNK])
            decoder.decode(b"", final=True)
        except UnicodeError:
            continue
        return encoding
    raise FileRefused(FileFault.NOT_TEXT)


def _bounded(text: Iterable[str]) -> Iterator[str]:
    """The lines, of which each can be read quickly. Raises ``FileRefused``."""
    for number, line in enumerate(text, 1):
        if len(line) > MAX_LINE:
            raise FileRefused(FileFault.LINE_TOO_LONG, str(number))
        if number > 2 * MAX_LINES:
            raise FileRefused(FileFault.TOO_MANY_LINES, str(MAX_LINES))
        yield line


def _read(lines: Iterator[str], names: Names) -> Iterator[list[Wish]]:
    skipped, header, separator = _header(lines, names)
    if not set(header) & set(WHO):
        raise FileRefused(FileFault.NO_PERSON)
    if not set(header) & set(WISHES):
        raise FileRefused(FileFault.NO_WISH)
    records, count = _records(lines, separator, skipped), 0
    while part := list(islice(records, SLICE)):
        wishes = [_wish(number, header, cells) for number, cells in part if any(cell.strip() for cell in cells)]
        count += len(wishes)
        if count > MAX_LINES:
            raise FileRefused(FileFault.TOO_MANY_LINES, str(MAX_LINES))
        yield wishes


def _header(lines: Iterator[str], names: Names) -> tuple[int, list[str], str]:
    """How many lines were read, the column of each cell (empty: not read), and the separator.

    ``sep=;`` in the first line is Excel's own.
    """
    allowed = SEPARATORS
    for read, line in enumerate(lines, 1):
        if "\0" in line:
            raise FileRefused(FileFault.NOT_TEXT)
        bare = line.strip()
        if re.fullmatch(r'"?sep=[,;\t]"?', line.strip("\r\n ")):
            allowed = line.strip('\r\n "')[-1]
        elif bare:
            found = [([names.get(_key(cell), "") for cell in _cells(line, each)], each) for each in allowed]
            header, separator = max(found, key=lambda pair: len(set(pair[0]) - {""}))
            _check_unique(header, _cells(line, separator))
            return read, header, separator
    raise FileRefused(FileFault.EMPTY)


def _check_unique(header: Sequence[str], titles: Sequence[str]) -> None:
    """Raises ``FileRefused`` with the titles of a column that is there more than once: none is the right one."""
    twice = next((column for column in header if column and header.count(column) > 1), "")
    if twice:
        written = [visible(title) for title, column in zip(titles, header, strict=True) if column == twice]
        raise FileRefused(FileFault.COLUMN_TWICE, ", ".join(written[:MAX_NAMED]))


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _records(lines: Iterator[str], separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        number = skipped + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            raise FileRefused(FileFault.QUOTES, str(number)) from None
        if cells is None:
            return
        yield number, cells


def _wish(number: int, header: Sequence[str], cells: Sequence[str]) -> Wish:
    if any(cell.strip() for cell in cells[len(header) :]):
        return Wish(number, fault=LineFault.TOO_MANY_CELLS)
    found: dict[str, str] = {}
    for column, cell in zip(header, cells, strict=False):
        if column:
            if FORMULA.match(written := without_secrets(visible(cell))):
                return Wish(number, fault=LineFault.FORMULA, detail=written)
            found[column] = written[1:].strip() if written.startswith("'") else written
    named = Wish(
        number,
        person_id=found.get("person_id", ""),
        address=found.get("address", ""),
        extension=found.get("extension", ""),
        name=found.get("name", ""),
    )
    if not any(found.get(column) for column in WHO):
        return replace(named, fault=LineFault.NOBODY)
    for column in ("excluded", "by_hand"):
        if found.get(column, "").casefold() not in YES | NO:
            return replace(named, fault=LineFault.NOT_YES_OR_NO, detail=found[column])
    return replace(
        named,
        excluded=_flag(found, "excluded"),
        account=found.get("teams_user", ""),
        by_hand=_flag(found, "by_hand"),
    )


def _flag(found: Mapping[str, str], column: str) -> bool | None:
    return found[column].casefold() in YES if column in found else None


def _key(title: str) -> str:
    return searchable(title)
