"""Matches CloudLink users to Teams users by address: principal name, mail, and proxy addresses. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.text import visible
from sync.domain.model import Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import Account


@dataclass(frozen=True, slots=True)
class Matching:
    """A CloudLink user with a Teams user's id, or with the reason why none is matched."""

    person: CloudLinkUser
    teams_user_id: str | None
    reason: Unmatched | None


def match(
    people: Sequence[CloudLinkUser],
    accounts: Sequence[Account],
    proxies: bool = False,
    chosen: Mapping[str, str] | None = None,
) -> list[Matching]:
    """Match by hand or by address. ``chosen`` are the Teams users whom administrators chose, by CloudLink user id.

    Who is chosen for one person is matched to no other.
    """
    chosen = chosen or {}
    known = {account.id: account for account in accounts}
    choices = [
        _match_chosen(person, known.get(chosen[person.user_id])) for person in people if person.user_id in chosen
    ]
    by_hand = {one.person.user_id: one for one in _without_duplicates(choices)}
    taken = {chosen[user_id] for user_id in by_hand}
    rest = _match_addresses([person for person in people if person.user_id not in by_hand], accounts, proxies)
    found = by_hand | {
        one.person.user_id: Matching(one.person, None, Unmatched.TAKEN) if one.teams_user_id in taken else one
        for one in rest
    }
    return [found[person.user_id] for person in people]


def _match_chosen(person: CloudLinkUser, account: Account | None) -> Matching:
    if account is None:
        return Matching(person, None, Unmatched.CHOSEN_GONE)
    if account.guest:
        return Matching(person, None, Unmatched.GUEST)
    if not account.enabled:
        return Matching(person, None, Unmatched.DISABLED)
    return Matching(person, account.id, None)


def _match_addresses(people: Sequence[CloudLinkUser], accounts: Sequence[Account], proxies: bool) -> list[Matching]:
    """Match by address, ignoring case and what cannot be seen. Guests have no presence in this tenant.

    An address that two users share, on either side, matches none of them.

    With ``proxies``, users not found by principal name or mail are matched by the other addresses of Teams users;
    that never removes a match.
    """
    owners = Counter(_normalized(person.address) for person in people)
    directory = _by_address(accounts)
    found = _without_duplicates([_match_one(person, directory, owners) for person in people])
    if not proxies:
        return found
    aliases = _by_address(accounts, proxies=True)
    return _without_conflicts(found, [_match_alias(one, aliases, owners) for one in found])


def _match_alias(one: Matching, aliases: Mapping[str, list[Account]], owners: Counter[str]) -> Matching:
    return _match_one(one.person, aliases, owners) if one.reason is Unmatched.NOT_FOUND else one


def _without_conflicts(before: Sequence[Matching], after: Sequence[Matching]) -> list[Matching]:
    """A match by alias is ambiguous when the Teams user is matched already, or matched by two aliases."""
    taken = {one.teams_user_id for one in before if one.teams_user_id}
    newly = _without_duplicates([new for old, new in zip(before, after, strict=True) if new is not old])
    checked = {
        one.person.user_id: Matching(one.person, None, Unmatched.AMBIGUOUS) if one.teams_user_id in taken else one
        for one in newly
    }
    return [checked.get(old.person.user_id, old) for old in before]


def _match_one(person: CloudLinkUser, directory: Mapping[str, list[Account]], owners: Counter[str]) -> Matching:
    address = _normalized(person.address)
    if not address:
        return Matching(person, None, Unmatched.NO_ADDRESS)
    found = directory.get(address, [])
    if not found:
        return Matching(person, None, Unmatched.NOT_FOUND)
    found = [account for account in found if not account.guest]
    if not found:
        return Matching(person, None, Unmatched.GUEST)
    if len(found) > 1 or owners[address] > 1:
        return Matching(person, None, Unmatched.AMBIGUOUS)
    if not found[0].enabled:
        return Matching(person, None, Unmatched.DISABLED)
    return Matching(person, found[0].id, None)


def _by_address(accounts: Iterable[Account], proxies: bool = False) -> dict[str, list[Account]]:
    directory: dict[str, list[Account]] = defaultdict(list)
    for account in accounts:
        names = account.proxy_addresses if proxies else (account.principal_name, account.mail or "")
        for address in {_normalized(name) for name in names} - {""}:
            directory[address].append(account)
    return directory


def _without_duplicates(matchings: Sequence[Matching]) -> list[Matching]:
    """Two CloudLink users matched to the same Teams user, by its two addresses, are ambiguous as well."""
    claims = Counter(matching.teams_user_id for matching in matchings if matching.teams_user_id)
    return [
        Matching(one.person, None, Unmatched.AMBIGUOUS)
        if one.teams_user_id and claims[one.teams_user_id] > 1
        else one
        for one in matchings
    ]


def _normalized(address: str) -> str:
    return visible(address).replace(" ", "").casefold()
