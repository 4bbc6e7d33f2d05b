"""``install update``: the dialog, its progress and its result; and the update of cards elsewhere."""

from dataclasses import replace
from typing import Any

import pytest

from bot.activity import Address, Card, Undelivered, Unreachable
from bot.cards.field_errors import Links
from bot.cards.integrations.update import SEGMENTS, bar
from bot.cards.presence.messages import MAX_STATUS_TEXT
from bot.chat.bot_context import BotContext
from bot.languages import Language, load_texts
from bot.proactive.update_cards import UpdateCards
from bot.roles.admins_setting import AdminsSetting
from storage.queries.chat import conversations
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import Actor, CloudLinkAccount, TeamsApp
from sync.updates.catalogue import catalogue
from sync.updates.model import (
    CardAddress,
    Installation,
    InstallationState,
)
from tests.support.bot.chat import Chat
from tests.support.bot.fake_updates import DUE, STARTED, progress
from tests.support.bot.fakes import ADMIN, CARD_ID, TENANT, buttons, inputs, words
from tests.support.bot.texts import EN

TEXTS = load_texts()
PORTUGUESE = "pt-PT"

BY = Actor(ADMIN, "Somebody")


@pytest.fixture
async def integration_id(chat: Chat) -> str:
    return await connected(chat)


async def connected(chat: Chat, name: str = "Head office") -> str:
    account = CloudLinkAccount("", "1000200030", "presence-reader", "a secret")
    return (await chat.integrations.add(TENANT, name, account, TeamsApp("t", "c", "a secret"), None, BY)).id


async def dialog(chat: Chat) -> Card:
    chat.updates.pending = DUE
    return await chat.say("install update")


async def test_nothing_to_install_shows_the_installed_version(chat: Chat, integration_id: str) -> None:
    card = await chat.say("install update")
    assert EN("update.nothing") in words(card)
    assert "update.install" not in buttons(card)
    assert "update.undo" not in buttons(card)


async def test_the_dialog_shows_notes_and_what_would_change_here(chat: Chat, integration_id: str) -> None:
    said = words(await dialog(chat))
    for expected in (
        EN("update.2.name"),
        "14 more people would be matched",
        "Person 0, Person 1",
        "and 2 more",
    ):
        assert expected in said
    assert EN("update.3.name") not in said
    assert chat.updates.begun == []


async def test_updates_are_offered_one_by_one(chat: Chat, integration_id: str) -> None:
    """A company may want better matching, and no status messages."""
    card = await dialog(chat)
    assert "status_text" not in inputs(card)
    await chat.press(card, "update.install")
    assert [(begun[2], begun[3]) for begun in chat.updates.begun] == [(2, "")]


async def test_an_installation_starts_once_and_shows_its_progress(chat: Chat, integration_id: str) -> None:
    card = await dialog(chat)
    shown = await chat.press(card, "update.install")
    assert "Installing the update" in words(shown)
    assert "0 %" in words(shown)
    again = await chat.press(card, "update.install")
    assert "Installing the update" in words(again)
    assert "already pressed this button" in words(again)
    assert chat.updates.begun == [(TENANT, integration_id, 2, "", BY)]
    assert set(chat.updates.followers) == {CardAddress(TENANT, ADMIN, CARD_ID)}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (None, "Ao telefone"),
        (" Am\nTelefon ", "Am Telefon"),
        ("", ""),
        ("x" * 500, "x" * MAX_STATUS_TEXT),
    ],
)
async def test_the_status_message_is_asked_for_in_the_companys_language(
    chat: Chat, integration_id: str, typed: str | None, stored: str
) -> None:
    """Offered in the reader's language; what they enter is used, and empty means none."""
    chat.locale = PORTUGUESE
    chat.updates.pending = DUE[1:]
    card = await chat.say("Instalar Atualização")
    assert "Ana *Bold* Martins" in words(card)
    await chat.press(card, "update.install", None if typed is None else {"status_text": typed})
    assert chat.updates.begun[0][2:4] == (3, stored)


async def test_after_it_the_status_messages_can_be_changed(chat: Chat, integration_id: str) -> None:
    owner, view = chat.integrations.stored[integration_id]
    chat.integrations.stored[integration_id] = (owner, replace(view, feature_version=3, status_text="On the phone"))
    card = await chat.press(await chat.say("edit integration"), "messages.show")
    shown = [field.get("value") for field in inputs(card).values()]
    assert shown == [*["On the phone"] * 3, None, None]


