import pytest

from core.text import SEARCHED, searchable, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("ana@example.com\u200b", "ana@example.com"),
        ("\ufeffana@example.com", "ana@example.com"),
        ("an\u00ada@exam\u2060ple.com", "ana@example.com"),
        ("\u202aana@example.com\u202c\u200e", "ana@example.com"),
        ("Ana\u00a0Martins", "Ana Martins"),
        (" Ana\u2003\t Martins\r\n", "Ana Martins"),
        ("Ine\u0302s", "In\u00eas"),
        ("\u200b\ufeff ", ""),
    ],
)
def test_what_cannot_be_seen_is_removed(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize(
    ("parts", "searched"),
    [
        (("Sofia Conceição", "S.C@Example.com", "2001"), "sofia conceicao s.c@example.com 2001"),
        (("  Inês\u00a0 Sá\u200b", "", None), "ines sa"),
        (("Łukasz Straße", None), "łukasz strasse"),
        (("x" * 1000,), "x" * SEARCHED),
    ],
)
def test_what_is_searched_has_no_accents_case_or_invisible_letters(
    parts: tuple[str | None, ...], searched: str
) -> None:
    assert searchable(*parts) == searched
