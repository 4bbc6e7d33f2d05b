"""History: every act with its person and result, paged and exported as a file."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from bot.activity import Card
from bot.cards.access import history as cards
from bot.chat.exports.files import BYTE_ORDER_MARK
from bot.chat.exports.links import FILE, PURPOSE, ExportLinks, ExportRequest
from bot.languages import Language, language_of
from storage.encryption import Encryption
from storage.queries import history
from storage.tables.history import HistoryEntry
from storage.tables.roles import Member
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.phone_events import CloudLinkUser
from sync.domain.roles import Role
from sync.people.directory_mirror import KnownUser
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.downloads import fetch, rows, serving_files
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import ADMIN, TENANT, buttons, inputs, link_urls, words
from tests.support.bot.history import fill_history
from tests.support.bot.setup_wizard import ACCOUNT, APP, CLIENT_SECRET, CLOUDLINK_SECRET, at_microsoft, at_preview
from tests.support.bot.texts import EN
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.services.servers import TestServer
from tests.support.storage.stores import stored


async def acts(chat: Chat) -> list[HistoryEntry]:
    async with chat.database.session() as session:
        return await history.page(session, TENANT, 0, 1000)


async def recorded(chat: Chat) -> list[tuple[str, str]]:
    """Acts and results, sorted by name: the chat's clock does not move, so all have the same time."""
    return sorted((act.act, act.result) for act in await acts(chat))


# What is recorded


@pytest.fixture
def clients(chat: Chat) -> FakeServiceClients:
    """The chat works with the real services, over these clients."""
    clients = FakeServiceClients()
    clients.cloudlink.people = [CloudLinkUser("1", "Ana", "ana@example.com", "2001")]
    clients.graph.accounts = [KnownUser("2", "ana@example.com", "", (), enabled=True, guest=False)]
    chat.operations = real_operations(context_of(chat.database, clients, clock=chat.clock), Encryption([chat.key]))
    chat.restart()
    return clients


async def test_every_act_on_an_integration_is_recorded(chat: Chat, clients: FakeServiceClients) -> None:
    await chat.press(await at_preview(chat), "setup.now")
    await chat.say("test connection")
    await chat.press(await chat.say("disable presence"), "disable.now")
    card = await chat.press(await chat.say("edit integration"), "edit.rename")
    await chat.press(card, "edit.save_name", {"name": "Sede"})
    await chat.press(await chat.say("remove integration"), "remove.now", {"typed_name": "Sede"})
    done = ("setup", "enable", "test", "disable", "rename", "remove")
    assert await recorded(chat) == sorted((act, "done") for act in done)
    for act in await acts(chat):
        assert (act.actor_id, act.actor_name) == (ADMIN, "Somebody")
        assert act.integration_name == ("Sede" if act.act == "remove" else "Head office")
        assert act.at == chat.now
    assert len({act.integration_id for act in await acts(chat)}) == 1


async def test_a_failure_is_recorded_with_its_fault(chat: Chat, clients: FakeServiceClients) -> None:
    clients.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
    card = await chat.press(await chat.say("setup integration"), "setup.cloudlink", ACCOUNT)
    clients.cloudlink.error = None
    card = await chat.press(await chat.press(card, "setup.cloudlink", ACCOUNT), "setup.register")
    clients.graph.error = CredentialsWrong(Fault.ENTRA_SECRET_WRONG, code=7000215)
    card = await chat.press(card, "setup.save", APP)
    clients.graph.error = None
    await chat.press(card, "setup.save", APP)
    clients.graph.error = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="User.Read.All")
    await chat.say("test connection")
    assert await recorded(chat) == [
        ("check_cloudlink", "cloudlink.refused"),
        ("check_teams", "entra.secret_wrong"),
        ("setup", "done"),
        ("test", "graph.consent_missing"),
    ]
    assert "User.Read.All" in words(await chat.say("history"))
    kept = str(await acts(chat))
    for secret in (CLOUDLINK_SECRET, CLIENT_SECRET):
        assert secret not in kept


async def test_reading_is_not_recorded(chat: Chat, clients: FakeServiceClients) -> None:
    await chat.press(await at_preview(chat), "setup.later")
    before = await recorded(chat)
    for said in ("status", "integrations", "enable presence", "history", "export history", "help"):
        await chat.say(said)
    assert await recorded(chat) == before


async def test_an_act_on_a_missing_integration_is_not_recorded(chat: Chat, clients: FakeServiceClients) -> None:
    for verb in ("enable.now", "disable.now", "test.run", "remove.now", "edit.save_name"):
        await chat.act(verb, integration="no such id", name="x", typed_name="x")
    assert await recorded(chat) == []


# How it is shown