async def test_not_now_changes_nothing(chat: Chat, integration_id: str) -> None:
    card = await chat.press(await dialog(chat), "update.later")
    assert "Nothing was changed" in words(card)
    assert chat.updates.begun == []


async def test_an_old_dialog_is_replaced_by_the_current_offer(chat: Chat, integration_id: str) -> None:
    card = await dialog(chat)
    chat.updates.pending = DUE[1:]
    shown = await chat.press(card, "update.install")
    assert "update.install" in buttons(shown)
    assert EN("update.3.name") in words(shown)
    assert chat.updates.begun == []


@pytest.mark.parametrize("version", ["", "-1", "x", "9" * 40, "²"])
async def test_a_version_that_was_not_offered_starts_nothing(chat: Chat, integration_id: str, version: str) -> None:
    chat.updates.pending = DUE
    await chat.act("update.install", integration=integration_id, version=version)
    assert chat.updates.begun == []


@pytest.mark.parametrize("verb", ["update.show", "update.install", "update.undo", "update.later", "update.done"])
async def test_another_tenant_s_integration_does_not_exist(chat: Chat, integration_id: str, verb: str) -> None:
    chat.updates.pending, chat.updates.undoable = DUE, 3
    chat.tenant = "11111111-0000-4000-8000-00000000000f"
    await chat.say("hello")
    card = await chat.act(verb, integration=integration_id, version="3")
    assert "out of date" in words(card)
    assert (chat.updates.begun, chat.updates.undone) == ([], [])


async def test_an_unreadable_service_is_reported_and_nothing_is_offered(chat: Chat, integration_id: str) -> None:
    chat.updates.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, None, status=503)
    card = await dialog(chat)
    assert "update.install" not in buttons(card)
    chat.updates.error = None
    assert "update.install" in buttons(await chat.press(card, "update.show"))


async def test_the_command_shows_the_progress_of_a_running_installation_on_a_card_that_is_updated(
    chat: Chat, integration_id: str
) -> None:
    await chat.press(await dialog(chat), "update.install")
    assert "Installing the update" in words(await chat.say("install update"))
    assert CardAddress(TENANT, ADMIN, "sent-1") in chat.updates.followers


async def test_done_closes_the_dialog(chat: Chat, integration_id: str) -> None:
    card = await chat.act("update.done", integration=integration_id, version="3")
    assert "Feature update completed" in words(card)
    assert set(buttons(card)) == {"status.show"}


async def test_the_newest_can_be_undone(chat: Chat, integration_id: str) -> None:
    chat.updates.undoable = 3
    card = await chat.say("install update")
    shown = await chat.press(card, "update.undo")
    assert EN("update.going_back") in words(shown)
    assert chat.updates.undone == [(TENANT, integration_id, 3, BY)]


@pytest.mark.parametrize(("percent", "filled"), [(0, 0), (40, 8), (99, 20), (100, 20)])
def test_the_bar_is_as_long_as_what_is_done(percent: int, filled: int) -> None:
    runs = bar(TEXTS[Language.ENGLISH], percent)[0].model_dump(by_alias=True, exclude_none=True)["inlines"]
    lengths = {run.get("color", ""): len(run["text"]) for run in runs}
    assert lengths.get("Accent", 0) == filled
    assert sum(lengths.values()) == SEGMENTS


@pytest.mark.parametrize("language", Language)
def test_every_update_has_its_words_and_every_step_its_name(language: Language) -> None:
    anything: Any = None
    for version, update in catalogue(anything, anything, anything).items():
        names = {f"update.{version}.name", f"update.{version}.notes"}
        names |= {f"update.{version}.step.{step.name}" for step in update.steps}
        assert names <= TEXTS[language].keys


class RecordingMessenger:
    """Keeps the updates of cards; raises ``error`` while it is set."""

    def __init__(self) -> None:
        self.updated: list[tuple[Address, str, Card]] = []
        self.error: Exception | None = None

    async def send(self, address: Address, card: Card, summary: str) -> str:
        raise AssertionError("only sent cards are updated")

    async def update(self, address: Address, activity_id: str, card: Card, summary: str) -> None:
        if self.error:
            raise self.error
        self.updated.append((address, activity_id, card))


