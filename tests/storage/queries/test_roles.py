import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.queries.chat import conversations, roles
from storage.queries.chat.roles import INVITATION_LIFETIME, AlreadyListed, LastOwner, NotAnOwner, RoleChanged
from storage.tables.conversations import Conversation
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.clocks import NOON
from tests.support.storage.shared_store import two_processes
from tests.support.storage.stores import empty_store, stored

Change = tuple[str, Role, Role | None, str]
"""The member, the role before, the role after, and who changes it."""


def member(person: str, role: Role = Role.VIEWER, **changed: Any) -> Member:
    given = {"id": person, "owner_tenant": "t1", "user_object_id": person, "role": role, "invited_at": NOON}
    return Member(**{**given, **changed})


def invited(address: str, role: Role = Role.VIEWER, **changed: Any) -> Member:
    return member(address, role, user_object_id=None, address=address, **changed)


def spoken(name: str, **changed: Any) -> Conversation:
    given = {"tenant_id": "t1", "user_object_id": name, "service_url": "https://one.example/", "seen_at": NOON}
    address = {"conversation_id": f"a:{name}", "user_id": "29:1", "bot_id": "28:1", "channel_id": "msteams"}
    return Conversation(**{**given, **address, **changed})


async def change(
    database: Database, name: str, was: Role, role: Role | None, by: str, by_setting: tuple[str, ...] = ()
) -> None:
    async with database.writing() as session:
        await roles.change_role(session, "t1", name, was, role, by, by_setting)


async def join(database: Database, address: str, person: str, tenant: str = "t1", **later: float) -> str:
    """The role they get; empty for none."""
    async with database.writing() as session:
        now = NOON + timedelta(**later)
        joined = await roles.accept_invitation(session, tenant, address, person, person.title(), now)
        return joined.role if joined else ""


async def role_of(database: Database, name: str, tenant: str = "t1") -> str:
    async with database.session() as session:
        found = await roles.find(session, tenant, name)
        return found.role if found else ""


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.EVERYONE, {Role.EVERYONE}),
        (Role.VIEWER, {Role.EVERYONE, Role.VIEWER}),
        (Role.ADMINISTRATOR, {Role.EVERYONE, Role.VIEWER, Role.ADMINISTRATOR}),
        (Role.OWNER, set(Role)),
    ],
)
def test_a_role_covers_those_below_it(role: Role, covered: set[Role]) -> None:
    assert {needed for needed in Role if role.covers(needed)} == covered