@pytest.mark.parametrize(
    ("locale", "said", "expected"),
    [
        (
            "en-US",
            "history",
            ["12 entries", "Page 1 of 2", "Presence enabled · Head office", "Ada · 10 minutes ago"],
        ),
        (
            "pt-PT",
            "histórico",
            ["12 registos", "Página 1 de 2", "Sincronização ativada · Head office", "há 10 minutos"],
        ),
    ],
)
async def test_by_pages_newest_first(chat: Chat, locale: str, said: str, expected: list[str]) -> None:
    chat.locale = locale
    await fill_history(chat, 12)
    card = await chat.say(said)
    for piece in expected:
        assert piece in words(card)
    assert set(buttons(card)) == {"history.page", "export.link"}
    second = await chat.press(card, "history.page")
    texts = chat.services.languages[language_of(locale)]
    assert texts.relative(chat.now - timedelta(minutes=12), chat.now) in words(second)
    assert words(await chat.press(second, "history.page")) == words(card)


async def test_older_entries_are_in_the_readers_time_zone(chat: Chat) -> None:
    await fill_history(chat, 1)
    chat.now += timedelta(days=1)
    assert "22 Nov 2026, 11:59 UTC" in words(await chat.say("history"))
    chat.zone = "America/New_York"
    assert "22 Nov 2026, 06:59" in words(await chat.say("history"))


async def test_a_failure_says_what_was_wrong(chat: Chat) -> None:
    await fill_history(
        chat, 1, act="edit_teams", result="graph.consent_missing", facts={"permissions": "User.Read.All"}
    )
    card = words(await chat.say("history"))
    assert "❌" in card
    assert EN("fault.graph.consent_missing", permissions="User.Read.All") in card


async def test_an_act_of_a_newer_version_and_the_bots_own(chat: Chat) -> None:
    await fill_history(chat, 1, act="painted_blue", result="no_paint", actor_id="bot", actor_name="")
    card = words(await chat.say("history"))
    for piece in ("painted_blue", "no_paint", EN("history.bot")):
        assert piece in card


async def test_of_several_integrations_one_can_be_chosen(chat: Chat, clients: FakeServiceClients) -> None:
    for name, client_id in (("Head office", APP["client_id"]), ("Branch", str(uuid4()))):
        typed = {**APP, "name": name, "client_id": client_id}
        card = await chat.press(await at_microsoft(chat), "setup.save", typed)
        await chat.press(card, "setup.later")
    card = await chat.say("history")
    assert {"Head office", "Branch"} <= set(words(card).replace("Integration set up · ", "").splitlines())
    branch = next(view.id for view in await chat.operations.integrations.list(TENANT) if view.name == "Branch")
    card = await chat.press(card, "history.filter", {"integration": branch})
    assert "1 entry" in words(card)
    assert inputs(card)["integration"]["value"] == branch
    assert "2 entries" in words(await chat.press(card, "history.filter", {"integration": "all"}))


@pytest.mark.parametrize("page", ["-1", "x", "9" * 30, "999", "٣"])
async def test_an_unknown_page(chat: Chat, page: str) -> None:
    await fill_history(chat, 12)
    assert "of 2" in words(await chat.act("history.page", page=page))


async def test_nothing_yet(chat: Chat) -> None:
    card = await chat.say("history")
    assert EN("history.empty") in words(card)
    assert set(buttons(card)) == {"command.help"}


async def test_another_tenant_sees_nothing_of_it(chat: Chat) -> None:
    await fill_history(chat, 3)
    chat.tenant = "99999999-0000-4000-8000-000000000009"
    await chat.say("hello")
    for verb in ("history.show", "export.link", "export.text"):
        card = await chat.act(verb, integration="i1")
        assert "Ada" not in words(card)


@pytest.mark.parametrize("size", [cards.PAGE, cards.LINES])
async def test_the_largest_page_still_fits(chat: Chat, size: int) -> None:
    long = "Ş" * 5000
    await fill_history(
        chat, 60, integration_name=long, actor_name=long, result="x" * 200, facts={"to": long, "from": long}
    )
    verb = "history.page" if size == cards.PAGE else "export.text"
    card = await chat.act(verb, page="1")
    assert len(json.dumps(card).encode()) < 28 * 1024


# The file


@pytest.fixture
async def server(chat: Chat) -> AsyncIterator[TestServer]:
    """The bot's own address, which the chat knows as the public one."""
    async with serving_files(chat) as running:
        yield running


async def exported(chat: Chat, said: str = "export history") -> str:
    (url,) = link_urls(await chat.say(said))
    return url


