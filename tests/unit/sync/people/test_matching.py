from dataclasses import dataclass

import pytest

from sync.domain.model import Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.people.matching import match


@dataclass(frozen=True)
class User:
    id: str
    principal_name: str
    mail: str = ""
    enabled: bool = True
    proxy_addresses: tuple[str, ...] = ()
    guest: bool = False


def user(address: str, user_id: str = "u") -> CloudLinkUser:
    return CloudLinkUser(user_id, "Name", address, "2001")


def matched(address: str, *accounts: User) -> tuple[str | None, Unmatched | None]:
    [found] = match([user(address)], accounts)
    return found.teams_user_id, found.reason


ANA = User("ana", "Ana@Example.com", "ana.m@example.com")


def test_principal_name_and_mail_match_without_case_or_blanks() -> None:
    assert matched(" ANA@example.COM ", ANA) == ("ana", None)
    assert matched("Ana.M@Example.com", ANA) == ("ana", None)


def test_without_an_address_or_with_an_unknown_one_there_is_no_match() -> None:
    assert matched("  ", User("x", "", "")) == (None, Unmatched.NO_ADDRESS)
    assert matched("bob@example.com", ANA) == (None, Unmatched.NOT_FOUND)


def test_a_user_whose_mail_is_the_principal_name_is_not_ambiguous() -> None:
    assert matched("a@example.com", User("a", "a@example.com", "A@example.com")) == ("a", None)


def test_an_address_of_two_users_is_ambiguous_even_if_one_is_disabled() -> None:
    other = User("other", "x@example.com", "ana@example.com", enabled=False)
    assert matched("ana@example.com", ANA, other) == (None, Unmatched.AMBIGUOUS)


def test_two_people_with_one_address_are_both_ambiguous() -> None:
    found = match([user("ana@example.com", "u1"), user("ANA@example.com", "u2")], [ANA])
    assert [one.reason for one in found] == [Unmatched.AMBIGUOUS] * 2


def test_two_people_matched_to_one_user_by_its_two_addresses_are_ambiguous() -> None:
    found = match([user("ana@example.com", "u1"), user("ana.m@example.com", "u2")], [ANA])
    assert [one.reason for one in found] == [Unmatched.AMBIGUOUS] * 2


def test_a_disabled_user_is_not_matched() -> None:
    disabled = User("ana", "ana@example.com", enabled=False)
    assert matched("ana@example.com", disabled) == (None, Unmatched.DISABLED)


def by_proxies(people: list[CloudLinkUser], *accounts: User) -> list[tuple[str | None, Unmatched | None]]:
    return [(found.teams_user_id, found.reason) for found in match(people, accounts, proxies=True)]


ALIASED = User("rui", "rui@example.com", proxy_addresses=("R.Azevedo@Example.com", "rui@example.com"))


def test_proxy_addresses_count_only_with_proxies() -> None:
    assert matched("r.azevedo@example.com", ALIASED) == (None, Unmatched.NOT_FOUND)
    assert by_proxies([user(" r.AZEVEDO@example.com")], ALIASED) == [("rui", None)]


def test_an_alias_of_two_users_is_ambiguous() -> None:
    other = User("other", "other@example.com", proxy_addresses=("r.azevedo@example.com",))
    assert by_proxies([user("r.azevedo@example.com")], ALIASED, other) == [(None, Unmatched.AMBIGUOUS)]


def test_an_alias_of_a_disabled_user_is_reported_as_disabled() -> None:
    gone = User("rui", "rui@example.com", enabled=False, proxy_addresses=("r.azevedo@example.com",))
    assert by_proxies([user("r.azevedo@example.com")], gone) == [(None, Unmatched.DISABLED)]


def test_an_alias_never_removes_a_match() -> None:
    other = User("other", "other@example.com", proxy_addresses=("ana@example.com",))
    assert by_proxies([user("ana@example.com")], ANA, other) == [("ana", None)]
    people = [user("rui@example.com", "first"), user("r.azevedo@example.com", "second")]
    assert by_proxies(people, ALIASED) == [("rui", None), (None, Unmatched.AMBIGUOUS)]


def test_two_people_matched_to_one_user_by_its_aliases_are_ambiguous() -> None:
    both = User("rui", "rui@example.com", proxy_addresses=("a@example.com", "b@example.com"))
    people = [user("a@example.com", "first"), user("b@example.com", "second")]
    assert by_proxies(people, both) == [(None, Unmatched.AMBIGUOUS), (None, Unmatched.AMBIGUOUS)]


@pytest.mark.parametrize(
    "address",
    [
        "\ufeffana@example.com",
        "ana@example.com\u200b",
        "a\u00adna@example.com",
        "\u200eana@example.com\u200f\u00a0",
    ],
)
def test_what_cannot_be_seen_does_not_count_on_either_side(address: str) -> None:
    assert matched(address, ANA) == ("ana", None)
    assert matched("ana@example.com", User("ana", address)) == ("ana", None)


def test_an_address_of_nothing_visible_is_none() -> None:
    assert matched("\u200b\ufeff", ANA) == (None, Unmatched.NO_ADDRESS)


def test_a_guest_is_left_out_and_takes_no_address_from_a_colleague() -> None:
    guest = User("guest", "ana_example.com#EXT#@contoso.example", "ana@example.com", guest=True)
    assert matched("ana@example.com", guest) == (None, Unmatched.GUEST)
    assert matched("ana@example.com", guest, ANA) == ("ana", None)


def test_who_is_chosen_by_hand_is_matched_whatever_the_addresses_say() -> None:
    people = [user("bob@example.com", "b"), user("ana@example.com", "a"), user("eva@example.com", "e")]
    accounts = [ANA, User("eva", "eva@example.com"), User("free", "free@example.com")]
    found = match(people, accounts, chosen={"b": "free"})
    assert [(one.teams_user_id, one.reason) for one in found] == [("free", None), ("ana", None), ("eva", None)]


def test_an_account_chosen_for_one_person_is_nobody_elses() -> None:
    found = match([user("bob@example.com", "b"), user("ana@example.com", "a")], [ANA], chosen={"b": "ana"})
    assert [(one.teams_user_id, one.reason) for one in found] == [("ana", None), (None, Unmatched.TAKEN)]


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (User("x", "x@example.com", guest=True), Unmatched.GUEST),
        (User("x", "x@example.com", enabled=False), Unmatched.DISABLED),
        (User("y", "y@example.com"), Unmatched.CHOSEN_GONE),
    ],
)
def test_a_chosen_account_that_no_longer_fits_says_why(account: User, reason: Unmatched) -> None:
    (found,) = match([user("ana@example.com")], [account, ANA], chosen={"u": "x"})
    assert (found.teams_user_id, found.reason) == (None, reason)


def test_an_account_chosen_for_someone_who_was_gone_and_for_another_meanwhile_is_neithers() -> None:
    found = match(
        [user("bob@example.com", "b"), user("ana@example.com", "a")], [ANA], chosen={"a": "ana", "b": "ana"}
    )
    assert [(one.teams_user_id, one.reason) for one in found] == [(None, Unmatched.AMBIGUOUS)] * 2


def test_two_of_an_address_are_two_no_more_once_one_is_chosen_by_hand() -> None:
    twins = [user("ana@example.com", "a"), user("ana@example.com", "b")]
    found = match(twins, [ANA, User("free", "free@example.com")], chosen={"b": "free"})
    assert [one.teams_user_id for one in found] == ["ana", "free"]
