"""Each role against every command and every button."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from bot.activity import Card
from bot.chat.context import Command
from bot.commands import COMMANDS
from bot.languages import Language
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.bot.chat import Chat, open_chat
from tests.support.bot.fakes import TENANT, buttons, words
from tests.support.bot.setup_wizard import at_preview
from tests.support.bot.texts import EN, PT
from tests.support.cards.checks import problems_of_all
from tests.support.storage.stores import stored

PERSON = "44444444-0000-4000-8000-000000000004"
DECIDED = {
    Role.EVERYONE: {"claim", "me", "opt_out"},
    Role.VIEWER: {
        *("status", "report", "people", "why", "integrations", "history", "export", "export_people"),
        *("language", "help"),
    },
    Role.ADMINISTRATOR: {
        *("setup", "enable", "disable", "update", "test", "edit", "rotate", "auto_rotate", "certificate"),
        *(
            "monitors",
            "alerts",
            "person",
            "scope",
            "mapping",
            "schedule",
            "messages",
            "diagnostics",
            "drill",
            "import_people",
        ),
    },
    Role.OWNER: {"remove", "admins"},
}
REFUSED = (EN("refused.title"), PT("refused.title"), EN("not_for_role.title"))


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """An integration, and an owner by the setting."""
    async with open_chat(tmp_path) as opened:
        await opened.press(await at_preview(opened), "setup.now")
        await opened.say("hello")
        yield opened


async def become(chat: Chat, role: Role) -> None:
    """From now on another person, with this role, writes."""
    if role is not Role.EVERYONE:
        await stored(
            chat.database, Member(owner_tenant=TENANT, user_object_id=PERSON, role=role, invited_at=chat.now)
        )
    chat.person = PERSON
    if role is not Role.EVERYONE:
        await chat.say("hello")
    chat.integrations.calls.clear()
    chat.shown.clear()


def verbs(command: Command) -> list[str]:
    return [f"command.{command.key}", *command.actions]


def is_refused(card: Card) -> bool:
    return str(card["fallbackText"]) in REFUSED


def test_every_command_has_its_role_decided() -> None:
    assert {key: role for role, keys in DECIDED.items() for key in keys} == {one.key: one.least for one in COMMANDS}


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_it_covers_and_nothing_else(
    chat: Chat, role: Role, subtests: pytest.Subtests
) -> None:
    (view,) = await chat.integrations.list(TENANT)
    await become(chat, role)
    for command in COMMANDS:
        with subtests.test(command.key):
            chat.integrations.calls.clear()
            chat.shown.clear()
            may = role.covers(command.least)
            said = await chat.say(command.titles[Language.ENGLISH])
            pressed = [await chat.act(verb, integration=view.id) for verb in verbs(command)]
            assert {is_refused(card) for card in (said, *pressed)} == {not may}
            if not may:
                assert chat.integrations.calls == []
                assert view.id not in str(chat.shown)
                assert {verb for card in chat.shown for verb in buttons(card)} <= {"command.help", "command.me"}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMINISTRATOR])
async def test_no_card_has_a_button_that_would_be_refused(chat: Chat, role: Role) -> None:
    (view,) = await chat.integrations.list(TENANT)
    await become(chat, role)
    for title in ("status", "integrations", "history", "export history", "help", "language"):
        await chat.say(title)
        await chat.act("integrations.open", integration=view.id)
    may = {verb for command in COMMANDS if role.covers(command.least) for verb in verbs(command)}
    assert {
        (card["fallbackText"], verb) for card in chat.shown for verb in buttons(card) if verb not in may
    } == set()
    assert [problem for problems in problems_of_all(chat.shown) for problem in problems] == []


async def test_a_viewer_is_welcomed_without_the_setup(chat: Chat) -> None:
    await stored(
        chat.database, Member(owner_tenant=TENANT, user_object_id=PERSON, role=Role.VIEWER, invited_at=chat.now)
    )
    chat.person = PERSON
    card = await chat.say("hello")
    assert card["fallbackText"] == "Welcome to CloudLink Presence"
    assert "command.setup" not in buttons(card)
    assert {"command.status", "command.help", "language.set"} <= set(buttons(card))


async def test_help_lists_only_the_allowed_commands(chat: Chat) -> None:
    await become(chat, Role.VIEWER)
    said = words(await chat.say("help"))
    assert "export history" in said
    for title in ("admins", "setup integration", "remove integration", "claim"):
        assert title not in said


async def test_a_refusal_shows_the_needed_role_and_whom_to_ask(chat: Chat) -> None:
    await stored(
        chat.database,
        Member(owner_tenant=TENANT, user_object_id="rui", name="Rui Costa", role=Role.OWNER, invited_at=chat.now),
    )
    await become(chat, Role.VIEWER)
    said = words(await chat.say("setup integration"))
    for expected in ("Your role here is Viewer", "the role Administrator", "Rui Costa"):
        assert expected in said


@pytest.mark.parametrize("role", Role)
async def test_a_verb_of_no_command_does_nothing(chat: Chat, role: Role, subtests: pytest.Subtests) -> None:
    await become(chat, role)
    for verb in ("", "setup", "command.", "command.nothing", "setup.cloudlinkx", "SETUP.save"):
        with subtests.test(verb):
            card = await chat.act(verb, name="x")
            assert card["fallbackText"] == (REFUSED[0] if role is Role.EVERYONE else "This button is out of date")
            assert chat.integrations.calls == []


async def test_a_role_of_another_tenant_is_none(chat: Chat) -> None:
    await stored(
        chat.database, Member(owner_tenant="another", user_object_id=PERSON, role=Role.OWNER, invited_at=chat.now)
    )
    chat.person = PERSON
    assert is_refused(await chat.say("status"))


async def test_a_removed_person_is_refused_on_an_open_card(chat: Chat) -> None:
    (view,) = await chat.integrations.list(TENANT)
    await become(chat, Role.ADMINISTRATOR)
    card = await chat.say("disable presence")
    async with chat.database.writing() as session:
        row = (await session.exec(select(Member))).one()
        await session.delete(row)
    with capture_logs() as logs:
        assert is_refused(await chat.press(card, "disable.now"))
    assert "disable" not in chat.integrations.calls
    assert [line["event"] for line in logs] == ["sender_refused", "turn"]
    assert view.enabled


async def test_only_an_administrator_turns_on_a_channels_alerts(chat: Chat) -> None:
    for role, expected in ((Role.VIEWER, EN("channel.forbidden")), (Role.ADMINISTRATOR, EN("channel.on"))):
        chat.personal = True
        await become(chat, role)
        chat.personal = False
        assert expected in words(await chat.say("alerts here"))
        async with chat.database.writing() as session:
            await session.delete((await session.exec(select(Member))).one())


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMINISTRATOR, Role.OWNER])
async def test_an_operation_gets_the_person_who_pressed_as_its_actor(chat: Chat, role: Role) -> None:
    (view,) = await chat.integrations.list(TENANT)
    await become(chat, role)
    chat.integrations.actors.clear()
    await chat.act("disable.now", integration=view.id)
    assert [actor.id for actor in chat.integrations.actors] == ([] if role is Role.VIEWER else [PERSON])
