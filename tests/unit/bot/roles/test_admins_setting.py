"""Who is an owner by the setting."""

from collections.abc import Iterator

import pytest

from bot.activity import Message
from bot.roles.admins_setting import AdminsSetting
from tests.support.bot.fakes import ADMIN, TENANT, RecordingTurn, incoming

OTHER = "99999999-0000-4000-8000-000000000009"
ADA = "ada@contoso.example"


class Roster(RecordingTurn):
    asked = 0

    async def principal_name(self) -> str:
        self.asked += 1
        return await super().principal_name()


def turn(person: str, principal_name: str = "", tenant: str = TENANT) -> Roster:
    return Roster(incoming(Message("hi"), person=person, tenant=tenant), principal_name)


@pytest.mark.parametrize(
    ("admins", "person", "name", "admitted"),
    [
        ((ADMIN,), ADMIN, "", ADMIN),
        ((ADMIN.upper(), "x"), ADMIN, "", ADMIN),
        ((f" {ADMIN} ",), ADMIN, "", ADMIN),
        ((ADA,), "x", "Ada@Contoso.Example", ADA),
        ((ADA,), "x", f"{ADA}.evil", ""),
        ((ADA,), "x", "ada_contoso.example#EXT#@host.example", ""),
        ((ADA,), "x", "", ""),
        ((ADA,), "", ADA, ""),
        ((), ADMIN, "", ""),
        (("",), "", "", ""),
        ((" ",), " ", "", ""),
        (("ada",), "x", "ada", ""),
        ((ADA, "b"), "x", "b", ""),
        (("/", f"/{ADMIN}x", "x/"), "", "", ""),
    ],
)
async def test_admitted(admins: tuple[str, ...], person: str, name: str, admitted: str) -> None:
    assert await AdminsSetting(admins, TENANT).admitted_as(turn(person, name)) == admitted


def tenants() -> Iterator[tuple[str, str, bool, bool]]:
    """An entry, the home tenant; whether it counts in TENANT, and whether in OTHER."""
    yield ADA, TENANT, True, False
    yield ADA, OTHER, False, True
    yield ADA, "", False, False
    yield f"{OTHER}/{ADA}", TENANT, False, True
    yield f"{TENANT.upper()}/{ADA}", "", True, False
    yield ADMIN, "", True, True
    yield f"{OTHER}/{ADMIN}", TENANT, False, True


@pytest.mark.parametrize(("entry", "home", "here", "there"), list(tenants()))
async def test_a_name_counts_in_one_tenant_alone(entry: str, home: str, here: bool, there: bool) -> None:
    rules = AdminsSetting((entry,), home)
    for tenant, counts in ((TENANT, here), (OTHER, there)):
        admitted = await rules.admitted_as(turn(ADMIN, ADA, tenant))
        assert bool(admitted) is counts
        assert rules.names(entry.casefold(), tenant) is counts


def test_an_entry_removed_from_the_setting_no_longer_applies() -> None:
    rules = AdminsSetting((ADA,), TENANT)
    assert not rules.names("rui@contoso.example", TENANT)
    assert not rules.names("", TENANT)
    assert not rules.names(ADA, "")


async def test_the_roster_is_read_only_when_a_name_could_match() -> None:
    by_id, by_name, known, elsewhere = turn("x"), turn("x"), turn(ADMIN), turn("x", ADA, OTHER)
    await AdminsSetting((ADMIN,), TENANT).admitted_as(by_id)
    for each in (by_name, known, elsewhere):
        await AdminsSetting((ADMIN, ADA), TENANT).admitted_as(each)
    assert [each.asked for each in (by_id, by_name, known, elsewhere)] == [0, 1, 0, 0]


def test_whom_to_ask_are_those_known_by_name_in_the_tenant() -> None:
    rules = AdminsSetting((ADMIN, "Ada@contoso.example", f"{OTHER}/rui@other.example"), TENANT)
    assert (rules.named(TENANT), rules.named(OTHER)) == (["Ada@contoso.example"], ["rui@other.example"])
