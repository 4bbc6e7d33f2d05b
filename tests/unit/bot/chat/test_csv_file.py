"""CSV as spreadsheets and people write it."""

import codecs
from itertools import chain

import pytest

from bot.chat.imports import csv_file
from bot.chat.imports.csv_file import SLICE, column_names, read_csv
from bot.languages import load_texts
from sync.people.imports.values import FileFault, FileRefused, LineFault, Wish

NAMES = column_names(load_texts())
WISH = Wish(2, address="zé@example.com", excluded=True, account="zé@contoso.example")
LINES = (
    "{0}Address{0},{0}Excluded{0},{0}Teams user{0}\r\n{0}zé@example.com{0},{0}yes{0},{0}zé@contoso.example{0}\r\n"
)


def read(content: str) -> list[Wish]:
    return whole(content.encode())


def whole(content: bytes) -> list[Wish]:
    return [*chain.from_iterable(read_csv(content, NAMES))]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_it_is_read_in_every_form(separator: str, quote: str, encoding: str) -> None:
    assert whole(LINES.format(quote).replace(",", separator).encode(encoding)) == [WISH]


@pytest.mark.parametrize(
    "header",
    [
        "endereço;OCULTA;Utilizador do Teams",
        "endereço;Excluída;Utilizador do Teams",
        "Endereco;Excluído;Utilizador do Teams",
        "address;excluded;teams_user",
        "sep=;\r\nAddress;Excluded;Teams User",
    ],
)
def test_the_header_is_in_either_language(header: str) -> None:
    (wish,) = read(f"{header}\n zé@example.com ;SIM;zé@contoso.example\n")
    assert (wish.address, wish.excluded, wish.account) == (WISH.address, True, WISH.account)


def test_lines_have_the_numbers_that_an_editor_shows() -> None:
    wishes = read('Name,Excluded\n\n"Ana\nLima",yes\n,,\nGil,no\n')
    assert [(wish.number, wish.name, wish.excluded) for wish in wishes] == [
        (3, "Ana Lima", True),
        (6, "Gil", False),
    ]


def test_columns_that_are_not_read_may_have_the_same_title() -> None:
    assert [wish.name for wish in read("Comment,Name,Comment,Excluded\nx,Ana,y,yes\n")] == ["Ana"]


def test_a_column_that_is_missing_wishes_nothing() -> None:
    (wish,) = read("Extension,Comment,Matched by hand\n2001,=1,\n")
    assert (wish.extension, wish.excluded, wish.account, wish.by_hand) == ("2001", None, "", False)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("=1+1", LineFault.FORMULA),
        ("+cmd|' /C calc'!A0", LineFault.FORMULA),
        ("-a", LineFault.FORMULA),
        ("@SUM(A1)", LineFault.FORMULA),
        ("＝1", LineFault.FORMULA),
        ("\u200b=1", LineFault.FORMULA),
        ("#NAME?", LineFault.FORMULA),
        ("#DIV/0!", LineFault.FORMULA),
        ("#N/A", LineFault.FORMULA),
        ("+351 210 000", None),
        ("'=1", None),
        ("#12", None),
        ("-", None),
    ],
)
def test_a_formula_is_no_value(cell: str, fault: LineFault | None) -> None:
    (wish,) = read(f'Extension;Excluded\n"{cell}";yes\n')
    assert wish.fault is fault


@pytest.mark.parametrize(
    ("content", "fault", "detail"),
    [
        (b"", FileFault.EMPTY, ""),
        (b"\xef\xbb\xbf\r\n\r\n", FileFault.EMPTY, ""),
        (b"PK\x03\x04more", FileFault.WORKBOOK, ""),
        (b"a\0b\n", FileFault.NOT_TEXT, ""),
        (b"\x81\x8d", FileFault.NOT_TEXT, ""),
        (codecs.BOM_UTF16_LE + b"a", FileFault.NOT_TEXT, ""),
        (b"ana@example.com\n", FileFault.NO_PERSON, ""),
        (b"Excluded\nyes\n", FileFault.NO_PERSON, ""),
        (b"Address\nana@example.com\n", FileFault.NO_WISH, ""),
        (b"Name,Excluded,name\nAna,yes,Gil\n", FileFault.COLUMN_TWICE, "Name, name"),
        ("Endereço;Address;Excluded\na@b.example;;yes\n".encode(), FileFault.COLUMN_TWICE, "Endereço, Address"),
        (b"sep=;\nName;Excluded;Excluded\nAna;yes;no\n", FileFault.COLUMN_TWICE, "Excluded, Excluded"),
        (b'Name,Excluded\nAna,yes\n"Gil,no\n', FileFault.QUOTES, "3"),
        (b'Name,Excluded\nAna,yes\n"Gil"x,no\n', FileFault.QUOTES, "3"),
        (b'Name,Excluded\n"' + b"x\n" * 100_000, FileFault.TOO_MANY_LINES, "6"),
        (b"Name,Excluded" + b"," * 200_000, FileFault.LINE_TOO_LONG, "1"),
        (b"Name,Excluded\nAna" + b"," * 200_000, FileFault.LINE_TOO_LONG, "2"),
        (b"Name,Excluded\n" + b"\n" * 13, FileFault.TOO_MANY_LINES, "6"),
        (b"\n" * 13 + b"Name,Excluded\n", FileFault.TOO_MANY_LINES, "6"),
        (b"Name,Excluded\n" + b"Ana,yes\n" * 7, FileFault.TOO_MANY_LINES, "6"),
    ],
)
def test_what_is_no_such_file_is_refused(
    content: bytes, fault: FileFault, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "MAX_LINES", 6)
    with pytest.raises(FileRefused) as refused:
        whole(content)
    assert (refused.value.fault, refused.value.detail) == (fault, detail)


def test_a_slice_has_so_many_lines_of_the_file_whatever_is_in_them() -> None:
    content = b"Name,Excluded\n" + b"\n" * SLICE + b"Ana,yes\n" * SLICE
    assert [len(part) for part in read_csv(content, NAMES)] == [0, SLICE]
