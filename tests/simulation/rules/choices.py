"""What administrators and people chose, as they know it: the oracle's part of the rules."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.models.graph import TeamsUser
from tests.simulation.models.phones import Colleague, PhoneSystem
from tests.simulation.rules.selection import Member, applying, is_inside

EXCLUDED, ACCOUNT, MAPPING = "excluded", "account", "mapping"
SCOPE, OPTED_OUT, SCHEDULE, TEXTS = "scope", "opted out", "schedule", "texts"
SOME_MAPPINGS, MAPPED = "some mappings", "mapped"

IN_ORDER = "in order"
"""Of ``SOME_MAPPINGS``: each mapping's name, what it shows for each state, and the rules that select people."""

Choice = tuple[str, str, str]
"""What is chosen, in which CloudLink account, and for whom (a user id), or empty for everybody."""

Value = bool | str | None | Mapping[str, Any]


@dataclass
class Choices:
    """``doubted`` are those of which it is not known whether they were stored: the process was killed meanwhile.

    Of two acts at the same moment nobody knows which was stored last: what they ``contest`` stays doubted.
    """

    values: dict[Choice, Value] = field(default_factory=dict)
    doubted: set[Choice] = field(default_factory=set)
    contested: set[Choice] = field(default_factory=set)
    _acts: dict[Choice, "asyncio.Task[Any] | None"] = field(default_factory=dict)

    def begin(self, choice: Choice) -> None:
        """Someone is about to choose."""
        if self.is_under_way(choice):
            self.contested.add(choice)
        self._acts[choice] = asyncio.current_task()
        self.doubted.add(choice)

    def is_under_way(self, choice: Choice) -> bool:
        """Whether someone else is choosing it."""
        act = self._acts.get(choice)
        return bool(act and act is not asyncio.current_task() and not (act.done() or act.get_loop().is_closed()))

    def agree(self, choice: Choice, value: Value) -> None:
        """The product said that it is stored."""
        self.values[choice] = value
        if choice not in self.contested:
            self.doubted.discard(choice)

    def doubt_account(self, account_id: str) -> None:
        """An integration is removed: what was chosen goes with it, and perhaps what is being chosen."""
        self.contested |= {each for each in self._acts if each[1] == account_id and self.is_under_way(each)}
        self.doubted |= {choice for choice in self.values if choice[1] == account_id}

    def contest(self, kind: str, account_id: str) -> None:
        """What is being chosen of this kind may be changed by something else at this moment."""
        theirs = (each for each in self._acts if each[:2] == (kind, account_id))
        self.contested |= set(filter(self.is_under_way, theirs))

    def doubt_all(self, kind: str, account_id: str) -> None:
        """What everybody has of this kind changes with something else."""
        self.doubted |= {choice for choice in self.values if choice[:2] == (kind, account_id)}

    def forget_all(self, kind: str, account_id: str, nothing: Value) -> None:
        """Nobody has it any more."""
        for choice in [each for each in self.values if each[:2] == (kind, account_id)]:
            self.agree(choice, nothing)

    def having(self, kind: str, account_id: str, value: Value) -> list[Choice]:
        """Those that are known to have this value."""
        found = (choice for choice in self.values.keys() - self.doubted if self.values[choice] == value)
        return sorted(choice for choice in found if choice[:2] == (kind, account_id))

    def learn(self, seen: Mapping[Choice, Value], *, may_be_lost: bool) -> list[str]:
        """Compare with what the product shows: what was agreed must be there. Doubts end."""
        lost = [
            f"{choice} is {seen[choice]}, chosen was {value}"
            for choice, value in self.values.items()
            if choice in seen and seen[choice] != value and choice not in self.doubted and not may_be_lost
        ]
        self.values |= {choice: value for choice, value in seen.items() if choice in self.doubted or may_be_lost}
        self.doubted -= seen.keys()
        self.contested -= seen.keys()
        return lost

    # What the rules say

    def hidden(self, phones: PhoneSystem, colleague: Colleague, groups: Collection[str] | None) -> str:
        """Why this person is not to be shown, empty when they are: the first reason counts."""
        account_id, user_id = phones.account_id, colleague.user_id
        if self.values.get((EXCLUDED, account_id, user_id)):
            return "excluded"
        scope = self.of_account(SCOPE, account_id)
        if scope and not is_inside(scope, Member(colleague, groups)):
            return "outside"
        may_opt_out = scope.get("may_opt_out", True)
        return "opted_out" if may_opt_out and self.values.get((OPTED_OUT, account_id, user_id)) else ""

    def teams_user(self, phones: PhoneSystem, colleague: Colleague, users: Mapping[str, TeamsUser]) -> str | None:
        """The active member chosen by hand; or the one who has this address, unless chosen for another."""
        chosen = self._account(phones, colleague.user_id)
        if chosen:
            return chosen if users[chosen].enabled and not users[chosen].guest else None
        own = by_address(colleague.address, users.values())
        return None if own and self._is_chosen(phones, own) else own

    def unmatched(self, phones: PhoneSystem, colleague: Colleague, users: Mapping[str, TeamsUser]) -> str:
        """Why this person has no Teams user; empty when they have one."""
        if self.teams_user(phones, colleague, users):
            return ""
        chosen = self._account(phones, colleague.user_id)
        found = [users[chosen]] if chosen else having(colleague.address, users.values())
        members = [user for user in found if not user.guest]
        if not members:
            return "guest" if found else "not_found"
        if len(members) > 1:
            return "ambiguous"
        return "taken" if members[0].enabled else "disabled"

    def _is_chosen(self, phones: PhoneSystem, teams_id: str) -> bool:
        return any(
            value == teams_id and kind == ACCOUNT and account == phones.account_id and user_id in phones.colleagues
            for (kind, account, user_id), value in self.values.items()
        )

    def _account(self, phones: PhoneSystem, user_id: str) -> str:
        return str(self.values.get((ACCOUNT, phones.account_id, user_id)) or "")

    def mapping(self, phones: PhoneSystem, member: Member) -> Mapping[str, str | None]:
        """What was chosen for each state, for some people or for all; the others are Mitel's."""
        some = self.further(phones, member)
        return some["shows"] if some else self.of_account(MAPPING, phones.account_id)

    def further(self, phones: PhoneSystem, member: Member) -> Mapping[str, Any] | None:
        """The mapping for some people that applies to this person, if any."""
        mappings = self.of_account(SOME_MAPPINGS, phones.account_id).get(IN_ORDER, ())
        chosen = self.values.get((MAPPED, phones.account_id, member.colleague.user_id))
        return applying(mappings, str(chosen or ""), member)

    def of_account(self, kind: str, account_id: str) -> Mapping[str, Any]:
        """What was chosen for everybody of an account."""
        found = self.values.get((kind, account_id, ""))
        return found if isinstance(found, Mapping) else {}


def having(address: str, users: Iterable[TeamsUser]) -> list[TeamsUser]:
    return [user for user in users if address in (user.principal_name, user.mail)]


def by_address(address: str, users: Iterable[TeamsUser]) -> str | None:
    """The one active member of the tenant who has this address."""
    same = [user for user in having(address, users) if not user.guest]
    return same[0].id if len(same) == 1 and same[0].enabled else None
