"""The complete chain: roles, chats, languages, unknown input and errors."""

import asyncio
import json
from unittest.mock import ANY

import pytest
from structlog.testing import capture_logs

from bot.activity import Action, Card, Installed, Message, Removed, Undelivered, Unreachable
from bot.chat import turn_queue
from bot.commands import COMMANDS
from bot.languages import Texts
from storage.queries.chat import conversations
from storage.tables.conversations import Conversation as KnownConversation
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Service, ServiceHealth
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, RecordingTurn, buttons, incoming, link_urls, words
from tests.support.bot.setup_wizard import at_microsoft, at_preview
from tests.support.bot.texts import EN, PT
from tests.support.eventually import eventually


async def known(chat: Chat) -> KnownConversation | None:
    async with chat.database.session() as session:
        return await conversations.find(session, chat.tenant, chat.person)


SECURED = [command for command in COMMANDS if command.least is not Role.EVERYONE]
OPEN = {
    verb for command in COMMANDS if command not in SECURED for verb in (f"command.{command.key}", *command.actions)
}


def all_verbs() -> list[str]:
    return [verb for command in COMMANDS for verb in (f"command.{command.key}", *command.actions)]


# Welcome


async def test_an_installation_is_answered_with_the_welcome(new_chat: Chat) -> None:
    turn = await new_chat.turn(Installed())
    assert len(turn.cards) == 1
    assert set(buttons(turn.answer)) == {"command.setup", "command.help", "language.set"}
    assert turn.summaries == ["Welcome to CloudLink Presence"]


@pytest.mark.parametrize(("first", "texts"), [("hello", EN), ("what is this", EN), ("ajuda", PT), ("bom dia", PT)])
async def test_the_first_message_is_answered_with_the_welcome_only(
    new_chat: Chat, first: str, texts: Texts
) -> None:
    turn = await new_chat.turn(Message(first))
    assert [card["fallbackText"] for card in turn.cards] == [texts("welcome.title")]


async def test_who_begins_in_portuguese_is_answered_in_portuguese_until_they_choose(new_chat: Chat) -> None:
    """The client says English: the first words decide, and no later ones."""
    first = await new_chat.turn(Message("configurar integração"))
    assert [card["lang"] for card in first.cards] == ["pt", "pt"]
    new_chat.restart()
    assert (await new_chat.say("status"))["lang"] == "pt"
    await new_chat.act("language.set", language="en")
    assert (await new_chat.say("estado"))["lang"] == "en"


async def test_the_first_words_after_an_installation_decide_the_language(new_chat: Chat) -> None:
    await new_chat.turn(Installed())
    assert (await new_chat.say("configurar integração"))["lang"] == "pt"
    assert (await new_chat.say("status"))["lang"] == "pt"


async def test_a_command_in_the_first_message_runs_after_the_welcome(new_chat: Chat) -> None:
    turn = await new_chat.turn(Message("setup integration"))
    assert [card["fallbackText"] for card in turn.cards] == ["Welcome to CloudLink Presence", "CloudLink account"]


async def test_the_welcome_comes_once_even_after_a_restart(new_chat: Chat) -> None:
    await new_chat.turn(Installed())
    new_chat.restart()
    assert EN("help.title") in words(await new_chat.say("hi"))


async def test_added_again_it_welcomes_again(chat: Chat) -> None:
    await chat.turn(Removed())
    assert (await chat.turn(Installed())).summaries == ["Welcome to CloudLink Presence"]


async def test_a_removal_is_not_answered_and_marks_the_chat_unreachable(chat: Chat) -> None:
    turn = await chat.turn(Removed())
    assert turn.cards == []
    stored = await known(chat)
    assert stored is not None
    assert stored.unreachable


async def test_the_conversation_is_stored_with_its_address(chat: Chat) -> None:
    stored = await known(chat)
    assert stored is not None
    assert stored.conversation_id == f"conversation-of-{ADMIN}"
    assert stored.service_url == "https://smba.example/emea/"
    assert (stored.locale, stored.seen_at, stored.welcomed) == ("en-US", chat.now, True)


# Access


