"""People as the lines of a CSV file."""

from datetime import datetime

from bot.cards.health.proof import state_of
from bot.cards.people.words import from_us, hidden_word
from bot.languages import Texts
from sync.domain.people import ExportedPerson, PersonLine

COLUMNS = (
    *("name", "extension", "address", "teams_user", "teams_user_id"),
    *("phone", "wished", "applied", "read", "read_at"),
    *("left_out", "excluded", "by_hand", "changed_by", "changed_at", "person_id"),
)


def columns(texts: Texts) -> list[str]:
    """The header line of the file."""
    return [texts(f"export.people.{name}") for name in COLUMNS]


def line(texts: Texts, person: ExportedPerson) -> list[str]:
    """A person as a line of the file. What was not read from Teams is empty."""
    one = person.line
    return [
        one.name,
        one.extension or "",
        one.address,
        person.principal_name,
        person.teams_user_id,
        texts(f"line.{one.line}"),
        from_us(texts, one.desired),
        from_us(texts, one.shown),
        state_of(texts, one.read.activity) if one.read else "",
        _time(person.read_at),
        _left_out(texts, one),
        _yes(texts, one.excluded),
        _yes(texts, one.by_hand),
        one.changed_by,
        _time(one.changed_at),
        one.id,
    ]


def _left_out(texts: Texts, one: PersonLine) -> str:
    hidden = hidden_word(one)
    if hidden and not one.excluded:
        return texts(f"unmatched.{hidden}")
    if one.left_out:
        return texts(f"unmatched.{one.left_out}")
    return "" if one.is_matched else texts("people.not_read")


def _time(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _yes(texts: Texts, value: bool) -> str:
    return texts("detail.value.True") if value else ""
