import pytest

from core.text import visible


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