async def test_a_user_without_a_role_can_press_nothing(chat: Chat, subtests: pytest.Subtests) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    before = list(chat.integrations.calls)
    (view,) = await chat.integrations.list(TENANT)
    chat.person = STRANGER
    for verb in all_verbs():
        if verb not in OPEN:
            with subtests.test(verb):
                card = await chat.act(verb, integration=view.id, typed_name="Head office", language="pt")
                assert "For administrators only" in words(card)
                assert buttons(card).keys() <= {"command.me"}
                assert chat.integrations.calls == before


async def test_a_user_without_a_role_can_run_no_command(chat: Chat, subtests: pytest.Subtests) -> None:
    chat.person = STRANGER
    for command in SECURED:
        for title in command.titles.values():
            with subtests.test(title):
                assert (await chat.say(title))["fallbackText"] in (EN("refused.title"), PT("refused.title"))
                assert chat.integrations.calls == []


async def test_a_user_without_a_role_is_shown_whom_to_ask(chat: Chat) -> None:
    chat.admins = (ADMIN, "Ada@contoso.example")
    chat.restart()
    chat.person = STRANGER
    assert "Ada@contoso.example" in words(await chat.say("hi"))
    assert ADMIN not in words(await chat.say("hi"))


async def test_an_administrator_may_be_named_by_upn(chat: Chat) -> None:
    chat.admins = ("ADA@contoso.example",)
    chat.restart()
    chat.person, chat.principal_name = STRANGER, "ada@Contoso.example"
    assert "Welcome" in words(await chat.say("hi"))


async def test_access_is_checked_at_every_press(chat: Chat) -> None:
    card = await at_microsoft(chat)
    chat.admins = ()
    chat.restart()
    refused = words(await chat.press(card, "setup.save", {}))
    assert "For administrators only" in refused
    assert EN("refused.nobody_named") in refused


async def test_another_tenants_integration_does_not_exist(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    (view,) = await chat.integrations.list(TENANT)
    before = list(chat.integrations.calls)
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    general = (
        "command.",
        "language.",
        "help.",
        "alerts.save",
        "history.",
        "import_people.",
        "export.",
        "integrations.page",
        "claim.now",
        "me.",
        "opt_out.",
    )
    people = ("admins.list", "admins.invite", "admins.add")
    for verb in all_verbs():
        said = words(await chat.act(verb, integration=view.id, typed_name="Head office"))
        assert verb.startswith((*general, *people)) or "out of date" in said or EN("setup.ended.title") in said, (
            verb
        )
        assert "Head office" not in said
    assert chat.integrations.calls == before


# Groups and channels


@pytest.mark.parametrize("event", [Message("status"), Installed(), Action("status.show", {}, "card")])
async def test_in_a_group_it_asks_to_use_the_personal_chat(chat: Chat, event: Message | Installed | Action) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    chat.personal = False
    turn = await chat.turn(event)
    assert len(turn.cards) == 1
    assert "personal chat" in words(turn.answer)
    assert link_urls(turn.answer) == ["https://teams.microsoft.com/l/chat/0/0?users=28:bot"]
    assert buttons(turn.answer) == {}
    assert "Head office" not in words(turn.answer)


async def test_in_a_group_no_button_does_anything(chat: Chat, subtests: pytest.Subtests) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    (view,) = await chat.integrations.list(TENANT)
    before = list(chat.integrations.calls)
    chat.personal = False
    for verb in all_verbs():
        with subtests.test(verb):
            assert "personal chat" in words(await chat.act(verb, integration=view.id, typed_name="Head office"))
            assert chat.integrations.calls == before


async def test_a_group_is_not_stored_as_a_conversation(new_chat: Chat) -> None:
    new_chat.personal = False
    await new_chat.say("hi")
    await new_chat.turn(Removed())
    assert await known(new_chat) is None


# Language


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("pt-PT", PT("help.title")),
        ("pt-BR", PT("help.title")),
        ("pt", "O que"),
        ("PT_pt", "O que"),
        ("fr", EN("help.title")),
    ],
)
async def test_the_clients_locale_chooses_the_language(chat: Chat, locale: str, expected: str) -> None:
    chat.locale = locale
    assert expected in words(await chat.say("help"))


async def test_the_chosen_language_wins_and_survives_a_restart(chat: Chat) -> None:
    card = await chat.press(await chat.say("language"), "language.set")
    assert "Português" in words(card)
    assert "português" in words(await chat.act("language.set", language="pt"))
    chat.restart()
    assert "Qual" not in words(await chat.say("help"))
    assert PT("help.title") in words(await chat.say("help"))


