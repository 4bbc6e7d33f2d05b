"""A file of exclusions and matches by hand: what its lines wish, and what they would change. Plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.errors import CloudLinkPresenceError


class FileFault(StrEnum):
    """Why a file as a whole cannot be read."""

    EMPTY = "empty"
    WORKBOOK = "workbook"
    NOT_TEXT = "not_text"
    NO_PERSON = "no_person"
    NO_WISH = "no_wish"
    COLUMN_TWICE = "column_twice"
    QUOTES = "quotes"
    LINE_TOO_LONG = "line_too_long"
    TOO_MANY_LINES = "too_many_lines"
    TOO_LARGE = "too_large"
    FOREIGN_HOST = "foreign_host"
    EXPIRED = "expired"
    UNREACHABLE = "unreachable"


class FileRefused(CloudLinkPresenceError):
    """``fault`` says why; ``detail`` is a line's number, a limit or titles, if that is part of it."""

    def __init__(self, fault: FileFault, detail: str = "") -> None:
        super().__init__(fault)
        self.fault, self.detail = fault, detail


class LineFault(StrEnum):
    """Why a line cannot be imported."""

    FORMULA = "formula"
    TOO_MANY_CELLS = "too_many_cells"
    NOT_YES_OR_NO = "not_yes_or_no"
    NOBODY = "nobody"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    DUPLICATE = "duplicate"
    CONTRADICTORY = "contradictory"
    NOT_READ = "not_read"
    NOT_FOUND = "not_found"
    SEVERAL_ACCOUNTS = "several_accounts"
    GUEST = "guest"
    DISABLED = "disabled"
    TAKEN = "taken"
    GIVEN_TWICE = "given_twice"


class Matched(StrEnum):
    """What a line does with a person's match."""

    MATCH = "match"
    UNMATCH = "unmatch"


@dataclass(frozen=True, slots=True)
class Wish:
    """A line of a file, by its ``number``: whom it names and what it wishes, None where it says nothing of it.

    ``account`` is the sign-in name of the account that is to be the person's. A ``fault`` is the line's own;
    ``detail`` is the cell at fault.
    """

    number: int
    person_id: str = ""
    address: str = ""
    extension: str = ""
    name: str = ""
    excluded: bool | None = None
    account: str = ""
    by_hand: bool | None = None
    fault: LineFault | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImportLine:
    """What a line would change for the person ``name``, None for what stays, or its ``fault``.

    It was compared with the number ``choices`` of what administrators changed about the person.
    """

    number: int
    person_id: str = ""
    name: str = ""
    choices: int = 0
    excluded: bool | None = None
    match: Matched | None = None
    user_id: str = ""
    account: str = ""
    fault: LineFault | None = None
    detail: str = ""

    @property
    def changes(self) -> bool:
        return self.excluded is not None or self.match is not None


@dataclass(frozen=True, slots=True)
class Figures:
    """How many people an import changes, by what it does; ``faulty`` counts lines."""

    excluded: int = 0
    included: int = 0
    matched: int = 0
    unmatched: int = 0
    unchanged: int = 0
    faulty: int = 0

    @property
    def changes(self) -> int:
        return self.excluded + self.included + self.matched + self.unmatched


@dataclass(frozen=True, slots=True)
class Changed:
    """A person who was changed since the preview was made, and by whom; empty for what Entra ID says."""

    name: str
    by: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import of an administrator: a page of its lines (the faulty ones if there are any), or what it did.

    ``changed`` are people who changed since the preview, when it was to be applied.
    """

    id: str
    integration_id: str
    file: str
    at: datetime
    figures: Figures
    is_done: bool = False
    lines: Sequence[ImportLine] = ()
    has_before: bool = False
    has_after: bool = False
    changed: Sequence[Changed] = ()
