"""Inviting, changing and removing members; accepting an invitation."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from bot.activity import Card, Message
from storage.queries.chat import drafts, roles
from storage.queries.chat.roles import INVITATION_LIFETIME
from storage.tables.history import HistoryEntry
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.bot.chat import NOW, Chat
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, buttons, inputs, press, words
from tests.support.bot.setup_wizard import at_microsoft
from tests.support.bot.texts import EN
from tests.support.storage.stores import stored

RUI = "55555555-0000-4000-8000-000000000005"
ADDRESS = "rui.costa@valeverde.example"
OTHER = "99999999-0000-4000-8000-000000000009"


async def members(chat: Chat) -> dict[str, str]:
    """The stored roles, by object id or, while they are only invited, by address."""
    async with chat.database.session() as session:
        rows = (await session.exec(select(Member).where(Member.owner_tenant == TENANT))).all()
    return {row.user_object_id or row.address or "": row.role for row in rows}


async def acts(chat: Chat) -> list[tuple[str, str, dict[str, Any]]]:
    async with chat.database.session() as session:
        rows = (await session.exec(select(HistoryEntry).order_by(HistoryEntry.at))).all()  # type: ignore[arg-type]
    return [(row.actor_id, row.act, row.facts) for row in rows]


def member(person: str, role: Role, **changed: Any) -> Member:
    given = {"id": person, "owner_tenant": TENANT, "user_object_id": person, "role": role}
    return Member(**{**given, "invited_at": NOW, **changed})


async def invite(chat: Chat, **typed: str) -> Card:
    card = await chat.press(await chat.say("admins"), "admins.invite")
    return await chat.press(card, "admins.add", {"person": "nobody", "role": "viewer", **typed})


async def opened(chat: Chat, person: str) -> Card:
    return await chat.press(await chat.say("administradores"), "admins.open", {"member": person})


async def speak(chat: Chat, person: str, name: str = "", text: str = "status") -> Card:
    """Another person writes; afterwards the chat is the first person's again."""
    before = chat.person, chat.principal_name
    chat.person, chat.principal_name = person, name
    card = await chat.say(text)
    chat.person, chat.principal_name = before
    return card


# The list


async def test_owners_by_the_setting_are_shown_as_such_and_cannot_be_chosen(chat: Chat) -> None:
    chat.admins = (ADMIN, "Ines.Rocha@valeverde.example", f"{OTHER}/eve@other.example", RUI)
    chat.restart()
    card = await chat.say("admins")
    said = words(card)
    assert f"Somebody\nOwner · {EN('admins.by_setting')}" in said
    assert "Ines.Rocha@valeverde.example" in said
    assert "2 people have a role" in said
    for foreign in ("eve@", OTHER, RUI):
        assert foreign not in said
    assert inputs(card) == {}
    assert set(buttons(card)) == {"admins.invite"}


async def test_the_list_has_pages(chat: Chat) -> None:
    people = [member(f"p{number:02}", Role.VIEWER, name=f"N{number:02}") for number in range(25)]
    await stored(chat.database, *people)
    card = await chat.say("admins")
    assert ["N00" in words(card), "N09" in words(card), "N10" in words(card)] == [True, True, False]
    card = await chat.press(card, "admins.list")
    assert "N10" in words(card)
    card = await chat.act("admins.list", page="9")
    assert "Page 3 of 3" in words(card)
    assert "N24" in words(card)


async def test_another_tenants_people_are_not_there(chat: Chat) -> None:
    await stored(chat.database, member(RUI, Role.OWNER, owner_tenant=OTHER, name="Foreign"))
    assert "Foreign" not in words(await chat.say("admins"))
    for verb in ("admins.open", "admins.change", "admins.ask_remove"):
        card = await chat.act(verb, member=RUI, was="owner", role="viewer")
        assert card["fallbackText"] == "This button is out of date"
    for verb in ("admins.remove", "admins.demote"):
        card = await chat.act(verb, member=RUI, was="owner", role="viewer")
        assert "Foreign" not in words(card)
    async with chat.database.session() as session:
        found = await session.get(Member, RUI)
    assert found is not None
    assert found.role == "owner"


# Inviting


async def test_a_person_invited_by_name_has_the_role_from_the_first_message(chat: Chat) -> None:
    card = await invite(chat, address=f"  {ADDRESS.upper()} ", role="administrator")
    assert "Invited" in words(card)
    assert f"{ADDRESS}\nAdministrator · {EN('admins.invited_only')} · given by Somebody" in words(card)
    assert "Administrators" not in words(await speak(chat, RUI, "somebody.else@valeverde.example"))
    assert "no integration yet" in words(await speak(chat, RUI, ADDRESS.title()))
    assert await members(chat) == {RUI: "administrator"}
    assert await acts(chat) == [
        (ADMIN, "admins_invite", {"person": ADDRESS, "role": "administrator"}),
        (RUI, "admins_join", {"person": ADDRESS, "role": "administrator"}),
    ]


