"""Text from outside as people read it."""

import unicodedata

SEARCHED = 300
"""Characters of a text that are searched: an index of PostgreSQL takes some 2,700 bytes."""


def visible(text: str) -> str:
    """``text`` without what cannot be seen: control and format characters, and blanks other than single spaces.

    A byte order mark, a zero-width space, a soft hyphen, a mark of direction and a non-breaking space come with
    pasted text and make two equal texts differ. Letters are composed, as most keyboards write them.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    blanked = "".join(" " if letter.isspace() else letter for letter in text)
    kept = "".join(letter for letter in blanked if unicodedata.category(letter) not in {"Cc", "Cf"})
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def searchable(*parts: str | None) -> str:
    """``parts`` as they are searched and sorted: lower case, without accents or what cannot be seen."""
    letters = unicodedata.normalize("NFKD", visible(" ".join(part for part in parts if part)).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))[:SEARCHED]
