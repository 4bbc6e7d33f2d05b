"""Users and their changes as Graph pages them: with an empty link all, with a link what changed since."""

from collections.abc import Iterable, Sequence

from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.services import Account, Directory, DirectoryPage, UserChange
from sync.people.delta_pages import read_pages

Known = dict[str, dict[str, object]]


class DeltaQuery:
    """``read`` are the links that were followed; a link in ``expired`` is answered 410."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.expired: set[str] = set()
        self._known: dict[str, Known] = {}

    def changes(self, accounts: Iterable[Account], link: str) -> DirectoryPage:
        """One page, always the last."""
        self.read.append(link)
        if link and (link in self.expired or link not in self._known):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, status=410, error="syncStateNotFound")
        before, now = self._known.get(link, {}), {account.id: _fields(account) for account in accounts}
        following = f"link {len(self._known) + 1}"
        self._known[following] = now
        return DirectoryPage(tuple(_changed(before, now)), following, is_last=True)


def _changed(before: Known, now: Known) -> Sequence[UserChange]:
    found = [UserChange(key, fields) for key, fields in now.items() if before.get(key) != fields]
    return found + [UserChange(key, {}, is_removed=True) for key in before if key not in now]


def _fields(account: Account) -> dict[str, object]:
    names = ("principal_name", "mail", "proxy_addresses", "enabled", "guest")
    return {name: getattr(account, name) for name in names}


async def changes_of(directory: Directory, link: str = "") -> list[UserChange]:
    """The users of all pages."""
    found: list[UserChange] = []

    async def keep(page: DirectoryPage) -> None:
        found.extend(page.changes)

    await read_pages(directory, link, keep)
    return found