async def test_an_unknown_language_changes_nothing(chat: Chat) -> None:
    assert "Which language" in words(await chat.act("language.set", language="tlh"))
    stored = await known(chat)
    assert stored is not None
    assert stored.language == conversations.CLIENTS


@pytest.mark.parametrize("locale", ["en-GB", "pt-PT"])
async def test_every_title_is_understood_in_either_language(
    chat: Chat, locale: str, subtests: pytest.Subtests
) -> None:
    chat.locale = locale
    for command in COMMANDS:
        with subtests.test(command.key):
            cards = [await chat.say(title) for title in command.titles.values()]
            assert words(cards[0]) == words(cards[1])
            assert cards[0]["fallbackText"] not in (EN("unknown.title"), PT("unknown.title"))


# Unknown words and buttons


async def test_a_slip_of_the_keys_is_understood(chat: Chat) -> None:
    assert "Step 1 of 3" in words(await chat.say("setup integraton"))


async def test_unclear_words_get_two_commands_to_press(chat: Chat) -> None:
    card = await chat.say("delete history")
    assert card["fallbackText"] == EN("unknown.title")
    assert list(buttons(card)) == ["command.history", "command.remove", "command.help"]
    assert EN("none.title") in words(await chat.press(card, "command.remove"))


@pytest.mark.parametrize("said", ["thanks", "obrigado", "who are you", "quem és?", "cancel", "undo", "sim"])
async def test_a_remark_is_answered_with_what_can_be_done_next(chat: Chat, said: str) -> None:
    card = await chat.say(said)
    assert card["fallbackText"] != EN("unknown.title")
    assert "command.help" in buttons(card)


@pytest.mark.parametrize(
    "said", ["", "   ", "xyzzy plugh", "🙂", "?!", "a" * 4000, "\u202e\x00", "[x](https://evil.example)"]
)
async def test_every_message_is_answered(chat: Chat, said: str) -> None:
    turn = await chat.turn(Message(said))
    assert len(turn.cards) == 1
    assert "evil.example" not in words(turn.answer)


async def test_an_unknown_verb_is_out_of_date(chat: Chat) -> None:
    for verb in ("setup.everything", "", "command.", "__class__", "x" * 500):
        card = await chat.act(verb)
        assert "out of date" in words(card)
        assert buttons(card)


async def test_every_verb_answers_when_its_data_is_missing(chat: Chat, subtests: pytest.Subtests) -> None:
    for verb in all_verbs():
        with subtests.test(verb):
            turn = await chat.turn(Action(verb, {}, "card"))
            assert len(turn.cards) == 1
            assert "Something went wrong" not in words(turn.answer)


# Failing