async def test_a_role_is_of_one_tenant_alone(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana", Role.OWNER))
        assert [await role_of(database, "ana"), await role_of(database, "ana", "t2")] == ["owner", ""]
        async with database.session() as session:
            assert await roles.get_owned(session, "t1", "ana") is not None
            assert await roles.get_owned(session, "t2", "ana") is None
            assert await roles.list_members(session, "t2") == []
            assert not await roles.has_invitations(session, "t2", NOON)
        with pytest.raises(NotAnOwner):
            async with database.writing() as session:
                await roles.change_role(session, "t2", "ana", Role.OWNER, None, "ana", ())


async def test_without_an_object_id_no_member_is_found(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("ana@a.example", Role.OWNER), member("b", user_object_id=""))
        assert await role_of(database, "") == ""


async def test_they_are_listed_by_role_and_name(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        people = [member("1", name="Zoe"), member("2", Role.OWNER, name="Rui"), member("3", name="ana")]
        await stored(database, *people, invited("m@a.example"))
        async with database.session() as session:
            listed = [row.name or row.address for row in await roles.list_members(session, "t1")]
        assert listed == ["Rui", "ana", "m@a.example", "Zoe"]


# Invitations


async def test_an_invitation_is_accepted_once_and_bound_to_the_person(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("ana@a.example", Role.ADMINISTRATOR))
        assert await join(database, "ana@a.example", "ana") == "administrator"
        assert await join(database, "ana@a.example", "another ana") == ""
        assert await role_of(database, "another ana") == ""
        async with database.session() as session:
            assert not await roles.has_invitations(session, "t1", NOON)
        assert await role_of(database, "ana") == "administrator"


@pytest.mark.parametrize(
    ("address", "person", "tenant"),
    [("ana@a.example", "ana", "t2"), ("an@a.example", "ana", "t1"), ("ana@a.example", "", "t1"), ("", "x", "t1")],
)
async def test_an_invitation_is_for_no_other_person(tmp_path: Path, address: str, person: str, tenant: str) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("ana@a.example"), member("nobody", user_object_id=None))
        assert await join(database, address, person, tenant) == ""


async def test_an_invitation_expires_after_a_month(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("ana@a.example"), invited("rui@a.example"))
        last = INVITATION_LIFETIME.total_seconds() - 1
        assert await join(database, "ana@a.example", "ana", seconds=last) == "viewer"
        assert await join(database, "rui@a.example", "rui", seconds=last + 1) == ""
        async with database.session() as session:
            assert not await roles.has_invitations(session, "t1", NOON + INVITATION_LIFETIME)


async def test_of_two_who_accept_an_invitation_concurrently_one_gets_it(tmp_path: Path) -> None:
    async with two_processes(tmp_path, invited("ana@a.example")) as (one, other):
        got = await asyncio.gather(join(one, "ana@a.example", "ana"), join(other, "ana@a.example", "eve"))
        assert sorted(got) == ["", "viewer"]


@pytest.mark.parametrize("again", [member("x", user_object_id="ana"), invited("rui@a.example", id="y")])
async def test_no_person_is_listed_twice(tmp_path: Path, again: Member) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana"), invited("rui@a.example"))
        with pytest.raises(AlreadyListed):
            async with database.writing() as session:
                await roles.add(session, Member(**again.model_dump()))


async def test_an_expired_invitation_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("rui@a.example", Role.OWNER), member("ana"))
        later = NOON + INVITATION_LIFETIME
        async with database.writing() as session:
            await roles.add(session, invited("rui@a.example", id="new", invited_at=later))
        async with database.session() as session:
            assert [row.id for row in await roles.list_members(session, "t1")] == ["ana", "new"]
        async with database.writing() as session:
            await roles.add(session, member("elsewhere", owner_tenant="t2", user_object_id="ana"))


# Changing and removing


async def test_an_owner_changes_and_removes(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana", Role.OWNER), member("rui"))
        await change(database, "rui", Role.VIEWER, Role.ADMINISTRATOR, "ana")
        assert await role_of(database, "rui") == "administrator"
        await change(database, "rui", Role.ADMINISTRATOR, None, "ana")
        assert await role_of(database, "rui") == ""


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER, None])
async def test_the_last_owner_stays(tmp_path: Path, role: Role | None) -> None:
    async with empty_store(tmp_path) as database:
        invitation = invited("zoe@a.example", Role.OWNER)
        await stored(database, member("ana", Role.OWNER), member("rui", Role.ADMINISTRATOR), invitation)
        await stored(database, member("elsewhere", Role.OWNER, owner_tenant="t2"))
        with pytest.raises(LastOwner):
            await change(database, "ana", Role.OWNER, role, "ana")
        assert await role_of(database, "ana") == "owner"
        await change(database, "zoe@a.example", Role.OWNER, None, "ana")


async def test_an_owner_by_the_setting_may_remove_the_last_other(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana", Role.OWNER))
        await change(database, "ana", Role.OWNER, None, "host", ("host",))
        assert await role_of(database, "ana") == ""


@pytest.mark.parametrize("by", ["rui", "nobody", ""])
async def test_only_an_owner_may(tmp_path: Path, by: str) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana", Role.OWNER), member("rui", Role.ADMINISTRATOR), invited("x@a.example"))
        with pytest.raises(NotAnOwner):
            await change(database, "rui", Role.ADMINISTRATOR, Role.OWNER, by)


@pytest.mark.parametrize("name", ["rui", "nobody", ""])
async def test_a_member_whose_role_changed_is_left_alone(tmp_path: Path, name: str) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("ana", Role.OWNER), member("rui", Role.ADMINISTRATOR))
        with pytest.raises(RoleChanged):
            await change(database, name, Role.VIEWER, None, "ana")
        assert await role_of(database, "rui") == "administrator"


