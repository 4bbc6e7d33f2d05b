from collections import Counter

from sandbox.people import Person, TeamsUser, sample_people


def _matches(person: Person, users: list[TeamsUser]) -> list[TeamsUser]:
    """By UPN or mail, without case, as Mitel matches."""
    address = person.address.lower()
    return [user for user in users if address and address in (user.upn.lower(), (user.mail or "").lower())]


def _by_name(name: str) -> tuple[Person, list[TeamsUser]]:
    people, users = sample_people()
    person = next(each for each in people if each.name == name)
    return person, _matches(person, users)


def test_most_people_match_one_enabled_teams_user() -> None:
    people, users = sample_people()
    counts = Counter(
        "ok" if len(found) == 1 and found[0].enabled else "not"
        for found in (_matches(each, users) for each in people)
    )
    assert counts == {"ok": 20, "not": 5}


def test_ids_and_extensions_are_unique_and_stay_the_same_at_each_start() -> None:
    people, users = sample_people()
    extensions = [person.extension for person in people if person.extension]
    assert len(set(extensions)) == len(extensions) == 24
    assert len({person.id for person in people} | {user.id for user in users}) == len(people) + len(users)
    assert [user.id for user in users] == [user.id for user in sample_people()[1]]


def test_one_address_has_another_case() -> None:
    person, found = _by_name("Patrícia Rocha")
    assert len(found) == 1
    assert person.address not in (found[0].upn, found[0].mail)


def test_one_matches_by_mail_alone() -> None:
    person, found = _by_name("Rui Azevedo")
    assert [user.mail for user in found] == [person.address]
    assert found[0].upn != person.address


def test_one_is_known_by_a_proxy_address_alone() -> None:
    person, found = _by_name("Sofia Marques")
    assert found == []
    assert any(f"smtp:{person.address}" in user.proxy_addresses for user in sample_people()[1])


def test_one_has_no_address_and_one_a_foreign_one() -> None:
    assert _by_name("Teresa Pinto")[0].address == ""
    person, found = _by_name("Thomas Reed")
    assert person.address
    assert found == []


def test_one_is_disabled_in_teams() -> None:
    assert [user.enabled for user in _by_name("Vasco Moreira")[1]] == [False]


def test_one_address_belongs_to_two() -> None:
    assert len(_by_name("William Hart")[1]) == 2


def test_one_has_no_extension() -> None:
    person, found = _by_name("Frederico Sá")
    assert person.extension is None
    assert len(found) == 1
