"""Cleans and validates the inputs of a card before any service is called."""

import re
from collections.abc import Mapping
from datetime import date

from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_ID, MAX_NAME, MAX_SECRET
from bot.languages import Texts

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LENGTHS = {"description": MAX_NAME, "name": MAX_NAME, "cloudlink_secret": MAX_SECRET, "client_secret": MAX_SECRET}


def cleaned(typed: str) -> str:
    """On one line, without surrounding blanks or invisible characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in typed).split())


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


def name_taken(texts: Texts) -> FormError:
    """Names are unique within an organisation."""
    return FormError(texts("check.name_taken"), texts("check.name_taken.remedy"), field="name")


def _check_length(texts: Texts, field: str, typed: str) -> FormError | None:
    if not typed:
        name = texts(f"field.{field}")
        return FormError(texts("check.required", field=name), texts("check.required.remedy"), field=field)
    if len(typed) > _LENGTHS.get(field, MAX_ID):
        return FormError(texts("check.too_long"), texts("check.too_long.remedy"), field=field)
    return None


def check_guids(texts: Texts, values: Mapping[str, str], *fields: str) -> list[FormError]:
    """An error for each non-empty field that is not a GUID."""
    return [
        FormError(texts("check.guid"), texts("check.guid.remedy"), field=field)
        for field in fields
        if values[field] and not is_guid(values[field])
    ]


def check_expiry(texts: Texts, typed: str, today: date) -> list[FormError]:
    """An error when the date is malformed or past; an empty one is allowed."""
    if not typed:
        return []
    day = day_of(typed)
    if day is None:
        return [FormError(texts("check.date"), texts("check.date.remedy"), field="expires_on")]
    if day < today:
        return [FormError(texts("check.past"), texts("check.past.remedy"), field="expires_on")]
    return []


def day_of(typed: str) -> date | None:
    """The day written as ``2027-05-31``; None for anything else."""
    if not DAY.fullmatch(typed):
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None