async def while_another_is_not_done(one: Database, other: Database, first: Change, second: Change) -> list[str]:
    """The outcomes of two changes, of which the second begins before the first has ended."""
    async with one.writing() as session:
        await roles.change_role(session, "t1", *first, ())
        later = asyncio.create_task(change(other, *second))
        await asyncio.wait({later}, timeout=0.5)
    outcomes = await asyncio.gather(later, return_exceptions=True)
    return [type(outcome).__name__ for outcome in outcomes]


@pytest.mark.parametrize("role", [Role.VIEWER, None])
async def test_two_owners_cannot_remove_each_other_concurrently(tmp_path: Path, role: Role | None) -> None:
    rows = member("ana", Role.OWNER), member("rui", Role.OWNER)
    async with two_processes(tmp_path, *rows) as (one, other):
        first, second = ("rui", Role.OWNER, role, "ana"), ("ana", Role.OWNER, role, "rui")
        assert await while_another_is_not_done(one, other, first, second) == ["NotAnOwner"]
        assert await role_of(one, "ana") == "owner"


async def test_two_owners_cannot_both_leave_concurrently(tmp_path: Path) -> None:
    rows = member("ana", Role.OWNER), member("rui", Role.OWNER)
    async with two_processes(tmp_path, *rows) as (one, other):
        first, second = ("ana", Role.OWNER, None, "ana"), ("rui", Role.OWNER, None, "rui")
        assert await while_another_is_not_done(one, other, first, second) == ["LastOwner"]


async def test_a_person_who_claims_becomes_owner(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, member("rui"), member("ana", owner_tenant="t2"))
        for name in ("rui", "ana", "ana"):
            async with database.writing() as session:
                await roles.make_owner(session, "t1", name, name, NOON)
        assert [await role_of(database, "rui"), await role_of(database, "ana")] == ["owner", "owner"]
        assert await role_of(database, "ana", "t2") == "viewer"


async def test_an_invited_owner_counts_after_joining(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, invited("ana@a.example", Role.OWNER), member("rui", Role.ADMINISTRATOR))
        async with database.session() as session:
            assert not await roles.has_owner_anywhere(session)
        assert await join(database, "ana@a.example", "ana") == "owner"
        async with database.session() as session:
            assert await roles.has_owner_anywhere(session)


# Who is notified, and who could be invited


async def test_owners_and_administrators_are_notified_and_no_one_else(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        named = ("owner", "admin", "viewer", "stranger", "elsewhere")
        await stored(database, *map(spoken, named), spoken("setting", admin_as="setting"))
        await stored(database, spoken("admin", tenant_id="t2"))
        await stored(database, member("owner", Role.OWNER), member("admin", Role.ADMINISTRATOR), member("viewer"))
        await stored(database, member("elsewhere", Role.OWNER, owner_tenant="t2"))
        async with database.session() as session:
            notified = await conversations.list_administrators(session, "t1")
            strangers = await conversations.list_without_role(session, "t1", 9)
            by_setting = await conversations.list_owners_by_setting(session, "t1")
        assert [row.user_object_id for row in notified] == ["admin", "owner", "setting"]
        assert sorted(row.user_object_id for row in strangers) == ["elsewhere", "stranger"]
        assert [row.user_object_id for row in by_setting] == ["setting"]


async def test_an_entry_of_the_setting_admits_one_person_at_a_time(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, spoken("old", admin_as="ana@a.example"), spoken("new"))
        await stored(database, spoken("old", tenant_id="t2", admin_as="ana@a.example"))
        async with database.writing() as session:
            await conversations.set_admin(session, "t1", "new", "ana@a.example")
        async with database.session() as session:
            notified = [await conversations.list_administrators(session, tenant) for tenant in ("t1", "t2")]
        assert [[row.user_object_id for row in rows] for rows in notified] == [["new"], ["old"]]
