"""What a reading of both directories changes in the people stored."""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from core.grouping import grouped
from storage.database import Database
from storage.queries.people.directory import Directory, slices
from sync.domain.model import Service, Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import Account
from sync.people.matching import Matching, match
from sync.people.sudden_loss import Loss

GONE_FROM_CLOUDLINK: Directory = ("", "", None, "", None, None, True)


@dataclass(slots=True)
class Difference:
    """``wanted`` is what the reading says of each CloudLink user.

    ``changed`` are users who are new, differ or are gone; ``former`` those for whom Teams shows something that is
    another's now, with these. ``listed`` and ``matched`` people were stored before, so many of them with an address
    and an extension; the ``lost``, by id, no longer match; ``has_new`` says whether people are newly matched.
    """

    wanted: Mapping[str, Directory]
    changed: list[str] = field(default_factory=list)
    former: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    listed: int = 0
    matched: int = 0
    with_address: int = 0
    with_extension: int = 0
    has_new: bool = False

    def losses(self) -> tuple[Loss, ...]:
        """How many there were before and are now: CloudLink's users, and those matched in Teams."""
        rows = self.wanted.values()
        return (
            Loss(Service.CLOUDLINK, self.listed, len(rows)),
            Loss(Service.CLOUDLINK, self.with_address, sum(1 for row in rows if row[1]), "address"),
            Loss(Service.CLOUDLINK, self.with_extension, sum(1 for row in rows if row[2]), "extension"),
            Loss(Service.ENTRA, self.matched, self.matched_now),
        )

    @property
    def matched_now(self) -> int:
        return sum(1 for row in self.wanted.values() if row[4])


def wanted_of(
    users: Sequence[CloudLinkUser], accounts: Sequence[Account], proxies: bool, chosen: Mapping[str, str]
) -> dict[str, Directory]:
    """What is to be stored of each CloudLink user. Pure; of 100,000 users it takes a second: run it in a thread."""
    shared = _with_shared_extension(users)
    return {one.person.user_id: _directory(one, shared) for one in match(users, accounts, proxies, chosen)}


async def is_unchanged(
    database: Database, integration_id: str, users: Collection[CloudLinkUser], matched: int
) -> bool:
    """Whether these are CloudLink's users as stored, of whom so many are matched, and nobody is leaving."""
    listed = {user.user_id: user for user in users}
    seen = found = 0
    async for part in slices(database, integration_id):
        for user_id, stored, _, _ in part:
            user = listed.get(user_id)
            if user is None and stored == GONE_FROM_CLOUDLINK:
                continue
            if user is None or stored[6] or (user.name, user.address, user.extension, user.site_id) != stored[:4]:
                return False
            found += stored[4] is not None
            seen += 1
    return (seen, found) == (len(listed), matched)


async def difference(database: Database, integration_id: str, wanted: Mapping[str, Directory]) -> Difference:
    """Compare ``wanted`` with the people stored."""
    found = Difference(wanted)
    unseen = set(wanted)
    before: set[str] = set()
    async for part in slices(database, integration_id):
        for user_id, stored, applied_user_id, person_id in part:
            unseen.discard(user_id)
            now = wanted.get(user_id, GONE_FROM_CLOUDLINK)
            found.listed += not stored[6]
            found.matched += stored[4] is not None
            found.with_address += bool(stored[1]) and not stored[6]
            found.with_extension += bool(stored[2]) and not stored[6]
            if now != stored:
                found.changed.append(user_id)
                before.update(filter(None, [stored[4]]))
                if stored[4] and not now[4] and not now[6]:
                    found.lost.append(person_id)
            if applied_user_id and applied_user_id != now[4]:
                found.former[user_id] = applied_user_id
    found.changed += sorted(unseen)
    found.has_new = any(wanted[key][4] not in {None, *before} for key in found.changed if key in wanted)
    return found


def together(found: Difference) -> set[str]:
    """The users to be stored in one transaction: for whom Teams shows something, and to whom it belongs now."""
    owners = set(found.former.values())
    return {*found.former, *(key for key, row in found.wanted.items() if row[4] in owners)} if owners else set()


def in_slices(users: Iterable[str], first: Collection[str], size: int) -> list[list[str]]:
    """``first`` in one slice, then the other ``users``."""
    rest = [user for user in users if user not in first]
    parts = [rest[start : start + size] for start in range(0, len(rest), size)]
    return [sorted(first), *parts] if first else parts


def _directory(one: Matching, shared: Set[str]) -> Directory:
    user, reason = one.person, _reason(one, shared)
    return user.name, user.address, user.extension, user.site_id, one.teams_user_id, reason, False


def _reason(matching: Matching, shared: Set[str]) -> str | None:
    """Why this user's calls cannot be shown, or not all of them; None when they can."""
    if matching.reason:
        return matching.reason.value
    if matching.person.extension is None:
        return Unmatched.NO_EXTENSION.value
    return Unmatched.SHARED_EXTENSION.value if matching.person.user_id in shared else None


def _with_shared_extension(users: Sequence[CloudLinkUser]) -> set[str]:
    """The ids of users whose extension another one has at the same site, or may have."""
    sites = grouped(users, lambda user: user.extension)
    return {
        user.user_id
        for group in sites.values()
        if len(group) > 1
        for user in group
        if any(
            other is not user and (other.site_id == user.site_id or not (other.site_id and user.site_id))
            for other in group
        )
    }