async def test_an_unexpected_error_is_answered_with_a_reference(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    chat.integrations.errors["status"] = RuntimeError("password=hunter2")
    with capture_logs() as logs:
        card = await chat.say("status")
    assert "ref-1" in words(card)
    assert "hunter2" not in json.dumps(card) + json.dumps(logs, default=str)
    (entry,) = [entry for entry in logs if entry["event"] == "turn_failed"]
    assert (entry["reference"], entry["error"]) == ("ref-1", "RuntimeError")
    assert entry["place"].startswith("fakes.py:")


@pytest.mark.parametrize("failure", [Unreachable(), Undelivered(503)])
async def test_a_delivery_error_is_passed_to_the_channel(chat: Chat, failure: Exception) -> None:
    class Deaf(RecordingTurn):
        async def replace(self, card: Card, summary: str) -> None:
            raise failure

    with pytest.raises(type(failure)):
        await chat.pipeline(Deaf(incoming(Message("help"))))


async def test_a_fault_outside_the_wizard_is_explained_and_can_be_retried(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    (view,) = await chat.integrations.list(TENANT)
    chat.integrations.errors["enable"] = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    card = await chat.act("enable.now", integration=view.id, client_secret="typed-secret")
    assert "Client secret expired." in words(card)
    assert buttons(card)["enable.now"]["data"] == {"integration": view.id, "press": ANY}
    assert "typed-secret" not in json.dumps(card)
    del chat.integrations.errors["enable"]
    assert "is enabled" in words(await chat.press(card, "enable.now"))


async def test_a_typed_command_that_failed_can_be_tried_again_by_a_button(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    chat.integrations.errors["status"] = ServiceUnavailable(Fault.GRAPH_THROTTLED)
    card = await chat.say("estado")
    del chat.integrations.errors["status"]
    assert "of 27 people can be shown" in words(await chat.press(card, "command.status"))


async def test_turns_of_one_person_are_queued_and_those_of_others_are_not(chat: Chat) -> None:
    chat.admins = (ADMIN, "other-admin")
    chat.restart()
    gate = asyncio.Event()

    class Slow(RecordingTurn):
        async def replace(self, card: Card, summary: str) -> None:
            await gate.wait()
            await super().replace(card, summary)

    slow, same = Slow(incoming(Message("help"))), chat.new_turn(Message("help"))
    other = RecordingTurn(incoming(Message("help"), person="other-admin"))
    waiting = [asyncio.create_task(chat.pipeline(turn)) for turn in (slow, same)]
    await chat.pipeline(other)
    assert other.cards
    assert not same.cards
    gate.set()
    await asyncio.gather(*waiting)
    assert same.cards


async def test_so_many_turns_of_a_person_and_of_a_tenant_wait_and_what_exceeds_them_is_not_kept(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator whose every attempt takes twenty seconds, in which they send twenty more."""
    monkeypatch.setattr(turn_queue, "OF_A_TENANT", 12)
    chat.admins = (ADMIN, "second", "third")
    chat.restart()
    gate = asyncio.Event()

    class Slow(RecordingTurn):
        async def send(self, card: Card, summary: str) -> str:
            await gate.wait()
            return await super().send(card, summary)

        async def replace(self, card: Card, summary: str) -> None:
            if summary != EN("limited.title"):
                await gate.wait()
            await super().replace(card, summary)

    turns = [Slow(incoming(Message("help"), person=who)) for who in (ADMIN,) * 15 + ("second",) * 2 + ("third",)]
    waiting = [asyncio.create_task(chat.pipeline(turn)) for turn in turns]
    refused = [*turns[10:15], turns[-1]]
    await eventually(lambda: all(turn.cards for turn in refused))
    assert sum(not task.done() for task in waiting) == 12
    chat.tenant, chat.person = "another", "stranger"
    assert "For administrators only" in words(await chat.say("help"))
    gate.set()
    await asyncio.gather(*waiting)
    assert {len(turn.cards) for turn in turns} == {1}
    assert ["Too many messages" in words(turn.cards[0]) for turn in turns] == [turn in refused for turn in turns]


# What the welcome says


async def welcomed_again(chat: Chat) -> Card:
    return (await chat.turn(Installed())).answer


async def test_the_welcome_says_what_is_set_up_and_offers_what_comes_next(chat: Chat) -> None:
    card = await chat.press(await at_preview(chat), "setup.later")
    card = await welcomed_again(chat)
    assert "Head office" in words(card)
    assert EN("welcome.not_enabled") in words(card)
    (view,) = await chat.integrations.list(TENANT)
    await chat.act("enable.now", integration=view.id)
    card = await welcomed_again(chat)
    assert "25 of 27 people" in words(card)
    assert {"command.status", "command.setup"} <= set(buttons(card))
    assert EN("welcome.needs") not in words(card)


async def test_the_welcome_does_not_say_running_while_a_service_refuses(chat: Chat) -> None:
    await chat.press(await at_preview(chat), "setup.now")
    error = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
    chat.integrations.service_health = (ServiceHealth(Service.ENTRA, error, chat.now),)
    card = await welcomed_again(chat)
    assert EN("welcome.has_problem") in words(card)
    assert "25 of 27" not in words(card)


@pytest.mark.parametrize(("locale", "other"), [("en-US", "pt"), ("pt-PT", "en")])
async def test_the_welcome_offers_the_other_language(chat: Chat, locale: str, other: str) -> None:
    chat.locale = locale
    card = await chat.press(await welcomed_again(chat), "language.set")
    texts = {"en": EN, "pt": PT}[other]
    assert texts("welcome.title") in words(card)
    assert texts("help.title") in words(await chat.say("help"))
