"""The list of integrations with their health, and the card of each with all its actions."""

from uuid import uuid4

import pytest

from bot.cards.integrations.listing import SHOWN
from bot.cards.parts import NBSP
from bot.chat.context import CommandHandler
from bot.chat.router import Router
from bot.commands import COMMANDS
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Actor, Service, ServiceHealth
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import TENANT, buttons, error_below, inputs, words
from tests.support.bot.setup_wizard import APP, OTHER_CLIENT, at_microsoft
from tests.support.bot.texts import EN


async def connected(chat: Chat, *names: str) -> list[str]:
    """Integrations of these names, through the wizard; their ids."""
    for name in names:
        typed = {**APP, "name": name, "client_id": str(uuid4())}
        card = await chat.press(await at_microsoft(chat), "setup.save", typed)
        await chat.press(card, "setup.later")
    chat.integrations.calls.clear()
    return [view.id for view in await chat.integrations.list(TENANT)]


async def test_each_with_its_health_in_symbols_and_words(chat: Chat) -> None:
    await connected(chat, "Head office", "Branch")
    chat.integrations.service_health = (
        ServiceHealth(Service.CLOUDLINK),
        ServiceHealth(Service.ENTRA, CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), chat.now),
        ServiceHealth(Service.GRAPH, ServiceUnavailable(Fault.GRAPH_THROTTLED), chat.now),
    )
    said = words(await chat.say("integrations"))
    for expected in (
        "2 integrations",
        "Head office",
        "Branch",
        f"✅{NBSP}Mitel CloudLink",
        f"❌{NBSP}Microsoft Entra",
        f"⚠️{NBSP}",
    ):
        assert expected in said


@pytest.mark.parametrize(("locale", "said"), [("en-US", "integrations"), ("pt-PT", "integrações")])
async def test_one_is_picked_and_opened(chat: Chat, locale: str, said: str) -> None:
    chat.locale = locale
    ids = await connected(chat, "Head office", "Branch")
    card = await chat.say(said)
    assert {"integrations.open", "command.setup"} == set(buttons(card))
    card = await chat.press(card, "integrations.open", {"integration": ids[1]})
    assert "Branch" in words(card)
    assert "Head office" not in words(card)
    offered = {"status.show", "test.run", "enable.preview", "edit.open", "rotate.ask", "remove.ask"}
    assert set(buttons(card)) == offered
    assert all(button["data"]["integration"] == ids[1] for button in buttons(card).values())


async def test_one_that_runs_can_be_paused(chat: Chat) -> None:
    (identity,) = await connected(chat, "Head office")
    await chat.integrations.enable(TENANT, identity, Actor("admin"))
    card = await chat.act("integrations.open", integration=identity)
    assert "disable.ask" in buttons(card)
    assert "enable.preview" not in buttons(card)


async def test_another_can_be_set_up(chat: Chat) -> None:
    await connected(chat, "Head office")
    assert "Step 1 of 3" in words(await chat.press(await chat.say("integrations"), "command.setup"))


async def test_the_same_name_is_refused_at_its_field(chat: Chat) -> None:
    await connected(chat, "Head office")
    typed = {**APP, "name": "HEAD office", "client_id": OTHER_CLIENT}
    card = await chat.press(await at_microsoft(chat), "setup.save", typed)
    assert EN("check.name_taken") in error_below(card, "name")


async def test_many_are_paged(chat: Chat) -> None:
    names = [f"Site {number:02}" for number in range(SHOWN + 2)]
    await connected(chat, *names)
    first = await chat.say("integrations")
    assert "Page 1 of 2" in words(first)
    assert len(inputs(first)["integration"]["choices"]) == SHOWN
    second = await chat.press(first, "integrations.page")
    assert names[-1] in words(second)
    assert names[0] not in words(second)
    assert names[0] in words(await chat.press(second, "integrations.page"))


@pytest.mark.parametrize("page", ["-1", "x", "9" * 30, "7"])
async def test_an_unknown_page(chat: Chat, page: str) -> None:
    await connected(chat, "Head office")
    assert "Head office" in words(await chat.act("integrations.page", page=page))


async def test_another_tenants_cannot_be_opened(chat: Chat) -> None:
    (identity,) = await connected(chat, "Head office")
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    card = await chat.act("integrations.open", integration=identity)
    assert "out of date" in words(card)
    assert "no integration yet" in words(await chat.say("integrations"))


async def test_every_button_of_an_integrations_card_has_a_handler(chat: Chat) -> None:
    (identity,) = await connected(chat, "Head office")
    router = Router(COMMANDS)
    for card in (
        await chat.say("integrations"),
        await chat.act("integrations.open", integration=identity),
        await chat.act("edit.open", integration=identity),
    ):
        answers: dict[str, CommandHandler | None] = {verb: router.handler(verb) for verb in buttons(card)}
        assert [verb for verb, answer in answers.items() if answer is None] == []


async def test_a_command_with_a_name_is_for_that_integration_and_only_of_the_own_tenant(chat: Chat) -> None:
    ids = await connected(chat, "Porto Office", "Vale North", "Vale South")
    status = await chat.say("estado da porto office")
    assert "Porto Office" in words(status)
    assert buttons(status)["status.show"]["data"]["integration"] == ids[0]
    assert buttons(await chat.say("remove integration porto"))["remove.now"]["data"]["integration"] == ids[0]
    which = inputs(await chat.say("status vale"))["integration"]["choices"]
    assert [each["value"] for each in which] == ids[1:]
    assert buttons(await chat.say("vale south"))["status.show"]["data"]["integration"] == ids[2]
    assert "Vale North" in words(await chat.say("qual integração?"))
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    foreign = await chat.say("status porto office")
    assert "Porto Office" not in words(foreign)
    assert "command.status" in buttons(foreign)


@pytest.mark.parametrize(
    "said", ["disable presence vale", "report vale", "rotate secret vale", "edit vale", "scope vale"]
)
async def test_a_command_that_names_an_integration_asks_no_more_which(chat: Chat, said: str) -> None:
    await connected(chat, "Porto Office", "Vale North")
    card = await chat.say(said)
    assert "Vale North" in words(card)
    assert "Porto Office" not in words(card)
