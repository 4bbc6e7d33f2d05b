from collections import Counter

from sandbox.world.people import Person, TeamsUser, sample_people


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
        "ok" if len(found) == 1 and found[0].enabled and not found[0].guest else "not"
        for found in (_matches(each, users) for each in people)
    )
    assert counts == {"ok": 22, "not": 6}


def test_ids_and_devices_are_unique_and_stay_the_same_at_each_start() -> None:
    people, users = sample_people()
    devices = [device for person in people for device in person.devices]
    assert len({(device.site, device.number) for device in devices}) == len(devices) == 31
    assert len({device.key for device in devices}) == len(devices)
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


def test_one_extension_is_at_two_sites() -> None:
    people = [person for person in sample_people()[0] if person.extension == "2016"]
    assert [(person.name, person.site) for person in people] == [("Oliver Grant", "Lisboa"), ("Nuno Vaz", "Porto")]


def test_one_is_a_guest_and_one_has_no_licence() -> None:
    (guest,), (unlicensed,) = _by_name("Chris Palmer")[1], _by_name("Beatriz Ramos")[1]
    assert (guest.guest, guest.refusal) == (True, 404)
    assert (unlicensed.guest, unlicensed.refusal) == (False, 403)


def test_one_has_no_extension() -> None:
    person, found = _by_name("Frederico Sá")
    assert person.extension is None
    assert len(found) == 1