class Following:
    """Two administrators' cards, one in Portuguese, that follow an installation."""

    def __init__(self, chat: Chat) -> None:
        self.chat, self.messenger, self.slept = chat, RecordingMessenger(), list[float]()
        rules = AdminsSetting((ADMIN, "rui"))
        context = BotContext(chat.database, rules, chat.clock, TEXTS, Links())
        self.cards = UpdateCards(context, chat.updates, self.messenger, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def begin(self, *states: InstallationState) -> None:
        self.chat.person, self.chat.locale = "rui", PORTUGUESE
        self.chat.admins = (ADMIN, "rui")
        self.chat.restart()
        await self.chat.say("olá")
        updates = tuple(progress(version, state) for version, state in zip((2, 3), states, strict=False))
        self.chat.updates.current = Installation("i1", "Head office", updates, "Ana", STARTED)
        self.chat.updates.followers = [CardAddress(TENANT, ADMIN, "card-a"), CardAddress(TENANT, "rui", "card-r")]

    def seen(self) -> dict[str, str]:
        return {activity: words(card) for _, activity, card in self.messenger.updated}


@pytest.fixture
async def following(chat: Chat) -> Following:
    return Following(chat)


async def test_every_card_is_updated_in_its_own_language_and_chat(following: Following) -> None:
    await following.begin(InstallationState.RUNNING, InstallationState.WAITING)
    await following.cards.show("i1")
    assert "Installing the update" in following.seen()["card-a"]
    assert "A instalar a atualização" in following.seen()["card-r"]
    assert [address.conversation_id for address, _, _ in following.messenger.updated] == [
        f"conversation-of-{ADMIN}",
        "conversation-of-rui",
    ]
    assert following.slept == [1.0]
    assert following.chat.updates.released == 0


async def test_the_result_is_shown_once_and_the_cards_are_released(following: Following) -> None:
    await following.begin(InstallationState.COMPLETED, InstallationState.COMPLETED)
    await following.cards.show("i1")
    assert "Feature update completed" in following.seen()["card-a"]
    assert "Atualização de funcionalidade concluída" in following.seen()["card-r"]
    assert "100 %" in following.seen()["card-a"]
    await following.cards.show("i1")
    assert len(following.messenger.updated) == 2


async def test_an_undelivered_result_is_retried(following: Following) -> None:
    await following.begin(InstallationState.COMPLETED)
    following.messenger.error = Undelivered(502)
    with pytest.raises(Undelivered):
        await following.cards.show("i1")
    following.messenger.error = None
    await following.cards.show("i1")
    assert set(following.seen()) == {"card-a", "card-r"}


async def test_undelivered_progress_is_left_to_the_next_update(following: Following) -> None:
    await following.begin(InstallationState.RUNNING)
    following.messenger.error = Undelivered(502)
    await following.cards.show("i1")
    assert following.chat.updates.released == 0


async def test_a_blocked_chat_is_marked_unreachable(following: Following) -> None:
    await following.begin(InstallationState.COMPLETED)
    following.messenger.error = Unreachable()
    await following.cards.show("i1")
    async with following.chat.database.session() as session:
        chat = await conversations.find(session, TENANT, ADMIN)
    assert chat is not None
    assert chat.unreachable
    assert following.chat.updates.released == 1


async def test_a_former_administrators_card_is_not_updated(following: Following) -> None:
    await following.begin(InstallationState.COMPLETED)
    following.chat.admins = (ADMIN,)
    following.chat.restart()
    await following.chat.say("olá")
    await following.cards.show("i1")
    assert set(following.seen()) == {"card-a"}


async def test_a_failure_says_which_step_and_why(following: Following) -> None:
    await following.begin(InstallationState.FAILED)
    running = following.chat.updates.current
    assert running is not None
    failed = replace(running.updates[0], fault="graph.unreachable", failed_step="read", fault_facts={"status": 503})
    following.chat.updates.current = replace(running, updates=(failed,))
    await following.cards.show("i1")
    said = following.seen()["card-a"]
    assert "Reading the lists of people of CloudLink and Entra ID" in said
    assert TEXTS[Language.ENGLISH].lenient("fault.graph.unreachable", {"status": 503}) in said