async def test_after_joining_the_object_id_counts_and_not_the_name(chat: Chat) -> None:
    await invite(chat, address=ADDRESS)
    await speak(chat, RUI, ADDRESS)
    assert "no integration yet" in words(await speak(chat, RUI, "renamed@valeverde.example"))
    assert "For administrators only" in words(await speak(chat, STRANGER, ADDRESS))
    assert await members(chat) == {RUI: "viewer"}


@pytest.mark.parametrize(
    ("person", "name", "tenant"),
    [
        (RUI, ADDRESS, OTHER),
        (RUI, "rui.costa_valeverde.example#EXT#@host.example", TENANT),
        (RUI, "", TENANT),
        ("", ADDRESS, TENANT),
    ],
)
async def test_an_invitation_is_not_valid_for_guests_or_other_tenants(
    chat: Chat, person: str, name: str, tenant: str
) -> None:
    await invite(chat, address=ADDRESS, role="owner")
    chat.tenant = tenant
    assert "For administrators only" in words(await speak(chat, person, name))
    assert await members(chat) == {ADDRESS: "owner"}


async def test_an_invitation_ends_after_a_month(chat: Chat) -> None:
    await invite(chat, address=ADDRESS)
    chat.now += INVITATION_LIFETIME
    assert "For administrators only" in words(await speak(chat, RUI, ADDRESS))
    listed = words(await chat.say("admins"))
    assert EN("admins.invitation_void") in listed
    assert "1 person has a role" in listed
    assert "Invited" in words(await invite(chat, address=ADDRESS))


async def test_the_roster_is_read_only_while_there_are_invitations(chat: Chat) -> None:
    asked = []
    turn = chat.new_turn(Message("hi"))

    async def principal_name() -> str:
        asked.append("now")
        return ""

    turn.principal_name = principal_name  # type: ignore[method-assign]
    chat.person = STRANGER
    stranger = chat.new_turn(Message("hi"))
    stranger.principal_name = principal_name  # type: ignore[method-assign]
    await chat.pipeline(stranger)
    assert asked == []
    await stored(chat.database, member("m", Role.VIEWER, user_object_id=None, address=ADDRESS))
    await chat.pipeline(turn)
    assert asked == []
    await chat.pipeline(stranger)
    assert asked == ["now"]


async def test_a_known_person_is_chosen(chat: Chat) -> None:
    await speak(chat, RUI)
    card = await chat.press(await chat.say("admins"), "admins.invite")
    assert [choice["value"] for choice in inputs(card)["person"]["choices"]] == ["nobody", RUI]
    card = await chat.press(card, "admins.add", {"person": RUI, "role": "owner"})
    assert EN("admins.given") in words(card)
    assert await members(chat) == {RUI: "owner"}
    assert "person" not in inputs(await chat.press(card, "admins.invite"))


@pytest.mark.parametrize(
    ("typed", "form_error"),
    [
        ({}, EN("check.invite_whom")),
        ({"address": ADDRESS, "person": STRANGER}, EN("check.invite_whom")),
        ({"address": ADDRESS, "role": "god"}, EN("check.invite_whom")),
        ({"address": ADDRESS, "role": "everyone"}, EN("check.invite_whom")),
        ({"address": "rui"}, EN("check.address")),
        ({"address": "rui@x"}, EN("check.address")),
        ({"address": f"{OTHER}/rui@x.example"}, EN("check.address")),
        ({"address": f"{'x' * 100}@valeverde.example"}, EN("check.address")),
        ({"address": "known@valeverde.example"}, EN("check.listed_already")),
        ({"person": RUI}, EN("check.listed_already")),
    ],
)
async def test_what_cannot_be_an_invitation_is_refused(chat: Chat, typed: dict[str, str], form_error: str) -> None:
    await speak(chat, RUI)
    await stored(chat.database, member(RUI, Role.VIEWER, address="known@valeverde.example"))
    data = {"person": "nobody", "role": "viewer", "address": "", **typed}
    assert form_error in words(await chat.act("admins.add", **data))
    assert await members(chat) == {RUI: "viewer"}
    assert await acts(chat) == []