async def test_a_removed_persons_link_is_refused(chat: Chat, server: TestServer) -> None:
    await stored(
        chat.database,
        Member(id="m", owner_tenant=TENANT, user_object_id="rui", role=Role.VIEWER, invited_at=chat.now),
    )
    chat.person = "rui"
    await chat.say("hello")
    url = await exported(chat)
    assert (await fetch(url))[0] == 200
    chat.person = ADMIN
    await chat.act("admins.remove", member="m", was="viewer")
    assert (await fetch(url))[0] == 404


async def test_the_link_leads_to_the_file(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 700)
    status, headers, text = await fetch(await exported(chat))
    assert status == 200
    assert headers["Content-Disposition"] == 'attachment; filename="cloudlink-presence-2026-11-22.csv"'
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert text.startswith(BYTE_ORDER_MARK)
    found = rows(text)
    assert len(found) == 700
    assert found[0] | {"Time (UTC)": ""} == {
        "Time (UTC)": "",
        "Administrator": "Ada",
        "Administrator ID": ADMIN,
        "Integration name": "Head office",
        "Integration ID": "i1",
        "What was done": "Presence enabled",
        "Result": "Done",
        "Details": "",
        EN("export.column.act"): "enable",
        EN("export.column.outcome"): "done",
    }
    assert found[0]["Time (UTC)"] == "2026-11-22T11:59:00+00:00"


async def test_it_is_in_the_language_of_the_person_who_asked(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 1)
    chat.locale = "pt-PT"
    (row,) = rows((await fetch(await exported(chat, "exportar histórico")))[2], ";")
    assert row["O que foi feito"] == "Sincronização ativada"


@pytest.mark.parametrize(
    ("locale", "said", "separator"), [("en-US", "export history", ","), ("pt-PT", "exportar histórico", ";")]
)
async def test_no_cell_of_the_file_is_a_formula(
    chat: Chat, server: TestServer, locale: str, said: str, separator: str
) -> None:
    await fill_history(chat, 1, integration_name="Office;=HYPERLINK(1)", actor_name="@SUM(1)")
    chat.locale = locale
    _, _, text = await fetch(await exported(chat, said))
    (_, _, _, name, *_) = list(rows(text, separator)[0].values())
    assert name == "Office;'=HYPERLINK(1)"
    assert f'{separator}"\'@SUM(1)"{separator}' in text


async def test_the_link_is_valid_for_ten_minutes(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 1)
    url = await exported(chat)
    chat.now += timedelta(minutes=9, seconds=59)
    assert (await fetch(url))[0] == 200
    chat.now += timedelta(seconds=1)
    status, _, text = await fetch(url)
    assert status == 404
    assert "Head office" not in text


async def test_a_forged_link_is_refused(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 1)
    url = await exported(chat)
    base = url.rpartition("/")[0]
    token = url.rpartition("/")[2]
    links = Encryption([KEY]).for_purpose(PURPOSE)
    request = links.decrypt(token, FILE)
    for forged in (
        "x",
        "x" * 5000,
        token[:-4],
        links.encrypt("{}", FILE),
        links.encrypt(request, b"people.csv"),
        Encryption([KEY]).encrypt(request, FILE),
        Fernet(KEY).encrypt(request.encode()).decode(),
    ):
        assert (await fetch(f"{base}/{forged}"))[0] == 404


async def test_the_file_is_the_tenants_own(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 2)
    await fill_history(chat, 1, owner_tenant="another tenant", integration_name="Theirs")
    _, _, text = await fetch(await exported(chat))
    assert len(rows(text)) == 2
    assert "Theirs" not in text


async def test_asking_for_the_head_gives_no_body(chat: Chat, server: TestServer) -> None:
    await fill_history(chat, 2)
    status, _, text = await fetch(await exported(chat), "HEAD")
    assert (status, text) == (200, "")


async def test_only_this_machine_is_given_a_loopback_link(chat: Chat) -> None:
    links = ExportLinks(Encryption([KEY]), chat.clock, own_url="http://127.0.0.1:3978")
    request = ExportRequest(TENANT, ADMIN, Language.ENGLISH, "")
    assert links.create(request, "http://localhost:56150/connector").startswith("http://127.0.0.1:3978/exports/")
    assert links.create(request, "https://smba.trafficmanager.net/emea/") == ""
    assert links.create(request, "https://localhost.evil.example/") == ""


async def test_without_an_address_it_is_shown_as_text(chat: Chat) -> None:
    await fill_history(chat, cards.LINES + 1)
    card = await chat.say("export history")
    assert "PUBLIC_URL" in words(card)
    assert link_urls(card) == []
    card = await chat.press(card, "export.text")
    assert lines(card)[0].startswith('"Time (UTC)","Administrator"')
    assert len(lines(card)) == cards.LINES + 1
    card = await chat.press(card, "export.text")
    assert len(lines(card)) == 2


def lines(card: Card) -> list[str]:
    return [line for line in words(card).splitlines() if line.count(",") > 5]
