"""Validation of typed values, before any service is called."""

from datetime import date

import pytest

from bot.cards import validation
from bot.languages import Language, load_texts

TEXTS = load_texts()[Language.ENGLISH]


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        (" a ", "a"),
        ("a\r\nb", "a b"),
        ("\ufeffa\u200b", "a"),
        ("a\u0000b", "ab"),
        ("a\u200bb", "ab"),
        ('"a"', "a"),
        ("'a',", "a"),
        ("\u201ca\u201d;", "a"),
        ('"a', '"a'),
        ("Ana's", "Ana's"),
        ('"', '"'),
        (",", ""),
        ("\u00a0", ""),
        ("Ünïcode~.", "Ünïcode~."),
    ],
)
def test_pasted_text_is_cleaned(typed: str, cleaned: str) -> None:
    assert validation.cleaned(typed) == cleaned


def test_a_field_that_was_not_sent_is_empty_and_others_are_left_behind() -> None:
    assert validation.entered({"name": " a ", "client_secret": "s"}, "name", "tenant_id") == {
        "name": "a",
        "tenant_id": "",
    }


@pytest.mark.parametrize("typed", ["20270531", "2027-W22-1", "2027-13-01", "31/05/2027", "2027-05-31T00", ""])
def test_only_a_day_is_a_day(typed: str) -> None:
    assert validation.day_of(typed) is None


def test_a_day() -> None:
    assert validation.day_of("2027-05-31") == date(2027, 5, 31)


def test_a_secret_that_expires_today_still_works_today() -> None:
    assert validation.check_expiry(TEXTS, "2026-11-22", date(2026, 11, 22)) == []
    assert [c.field for c in validation.check_expiry(TEXTS, "2026-11-21", date(2026, 11, 22))] == ["expires_on"]


def test_a_secret_lasts_two_years_at_most() -> None:
    assert validation.check_expiry(TEXTS, "2028-11-23", date(2026, 11, 22)) == []
    far = validation.check_expiry(TEXTS, "9999-12-31", date(2026, 11, 22))
    assert [(each.field, each.sentence) for each in far] == [("expires_on", TEXTS("check.far"))]


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        ("Head office", False),
        ("Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0", True),
        ("Office Xq18Q~dK3vLw9ZtR_uYbN7.cFhJmSaGe2PoTiVx0", True),
        ("cloudlink~s3cret", True),
        ("", False),
    ],
)
def test_a_secret_is_no_name(typed: str, refused: bool) -> None:
    found = validation.check_no_secret(TEXTS, {"name": typed}, "cloudlink~s3cret", "")
    assert [each.field for each in found] == (["name"] if refused else [])
    assert typed not in str(found) or not refused


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("1b2c3d4e-0000-4000-8000-1234567890ab", True),
        ("1B2C3D4E-0000-4000-8000-1234567890AB", True),
        ("{1b2c3d4e-0000-4000-8000-1234567890ab}", False),
        ("1b2c3d4e000040008000123456789 0ab", False),
        ("1b2c3d4e-0000-4000-8000-1234567890ab\n", False),
    ],
)
def test_the_shape_of_an_id(typed: str, right: bool) -> None:
    assert validation.is_guid(typed) is right


def test_a_form_error_never_repeats_a_secret() -> None:
    secret = "s3cret" * 100
    (said,) = validation.check_filled(TEXTS, {"client_secret": secret}, "client_secret")
    assert "s3cret" not in f"{said.sentence}{said.remedy}"