async def test_a_tenant_has_so_many_people_and_invitations(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MAX_MEMBERS", 2)
    await stored(chat.database, member(RUI, Role.VIEWER), member("theirs", Role.VIEWER, owner_tenant=OTHER))
    data = {"person": "nobody", "role": "viewer"}
    await chat.act("admins.add", **data, address="one@valeverde.example")
    assert EN("check.members") in words(await chat.act("admins.add", **data, address="two@valeverde.example"))
    assert len(await members(chat)) == 2


async def test_a_person_who_never_wrote_cannot_be_chosen(chat: Chat) -> None:
    await speak(chat, RUI)
    card = await chat.act("admins.add", person=STRANGER, role="owner", address="")
    assert card["fallbackText"] == "This button is out of date"
    assert await members(chat) == {}


# Changing and removing


async def test_a_higher_role_is_given_immediately_and_a_lower_one_is_confirmed(chat: Chat) -> None:
    await stored(chat.database, member(RUI, Role.VIEWER, name="Rui"))
    card = await chat.press(await opened(chat, RUI), "admins.change", {"role": "administrator"})
    assert EN("admins.changed") in words(card)
    assert await members(chat) == {RUI: "administrator"}
    card = await chat.press(card, "admins.change", {"role": "viewer"})
    assert "From Administrator to Viewer" in words(card)
    assert await members(chat) == {RUI: "administrator"}
    assert "Viewer" in words(await chat.press(card, "admins.demote"))
    assert await members(chat) == {RUI: "viewer"}
    facts = [{"person": "Rui", "from": "viewer", "to": "administrator"}]
    facts.append({"person": "Rui", "from": "administrator", "to": "viewer"})
    assert await acts(chat) == [(ADMIN, "admins_change", each) for each in facts]


async def test_removing_is_confirmed_and_takes_effect_immediately(chat: Chat) -> None:
    await stored(chat.database, member(RUI, Role.ADMINISTRATOR, name="Rui"))
    assert "no integration yet" in words(await speak(chat, RUI))
    card = await chat.press(await opened(chat, RUI), "admins.ask_remove")
    assert await members(chat) == {RUI: "administrator"}
    removal = press(card, "admins.remove")
    assert EN("admins.removed") in words((await chat.turn(removal)).answer)
    assert "For administrators only" in words(await speak(chat, RUI))
    assert await acts(chat) == [(ADMIN, "admins_remove", {"person": "Rui", "role": "administrator"})]
    assert "already pressed this button" in words((await chat.turn(removal)).answer)
    assert len(await acts(chat)) == 1


async def test_a_removal_can_be_cancelled(chat: Chat) -> None:
    await stored(chat.database, member(RUI, Role.OWNER, name="Rui"))
    card = await chat.press(await opened(chat, RUI), "admins.ask_remove")
    assert "Owner" in words(await chat.press(card, "admins.open"))
    card = await chat.press(await opened(chat, RUI), "admins.change", {"role": "viewer"})
    assert "Owner" in words(await chat.press(card, "admins.open"))
    assert await members(chat) == {RUI: "owner"}


@pytest.mark.parametrize("verb", ["admins.remove", "admins.demote"])
async def test_a_person_who_may_no_longer_set_up_loses_the_draft(chat: Chat, verb: str) -> None:
    await stored(chat.database, member(RUI, Role.ADMINISTRATOR))
    chat.person = RUI
    await at_microsoft(chat)
    chat.person = ADMIN
    await chat.act(verb, member=RUI, was="administrator", role="viewer")
    async with chat.database.session() as session:
        assert await drafts.load(session, TENANT, RUI) is None


def removed(chat: Chat) -> Any:
    return chat.act("admins.remove", member=RUI, was="owner")


def demoted(chat: Chat) -> Any:
    return chat.act("admins.demote", member=RUI, was="owner", role="viewer")


@pytest.mark.parametrize("act", [removed, demoted])
async def test_the_last_owner_stays(chat: Chat, act: Callable[[Chat], Any]) -> None:
    chat.admins = ()
    chat.restart()
    await stored(chat.database, member(RUI, Role.OWNER, name="Rui"), member("x", Role.ADMINISTRATOR))
    chat.person = RUI
    assert "This is the last owner." in words(await act(chat))
    assert (await members(chat))[RUI] == "owner"
    await stored(chat.database, member("ana", Role.OWNER))
    assert buttons(await act(chat)) == {}
    assert (await members(chat)).get(RUI, "none") in ("viewer", "none")


@pytest.mark.parametrize("act", [removed, demoted])
async def test_an_owner_by_the_setting_outlasts_the_last_other(chat: Chat, act: Callable[[Chat], Any]) -> None:
    await stored(chat.database, member(RUI, Role.OWNER, name="Rui"))
    await act(chat)
    assert (await members(chat)).get(RUI) != "owner"


async def test_an_owner_the_setting_no_longer_names_does_not_count(chat: Chat) -> None:
    chat.admins = ()
    chat.restart()
    await stored(chat.database, member(RUI, Role.OWNER))
    chat.person = RUI
    assert "This is the last owner." in words(await removed(chat))


async def test_the_second_of_two_changes_to_a_role_is_refused(chat: Chat) -> None:
    await stored(chat.database, member(RUI, Role.VIEWER, name="Rui"))
    first, second = await opened(chat, RUI), await opened(chat, RUI)
    await chat.press(first, "admins.change", {"role": "owner"})
    card = await chat.press(second, "admins.change", {"role": "owner"})
    assert EN("check.meanwhile") in words(card)
    assert len(await acts(chat)) == 1


async def test_history_shows_role_changes_in_words(chat: Chat) -> None:
    await invite(chat, address=ADDRESS, role="administrator")
    await speak(chat, RUI, ADDRESS)
    said = words(await chat.say("history"))
    for expected in ("Role given", f"Person: {ADDRESS}, Role: administrator", EN("act.admins_join")):
        assert expected in said
    chat.locale = "pt-PT"
    assert "Função: administrador" in words(await chat.say("histórico"))


async def test_a_refused_form_keeps_what_was_typed(chat: Chat) -> None:
    card = await invite(chat, address="rui", role="owner")
    assert EN("check.address") in words(card)
    assert inputs(card)["address"]["value"] == "rui"
    assert inputs(card)["role"]["value"] == "owner"
