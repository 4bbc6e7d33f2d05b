from dataclasses import dataclass

from sync.domain.model import Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.people.matching import match


@dataclass(frozen=True)
class Somebody:
    id: str
    principal_name: str
    mail: str = ""
    enabled: bool = True
    proxy_addresses: tuple[str, ...] = ()


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


def by_proxies(people: list[CloudLinkUser], *accounts: Somebody) -> list[tuple[str | None, Unmatched | None]]:
    return [(found.teams_user_id, found.reason) for found in match(people, accounts, proxies=True)]


ALIASED = Somebody("rui", "rui@example.com", proxy_addresses=("R.Azevedo@Example.com", "rui@example.com"))


def test_other_addresses_count_only_where_they_are_asked_for() -> None:
    assert matched("r.azevedo@example.com", ALIASED) == (None, Unmatched.NOT_FOUND)
    assert by_proxies([user(" r.AZEVEDO@example.com")], ALIASED) == [("rui", None)]


def test_an_alias_that_two_users_have_is_nobody_s() -> None:
    other = Somebody("other", "other@example.com", proxy_addresses=("r.azevedo@example.com",))
    assert by_proxies([user("r.azevedo@example.com")], ALIASED, other) == [(None, Unmatched.AMBIGUOUS)]


def test_a_disabled_user_s_alias_says_so() -> None:
    gone = Somebody("rui", "rui@example.com", enabled=False, proxy_addresses=("r.azevedo@example.com",))
    assert by_proxies([user("r.azevedo@example.com")], gone) == [(None, Unmatched.DISABLED)]


def test_nobody_loses_a_match_to_somebody_s_alias() -> None:
    thief = Somebody("thief", "thief@example.com", proxy_addresses=("ana@example.com",))
    assert by_proxies([user("ana@example.com")], ANA, thief) == [("ana", None)]
    people = [user("rui@example.com", "first"), user("r.azevedo@example.com", "second")]
    assert by_proxies(people, ALIASED) == [("rui", None), (None, Unmatched.AMBIGUOUS)]


def test_two_people_who_reach_one_user_by_its_aliases_are_ambiguous() -> None:
    both = Somebody("rui", "rui@example.com", proxy_addresses=("a@example.com", "b@example.com"))
    people = [user("a@example.com", "first"), user("b@example.com", "second")]
    assert by_proxies(people, both) == [(None, Unmatched.AMBIGUOUS), (None, Unmatched.AMBIGUOUS)]
