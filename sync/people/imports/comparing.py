"""What a line of a file would change for the person it names, or why it cannot. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.text import searchable, visible
from storage.queries.people.imports import ImportAccount, ImportPerson
from sync.people.imports.values import ImportLine, LineFault, Matched, Wish

KEYS = ("person_id", "address", "extension", "name")
"""What names a person: the first that a line has decides, the others where it means several."""


def key_of(text: str) -> str:
    return visible(text).casefold()


def looked_for(wishes: Iterable[Wish]) -> dict[str, set[str]]:
    """What to look people up by: of each line only the key that decides, as it is and in lower case.

    A name also without its accents.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for wish in wishes:
        for key in KEYS:
            if value := getattr(wish, key):
                found[key] |= {value, key_of(value), *([searchable(value)] if key == "name" else [])}
                break
    return found


@dataclass(slots=True)
class Known:
    """People by each of ``KEYS``, accounts by sign-in name and address, and who has an account, by its id."""

    people: Sequence[ImportPerson]
    accounts: Sequence[ImportAccount] = ()
    owners: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    is_read: bool = True
    _people: dict[str, dict[str, list[ImportPerson]]] = field(init=False)
    _unaccented: dict[str, list[ImportPerson]] = field(init=False)
    _accounts: dict[str, list[ImportAccount]] = field(init=False)

    def __post_init__(self) -> None:
        self._people = {key: _grouped(self.people, key) for key in KEYS}
        self._unaccented = defaultdict(list)
        for person in self.people:
            self._unaccented[searchable(person.name)].append(person)
        self._accounts = defaultdict(list)
        for account in self.accounts:
            for name in {key_of(account.principal_name), key_of(account.mail)} - {""}:
                self._accounts[name].append(account)

    def named(self, wish: Wish) -> list[ImportPerson]:
        """The people whom a line may mean."""
        given = [(key, key_of(value)) for key in KEYS if (value := getattr(wish, key))]
        if [key for key, _ in given] == ["name"] and given[0][1] not in self._people["name"]:
            return self._unaccented.get(searchable(wish.name), [])
        found: list[ImportPerson] = []
        for place, (key, value) in enumerate(given):
            found = (
                self._people[key].get(value, [])
                if not place
                else [one for one in found if key_of(getattr(one, key) or "") == value] or found
            )
            if len(found) < 2:
                break
        return found

    def accounts_of(self, name: str) -> list[ImportAccount]:
        """Who signs in with the name, or else those who have the address."""
        found = self._accounts.get(key_of(name), [])
        return [one for one in found if key_of(one.principal_name) == key_of(name)] or found

    def owner(self, user_id: str, but: str) -> str | None:
        """The name of another person who has the account."""
        others = self.owners.get(user_id, {})
        return next((name for person_id, name in others.items() if person_id != but), None)


def _grouped(people: Iterable[ImportPerson], key: str) -> dict[str, list[ImportPerson]]:
    found: defaultdict[str, list[ImportPerson]] = defaultdict(list)
    for person in people:
        found[key_of(getattr(person, key) or "")].append(person)
    return found


class Lines:
    """Judges the lines of one file, in their order: what earlier ones said of a person counts."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int, tuple[object, ...]]] = {}
        self._given: dict[str, int] = {}

    def judge(self, wish: Wish, known: Known) -> ImportLine:
        if wish.fault:
            return _faulty(wish, wish.fault, detail=wish.detail)
        people = known.named(wish)
        if len(people) != 1:
            fault = LineFault.AMBIGUOUS if people else LineFault.UNKNOWN
            return _faulty(wish, fault)
        person = people[0]
        said = (wish.excluded, key_of(wish.account), wish.by_hand)
        first = self._said.setdefault(person.person_id, (wish.number, said))
        if first[0] != wish.number:
            fault = LineFault.DUPLICATE if first[1] == said else LineFault.CONTRADICTORY
            return _faulty(wish, fault, shown_name(person), str(first[0]))
        return self._change(wish, person, known)

    def _change(self, wish: Wish, person: ImportPerson, known: Known) -> ImportLine:
        excluded = None if wish.excluded == person.excluded else wish.excluded
        made = ImportLine(wish.number, person.person_id, shown_name(person), person.choices, excluded)
        if is_match_wished(wish, person):
            return self._match(wish, made, person, known)
        if wish.by_hand is False and person.chosen_user_id:
            return replace(made, match=Matched.UNMATCH)
        return made

    def _match(self, wish: Wish, made: ImportLine, person: ImportPerson, known: Known) -> ImportLine:
        found = known.accounts_of(wish.account)
        fault = _fault_of(found) if known.is_read else LineFault.NOT_READ
        if fault:
            return _faulty(wish, fault, made.name, wish.account)
        account = found[0]
        if account.user_id == person.chosen_user_id:
            return made
        other = known.owner(account.user_id, person.person_id)
        if other is not None:
            return _faulty(wish, LineFault.TAKEN, made.name, other)
        first = self._given.setdefault(account.user_id, wish.number)
        if first != wish.number:
            return _faulty(wish, LineFault.GIVEN_TWICE, made.name, str(first))
        return replace(made, match=Matched.MATCH, user_id=account.user_id, account=account.principal_name)


def is_match_wished(wish: Wish, person: ImportPerson) -> bool:
    """Whether a line gives the person another account, or makes the one they have their match by hand."""
    is_other = key_of(wish.account) != key_of(person.principal_name or "")
    return bool(wish.account) and (is_other or (wish.by_hand is True and not person.chosen_user_id))


def shown_name(person: ImportPerson) -> str:
    return person.name or person.address


def _fault_of(found: Sequence[ImportAccount]) -> LineFault | None:
    if len(found) != 1:
        return LineFault.SEVERAL_ACCOUNTS if found else LineFault.NOT_FOUND
    if found[0].guest:
        return LineFault.GUEST
    return None if found[0].enabled else LineFault.DISABLED


def _faulty(wish: Wish, fault: LineFault, name: str = "", detail: str = "") -> ImportLine:
    return ImportLine(wish.number, name=name or _named(wish), fault=fault, detail=detail)


def _named(wish: Wish) -> str:
    """Whom the line names, in its own words."""
    return wish.name or wish.address or wish.extension or wish.person_id
