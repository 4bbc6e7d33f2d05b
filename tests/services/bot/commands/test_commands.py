"""The shorter conversations: enable, disable, status, test, remove, integrations, help."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bot.activity import Card
from bot.cards.parts import NBSP
from bot.commands import COMMANDS
from bot.commands.help import GROUPS, LINES
from bot.commands.naming import OF_AN_INTEGRATION
from storage.queries.chat import drafts
from storage.tables.roles import Member
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Actor, CredentialKind, EditedMeanwhile, Probe, Service, ServiceHealth
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import TENANT, buttons, error_below, inputs, press, words
from tests.support.bot.setup_wizard import APP, OTHER_CLIENT, at_microsoft, at_preview
from tests.support.bot.texts import EN, PT
from tests.support.storage.stores import stored


async def add_integration(chat: Chat, *, enabled: bool = False) -> str:
    """One integration, through the wizard; its id."""
    await chat.press(await at_preview(chat), "setup.now" if enabled else "setup.later")
    (view,) = await chat.integrations.list(TENANT)
    chat.integrations.calls.clear()
    return view.id


async def two(chat: Chat) -> list[str]:
    await add_integration(chat)
    typed = {**APP, "name": "Branch", "client_id": OTHER_CLIENT}
    card = await chat.press(await at_microsoft(chat), "setup.save", typed)
    await chat.press(card, "setup.later")
    chat.integrations.calls.clear()
    return [view.id for view in await chat.integrations.list(TENANT)]


NEEDY = ["enable presence", "disable presence", "status", "test connection", "remove integration", "integrations"]


@pytest.mark.parametrize("command", NEEDY)
async def test_without_an_integration_it_offers_to_set_one_up(chat: Chat, command: str) -> None:
    card = await chat.say(command)
    assert "no integration yet" in words(card)
    assert "Step 1 of 3" in words(await chat.press(card, "command.setup"))


@pytest.mark.parametrize("command", NEEDY[:-1])
async def test_of_several_it_asks_which(chat: Chat, command: str) -> None:
    ids = await two(chat)
    card = await chat.say(command)
    assert [choice["value"] for choice in inputs(card)["integration"]["choices"]] == ids
    assert chat.integrations.calls == []
    assert EN("pick.for", purpose=command) in words(card)
    verb, cancel = buttons(card)
    assert EN("kept.title") in words(await chat.press(card, cancel))
    assert "Branch" in words(await chat.press(card, verb, {"integration": ids[1]}))


@pytest.mark.parametrize("key", sorted(command.key for command in COMMANDS))
async def test_the_commands_of_one_integration_ask_which(chat: Chat, key: str) -> None:
    await two(chat)
    (command,) = (each for each in COMMANDS if each.key == key)
    is_asked = EN("pick.title") in words(await chat.say(command.titles["en"]))
    assert is_asked == (key in OF_AN_INTEGRATION | {"people"})


@pytest.mark.parametrize(
    ("said", "name", "key"),
    [
        ("estado Lisboa", "Lisboa", "status"),
        ("atualizar lisboa", "lisboa", "update"),
        ("test connection of lisbon north?", "lisbon north?", "test"),
    ],
)
async def test_an_integration_that_does_not_exist_is_said_with_those_that_do(
    chat: Chat, said: str, name: str, key: str
) -> None:
    await add_integration(chat)
    card = await chat.say(said)
    assert card["fallbackText"] == EN("pick.unknown", name=name)
    assert EN("pick.known", names="Head office") in words(card)
    chat.locale = "pt-PT"
    assert PT("pick.unknown", name=name) == (await chat.say(said))["fallbackText"]
    (continues,) = (verb for verb in buttons(card) if verb.startswith(key))
    assert "Head office" in words(await chat.press(card, continues))


async def test_no_integration_is_looked_for_beside_a_command_about_something_else(chat: Chat) -> None:
    await add_integration(chat)
    for said in ("help lisbon", "history lisbon", "status secret", "lisbon"):
        assert EN("unknown.title") in words(await chat.say(said)), said


async def test_enable_previews_first(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("enable presence")
    assert chat.integrations.calls == ["preview"]
    assert "Step" not in words(card)
    assert "is enabled" in words(await chat.press(card, "enable.now"))
    assert chat.integrations.calls == ["preview", "enable"]


async def test_enable_can_wait(chat: Chat) -> None:
    await add_integration(chat)
    assert "Nothing is sent" in words(await chat.press(await chat.say("habilitar presença"), "enable.later"))
    assert "enable" not in chat.integrations.calls


async def test_enabling_twice_says_so(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    assert EN("enabled.already") in words(await chat.say("enable presence"))
    assert chat.integrations.calls == []


async def test_disable_asks_once_and_says_how_many_are_cleared(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    card = await chat.say("disable presence")
    assert chat.integrations.calls == []
    assert "3 people" in words(await chat.press(card, "disable.now"))
    assert "is not enabled" in words(await chat.press(card, "disable.now"))
    assert chat.integrations.calls == ["disable", "status"]


async def test_disabling_while_graph_is_away_says_that_those_shown_are_cleared_later(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    away = ServiceHealth(Service.GRAPH, ServiceUnavailable(Fault.GRAPH_UNREACHABLE), chat.now)
    chat.integrations.service_health = (away,)
    said = words(await chat.press(await chat.say("disable presence"), "disable.now"))
    assert EN.plural("disabled.still_shown", 3, service="Microsoft Graph") in said


async def test_a_press_whose_process_ended_first_can_be_pressed_again(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise Killed

    await add_integration(chat, enabled=True)
    card = await chat.say("disable presence")
    with monkeypatch.context() as patched:
        patched.setattr(chat.integrations, "disable", killed)
        with pytest.raises(Killed):
            await chat.press(card, "disable.now")
    answer = words(await chat.press(card, "disable.now"))
    assert EN("pressed.unfinished") in answer
    assert EN("pressed.once") not in answer
    chat.restart()
    assert "3 people" in words(await chat.press(card, "disable.now"))
    chat.restart()
    assert EN("pressed.once") in words(await chat.press(card, "disable.now"))


async def test_disabling_can_be_cancelled(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    assert "Nothing was changed" in words(await chat.press(await chat.say("disable presence"), "disable.keep"))
    assert chat.integrations.calls == []


async def test_remove_needs_the_name(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("remover integração")
    assert EN("remove.what") in words(card)
    card = await chat.press(card, "remove.now", {"typed_name": "Head"})
    assert EN("remove.other_name") in error_below(card, "typed_name")
    card = await chat.press(card, "remove.now", {"typed_name": ""})
    assert chat.integrations.calls == []
    card = await chat.press(card, "remove.now", {"typed_name": " head OFFICE "})
    assert EN("removed.title") in words(card)
    assert chat.integrations.stored == {}


async def test_removing_twice_is_harmless(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("remove integration")
    action = press(card, "remove.now", {"typed_name": "Head office"})
    await chat.turn(action)
    assert "out of date" in words((await chat.turn(action)).answer)
    assert chat.integrations.calls == ["remove"]


async def test_removing_can_be_cancelled(chat: Chat) -> None:
    await add_integration(chat)
    assert "Nothing was changed" in words(await chat.press(await chat.say("remove integration"), "remove.keep"))


async def test_status_in_words(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    said = words(await chat.say("estado"))
    for expected in (
        "Presence sync is running",
        f"✅{NBSP}Mitel CloudLink",
        "of 27 people can be shown",
        "parked × 4",
    ):
        assert expected in said
    assert EN("status.live") in said
    assert "none yet" in said


async def test_status_refreshes_in_its_place_and_offers_what_fits(chat: Chat) -> None:
    await add_integration(chat)
    card = await chat.say("status")
    assert set(buttons(card)) == {"status.show", "test.run", "people.show", "enable.preview"}
    chat.integrations.calls.clear()
    turn = await chat.turn(press(card, "status.show"))
    assert len(turn.replaced) == 1
    assert turn.sent == []


async def test_status_distinguishes_wrong_credentials_from_an_unavailable_service(chat: Chat) -> None:
    await add_integration(chat, enabled=True)
    since = chat.now - timedelta(hours=2)
    chat.integrations.service_health = (
        ServiceHealth(Service.CLOUDLINK, ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE), since),
        ServiceHealth(Service.ENTRA, CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), since),
        ServiceHealth(Service.GRAPH),
    )
    card = await chat.say("status")
    said = words(card)
    assert card["fallbackText"] == EN("status.no_calls", since="10:00")
    assert EN("fault.cloudlink.unreachable") in said
    assert EN("fault.entra.secret_expired") in said
    assert card["actions"][0]["verb"] == "rotate.ask"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (None, EN("expiry.unknown")),
        (-1, "Microsoft has not refused the secret so far"),
        (0, "in 0 days"),
        (1, "in 1 day,"),
        (90, "expires in 90 days"),
    ],
)
async def test_status_counts_the_secrets_days(chat: Chat, days: int | None, expected: str) -> None:
    identity = await add_integration(chat)
    owner, view = chat.integrations.stored[identity]
    expires: date | None = None if days is None else chat.now.date() + timedelta(days=days)
    chat.integrations.stored[identity] = (owner, replace(view, secret_expires_on=expires))
    assert expected in words(await chat.say("status"))


async def test_an_unknown_expiry_is_entered_on_the_status(chat: Chat) -> None:
    identity = await add_integration(chat)
    owner, view = chat.integrations.stored[identity]
    chat.integrations.stored[identity] = (owner, replace(view, secret_expires_on=None))
    card = await chat.say("status")
    past = await chat.press(card, "edit.save_expiry", {"expires_on": "2020-01-01"})
    assert EN("check.past") in error_below(past, "expires_on")
    empty = await chat.press(past, "edit.save_expiry", {"expires_on": ""})
    assert EN("check.required", field=EN("field.expires_on")) in error_below(empty, "expires_on")
    saved = await chat.press(empty, "edit.save_expiry", {"expires_on": "2027-05-31"})
    assert "31 May 2027" in words(saved)
    assert chat.integrations.stored[identity][1].secret_expires_on == date(2027, 5, 31)


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"secret_expires_on": date(2027, 10, 1)},
        {"credential": CredentialKind.CERTIFICATE, "secret_expires_on": date(2027, 10, 1)},
        {"credential": CredentialKind.FEDERATED},
    ],
)
async def test_a_date_on_an_old_card_does_not_replace_that_of_later_credentials(
    chat: Chat, meanwhile: dict[str, Any]
) -> None:
    identity = await add_integration(chat)
    owner, view = chat.integrations.stored[identity]
    chat.integrations.stored[identity] = (owner, replace(view, secret_expires_on=None))
    card = await chat.say("status")
    now = replace(view, **{"secret_expires_on": None, **meanwhile})
    chat.integrations.stored[identity] = (owner, now)
    shown = await chat.press(card, "edit.save_expiry", {"expires_on": "2027-05-31"})
    assert chat.integrations.stored[identity][1] == now
    assert "edit.save_expiry" not in buttons(shown)


async def test_a_date_entered_while_another_administrator_edits_is_asked_for_again(chat: Chat) -> None:
    identity = await add_integration(chat)
    owner, view = chat.integrations.stored[identity]
    chat.integrations.stored[identity] = (owner, replace(view, secret_expires_on=None))
    chat.integrations.errors["correct_expiry"] = EditedMeanwhile(identity)
    shown = await chat.press(await chat.say("status"), "edit.save_expiry", {"expires_on": "2027-05-31"})
    assert "edit.save_expiry" in buttons(shown)


async def test_the_connection_test_shows_steps_times_and_remedies(chat: Chat) -> None:
    await add_integration(chat)
    chat.integrations.probes = (
        Probe(Service.CLOUDLINK, "users", 0.234),
        Probe(Service.ENTRA, "token", 12.6, CredentialsWrong(Fault.ENTRA_APP_DISABLED)),
    )
    card = await chat.say("testar ligação")
    said = words(card)
    assert EN("probe.users") in said
    assert "Mitel CloudLink · 234 ms" in said
    assert "Microsoft Entra ID · 12,600 ms" in said
    assert "1 step failed" in said
    assert "Enterprise applications, open the application" in said


async def test_the_connection_test_says_that_everyone_is_refused_which_no_step_shows(chat: Chat) -> None:
    await add_integration(chat)
    chat.integrations.probes = (Probe(Service.GRAPH, "presence", 0.1),)
    refused = CredentialsWrong(Fault.GRAPH_EVERYONE_REFUSED, code="403 Forbidden")
    chat.integrations.service_health = (ServiceHealth(Service.GRAPH, refused, chat.now),)
    said = words(await chat.say("test connection"))
    assert "Everything works" not in said
    assert EN("fault.graph.everyone_refused", code="403 Forbidden") in said
    assert EN("fault.graph.everyone_refused.remedy") in said


async def test_a_step_without_a_name_here_is_shown_as_it_is(chat: Chat) -> None:
    await add_integration(chat)
    chat.integrations.probes = (Probe(Service.GRAPH, "something_new", 0.1),)
    said = words(await chat.say("test connection"))
    assert "something_new" in said
    assert "Everything works" in said


async def test_integrations_are_listed_with_their_state(chat: Chat) -> None:
    await two(chat)
    said = words(await chat.say("integrações"))
    for expected in ("2 integrations", "Head office", "Branch", "not enabled", "31 May 2027"):
        assert expected in said


UNLISTED = frozenset({"help", "diagnostics"})
"""Commands without a line in help; *diagnostics* is for support, which names it."""


def help_lines(card: Card) -> list[str]:
    return [part["selectAction"]["verb"] for part in card["body"] if "selectAction" in part]


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("pt-PT", "pt")])
async def test_help_and_more_commands_name_every_command_in_its_language(
    chat: Chat, locale: str, language: str
) -> None:
    chat.locale = locale
    card = await chat.say("help")
    said = words(card) + words(await chat.press(card, "help.more"))
    assert "claim" not in said
    for command in COMMANDS:
        if command.least is Role.EVERYONE or command.key in UNLISTED:
            continue
        assert command.titles[language] in said
        assert command.descriptions[language] in said


async def test_help_is_four_groups_of_at_most_six_lines_and_each_line_is_a_button(chat: Chat) -> None:
    card = await chat.say("help")
    groups = "".join("-" if "selectAction" in part else " " for part in card["body"]).split()
    assert len(groups) == len(GROUPS) == 4
    assert max(map(len, groups)) == LINES == 6
    lines = [*help_lines(card), *help_lines(await chat.press(card, "help.more"))]
    assert len(lines) == len(set(lines))
    assert {f"command.{one.key}" for one in COMMANDS if one.least is not Role.EVERYONE} - {*lines} == {
        f"command.{key}" for key in UNLISTED
    }
    assert "command.me" in lines
    assert EN("none.title") in words(await chat.press(card, "command.status"))


async def test_help_has_no_more_commands_for_a_role_whose_commands_have_room(chat: Chat) -> None:
    viewer = Member(owner_tenant=TENANT, user_object_id="rui", role=Role.VIEWER, invited_at=chat.now)
    await stored(chat.database, viewer)
    chat.person = "rui"
    await chat.say("hello")
    card = await chat.say("help")
    assert "help.more" not in buttons(card)
    assert {"command.export", "command.export_people", "command.opt_out", "command.language"} <= {*help_lines(card)}


async def test_help_begins_with_what_fits_the_state(chat: Chat) -> None:
    assert help_lines(first := await chat.say("help"))[0] == "command.setup" == first["actions"][0]["verb"]
    identity = await add_integration(chat)
    assert help_lines(card := await chat.say("help"))[0] == "command.enable" == card["actions"][0]["verb"]
    await chat.integrations.enable(TENANT, identity, Actor("admin"))
    assert help_lines(card := await chat.say("help"))[0] == "command.status" == card["actions"][0]["verb"]


def test_commands_fit_the_manifest() -> None:
    assert sum(command.listed for command in COMMANDS) <= 10
    assert all(len(title) <= 32 for command in COMMANDS for title in command.titles.values())
    assert all(set(command.titles) == set(command.descriptions) == {"en", "pt"} for command in COMMANDS)


def test_a_commands_verbs_begin_with_its_key() -> None:
    assert all(verb.startswith(f"{command.key}.") for command in COMMANDS for verb in command.actions)


async def test_every_button_shown_has_a_handler(chat: Chat) -> None:
    """Follow every button from every command: none has an unknown verb."""
    await add_integration(chat, enabled=True)
    for command in COMMANDS:
        await chat.say(command.titles["en"])
    answers = {f"command.{command.key}" for command in COMMANDS} | {v for c in COMMANDS for v in c.actions}
    shown: list[Card] = chat.shown
    assert {verb for card in shown for verb in buttons(card)} <= answers
    async with chat.database.session() as session:
        assert await drafts.load(session, chat.tenant, chat.person) is not None
