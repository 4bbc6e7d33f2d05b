"""Who is who: a CloudLink person's address against Teams users' principal names and mail addresses. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync.line_events import CloudLinkUser
from sync.model import Unmatched


class Account(Protocol):
    """What matching reads of a Teams user."""

    @property
    def id(self) -> str: ...
    @property
    def principal_name(self) -> str: ...
    @property
    def mail(self) -> str | None: ...
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Matching:
    """A CloudLink person with a Teams user's id, or with the reason why there is none."""

    person: CloudLinkUser
    teams_user_id: str | None
    reason: Unmatched | None


def match(people: Sequence[CloudLinkUser], accounts: Iterable[Account]) -> list[Matching]:
    """Compared without case. An address that two people share, on either side, is nobody's: never guessed."""
    directory = _by_address(accounts)
    owners = Counter(_plain(person.address) for person in people)
    return _without_doubles([_match_one(person, directory, owners) for person in people])


def _match_one(person: CloudLinkUser, directory: Mapping[str, list[Account]], owners: Counter[str]) -> Matching:
    address = _plain(person.address)
    if not address:
        return Matching(person, None, Unmatched.NO_ADDRESS)
    found = directory.get(address, [])
    if not found:
        return Matching(person, None, Unmatched.NOT_FOUND)
    if len(found) > 1 or owners[address] > 1:
        return Matching(person, None, Unmatched.AMBIGUOUS)
    if not found[0].enabled:
        return Matching(person, None, Unmatched.DISABLED)
    return Matching(person, found[0].id, None)


def _by_address(accounts: Iterable[Account]) -> dict[str, list[Account]]:
    directory: dict[str, list[Account]] = defaultdict(list)
    for account in accounts:
        for address in {_plain(account.principal_name), _plain(account.mail or "")} - {""}:
            directory[address].append(account)
    return directory


def _without_doubles(matchings: Sequence[Matching]) -> list[Matching]:
    """Two people who reach the same Teams user by its two addresses are ambiguous as well."""
    claims = Counter(matching.teams_user_id for matching in matchings if matching.teams_user_id)
    return [
        Matching(one.person, None, Unmatched.AMBIGUOUS)
        if one.teams_user_id and claims[one.teams_user_id] > 1
        else one
        for one in matchings
    ]


def _plain(address: str) -> str:
    return address.strip().casefold()
