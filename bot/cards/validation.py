"""Cleans and validates the inputs of a card before any service is called."""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from bot.cards.field_errors import FormError
from bot.cards.fields import LIFETIMES, MAX_ID, MAX_NAME, MAX_SECRET
from bot.languages import Texts
from core.text import visible
from sync.credentials.new_secrets import holds_secret

QUOTES = "\"'`´‘’“”„«»"

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LONGEST_SECRET = timedelta(days=2 * 366 + 1)
"""Azure offers 24 months at most ("Add credentials", Microsoft identity platform); a day for the time zone."""

_LENGTHS = {"description": MAX_NAME, "name": MAX_NAME, "cloudlink_secret": MAX_SECRET, "client_secret": MAX_SECRET}


def cleaned(typed: str) -> str:
    """On one line, without invisible characters, and without the quotes and commas that come with pasted text."""
    shown = "".join(letter for letter in visible(typed) if letter.isprintable())
    while shown != (bare := _unquoted(shown.rstrip(",;").strip())):
        shown = bare
    return shown


def _unquoted(typed: str) -> str:
    quoted = len(typed) > 1 and typed[0] in QUOTES and typed[-1] in QUOTES
    return typed[1:-1].strip() if quoted else typed


def entered(data: Mapping[str, str], *fields: str) -> dict[str, str]:
    """The fields, cleaned; a field that was not sent is empty."""
    return {field: cleaned(data.get(field, "")) for field in fields}


def is_guid(typed: str) -> bool:
    return GUID.fullmatch(typed) is not None


def check_filled(texts: Texts, values: Mapping[str, str], *fields: str) -> list[FormError]:
    """An error for each field that is empty or too long. Errors never contain values, which may be secrets."""
    found = (_check_length(texts, field, values.get(field, "")) for field in fields)
    return [form_error for form_error in found if form_error]


def check_lengths(texts: Texts, values: Mapping[str, str]) -> list[FormError]:
    """An error for each field that is too long; an empty one is allowed."""
    found = (_check_length(texts, field, typed) for field, typed in values.items() if typed)
    return [form_error for form_error in found if form_error]


def failed_check(texts: Texts, check: str, field: str, label: str = "") -> FormError:
    """The error of a check, from the texts ``check.<check>``, which may contain ``label``, and its ``.remedy``."""
    return FormError(texts(f"check.{check}", field=label), texts(f"check.{check}.remedy"), field=field)


def check_no_secret(texts: Texts, values: Mapping[str, str], *secrets: str) -> list[FormError]:
    """An error for each field, none of them for a secret, that holds one of ``secrets`` or looks like one."""
    held = [secret for secret in secrets if secret]
    return [
        failed_check(texts, "secret_here", field)
        for field, typed in values.items()
        if holds_secret(typed) or any(secret in typed for secret in held)
    ]


def without_secret(typed: Mapping[str, str], secret: str) -> dict[str, str]:
    """What is shown again: no field that the secret was pasted into too."""
    return {name: "" if secret and secret in value else value for name, value in typed.items()}


def _check_length(texts: Texts, field: str, typed: str) -> FormError | None:
    if not typed:
        return failed_check(texts, "required", field, texts(f"field.{field}"))
    if len(typed) > _LENGTHS.get(field, MAX_ID):
        return failed_check(texts, "too_long", field)
    return None


def check_guids(texts: Texts, values: Mapping[str, str], *fields: str) -> list[FormError]:
    """An error for each non-empty field that is not a GUID."""
    return [failed_check(texts, "guid", field) for field in fields if values[field] and not is_guid(values[field])]


def check_expiry(texts: Texts, typed: str, today: date) -> list[FormError]:
    """An error when the date is malformed, past or further than Azure offers; an empty one is allowed."""
    if not typed:
        return []
    day = day_of(typed)
    if day is None:
        return [failed_check(texts, "date", "expires_on")]
    if day < today:
        return [failed_check(texts, "past", "expires_on")]
    if day > today + LONGEST_SECRET:
        return [failed_check(texts, "far", "expires_on")]
    return []


def expiry_of(values: Mapping[str, str], today: date) -> date | None:
    """The day typed, or else as many days from today as were chosen; None without either."""
    chosen = values.get("expires_in", "")
    counted = today + timedelta(days=int(chosen)) if chosen in LIFETIMES else None
    return day_of(values.get("expires_on", "")) or counted


def day_of(typed: str) -> date | None:
    """The day written as ``2027-05-31``; None for anything else."""
    if not DAY.fullmatch(typed):
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None
