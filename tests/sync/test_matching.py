from dataclasses import dataclass

from sync.line_events import CloudLinkUser
from sync.matching import match
from sync.model import Unmatched


@dataclass(frozen=True)
class Somebody:
    id: str
    principal_name: str
    mail: str = ""
    enabled: bool = True


def user(address: str, user_id: str = "u") -> CloudLinkUser:
    return CloudLinkUser(user_id, "Name", address, "2001")


def matched(address: str, *accounts: Somebody) -> tuple[str | None, Unmatched | None]:
    [found] = match([user(address)], accounts)
    return found.teams_user_id, found.reason


ANA = Somebody("ana", "Ana@Example.com", "ana.m@example.com")


def test_principal_name_and_mail_match_without_case_or_blanks() -> None:
    assert matched(" ANA@example.COM ", ANA) == ("ana", None)
    assert matched("Ana.M@Example.com", ANA) == ("ana", None)


def test_nobody_without_an_address_and_nobody_with_an_unknown_one() -> None:
    assert matched("  ", Somebody("x", "", "")) == (None, Unmatched.NO_ADDRESS)
    assert matched("bob@example.com", ANA) == (None, Unmatched.NOT_FOUND)


def test_an_account_whose_mail_is_its_principal_name_is_one_not_two() -> None:
    assert matched("a@example.com", Somebody("a", "a@example.com", "A@example.com")) == ("a", None)


def test_one_address_of_two_accounts_is_ambiguous_even_if_one_is_disabled() -> None:
    other = Somebody("other", "x@example.com", "ana@example.com", enabled=False)
    assert matched("ana@example.com", ANA, other) == (None, Unmatched.AMBIGUOUS)


def test_two_people_with_one_address_are_both_ambiguous() -> None:
    found = match([user("ana@example.com", "u1"), user("ANA@example.com", "u2")], [ANA])
    assert [one.reason for one in found] == [Unmatched.AMBIGUOUS] * 2


def test_two_people_who_reach_one_account_by_its_two_addresses_are_ambiguous() -> None:
    found = match([user("ana@example.com", "u1"), user("ana.m@example.com", "u2")], [ANA])
    assert [one.reason for one in found] == [Unmatched.AMBIGUOUS] * 2


def test_a_disabled_account_is_no_match() -> None:
    disabled = Somebody("ana", "ana@example.com", enabled=False)
    assert matched("ana@example.com", disabled) == (None, Unmatched.DISABLED)
