"""The page that hands a secret over to monitors: once, to the administrator who asked, and to no program."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from html import escape

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from bot.chat.exports.links import MONITOR_SECRETS, PATH, ExportLinks, ExportRequest
from bot.chat.exports.monitor_secret import MonitorSecretPage
from bot.languages import Language
from storage.encryption import Encryption
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import Actor, CloudLinkAccount, IntegrationView, TeamsApp
from tests.support.bot.chat import Chat
from tests.support.bot.fake_credentials import MONITORS_VALUE, FakeMonitorSecrets
from tests.support.bot.fakes import ADMIN, TENANT, link_urls, words
from tests.support.bot.texts import EN, PT
from tests.support.services.servers import TestServer

SECRET = escape(MONITORS_VALUE)


@dataclass
class Place:
    """The integration, its chat, and the page's secrets."""

    chat: Chat
    view: IntegrationView

    @property
    def secrets(self) -> FakeMonitorSecrets:
        found = self.chat.operations.monitor_secrets
        assert isinstance(found, FakeMonitorSecrets)
        return found

    async def link(self) -> str:
        card = await self.chat.act("monitors.secret", integration=self.view.id)
        return next(url for url in link_urls(card) if MONITOR_SECRETS in url)


@pytest.fixture
async def place(chat: Chat) -> AsyncIterator[Place]:
    pages: list[MonitorSecretPage] = []

    async def ask(request: web.Request) -> web.Response:
        return await pages[0].ask(request)

    async def hand_over(request: web.Request) -> web.Response:
        return await pages[0].hand_over(request)

    application = web.Application()
    application.router.add_get("/exports/monitors/{token}", ask)
    application.router.add_post("/exports/monitors/{token}", hand_over)
    async with TestServer(application) as running:
        url = str(running.make_url("")).rstrip("/")
        chat.export_links = ExportLinks(Encryption([Fernet.generate_key().decode()]), chat.clock, public_url=url)
        chat.restart()
        pages.append(MonitorSecretPage(chat.services))
        account, app = CloudLinkAccount("", "1000", "reader", "secret"), TeamsApp(TENANT, TENANT, "old")
        view = await chat.integrations.add(TENANT, "Head office", account, app, None, Actor(ADMIN, "Ada"))
        yield Place(chat, view)


async def fetched(method: str, url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.request(method, url) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.text()


async def test_who_only_opens_the_link_makes_nothing(place: Place) -> None:
    link = await place.link()
    for method in ("GET", "HEAD", "GET"):
        status, page = await fetched(method, link)
        assert status == 200
        assert SECRET not in page
    assert place.secrets.made == []


async def test_its_button_shows_the_secret_once(place: Place) -> None:
    link = await place.link()
    status, page = await fetched("POST", link)
    assert (status, page.count(SECRET)) == (200, 1)
    (made,) = place.secrets.made
    assert made[2] == Actor(ADMIN, "Somebody")
    status, again = await fetched("POST", link)
    assert (status, SECRET in again) == (410, False)
    assert EN("monitor_secret.used", who="Somebody") in again.replace("&#x27;", "'")
    assert len(place.secrets.made) == 1


async def test_the_secret_is_on_no_card_and_not_on_disk(
    place: Place, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await fetched("POST", await place.link())
    written = capsys.readouterr()
    assert MONITORS_VALUE not in str(place.chat.shown) + caplog.text + written.out + written.err
    assert MONITORS_VALUE.encode() not in place.chat.stored_bytes()


async def test_two_links_make_two_secrets_with_other_marks(place: Place) -> None:
    for _ in range(2):
        await fetched("POST", await place.link())
    assert len({mark for _, mark, _ in place.secrets.made}) == 2


async def test_after_a_failure_the_same_link_works(place: Place) -> None:
    link = await place.link()
    place.secrets.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
    status, page = await fetched("POST", link)
    assert (status, escape(EN("fault.graph.unreachable")) in page) == (503, True)
    place.secrets.error = None
    assert SECRET in (await fetched("POST", link))[1]
    assert len({mark for _, mark, _ in place.secrets.made}) == 1, "what the failed attempt added is found by it"


@pytest.mark.parametrize(
    ("tenant", "person", "path"),
    [("another-tenant", ADMIN, MONITOR_SECRETS), (TENANT, "nobody", MONITOR_SECRETS), (TENANT, ADMIN, PATH)],
)
async def test_any_other_link_leads_nowhere(place: Place, tenant: str, person: str, path: str) -> None:
    request = ExportRequest(tenant, person, Language.ENGLISH, place.view.id)
    links = place.chat.services.export_links
    token = links.create(request, "", path).rpartition("/")[2]
    base = (await place.link()).rpartition("/")[0]
    for method in ("GET", "POST"):
        assert (await fetched(method, f"{base}/{token}"))[0] == 404
    assert place.secrets.made == []


async def test_a_link_is_good_for_ten_minutes(place: Place) -> None:
    link = await place.link()
    place.chat.now += timedelta(minutes=10)
    assert (await fetched("POST", link))[0] == 404


async def test_the_page_speaks_the_language_of_the_chat(place: Place) -> None:
    place.chat.locale = "pt-PT"
    assert PT("monitor_secret.show") in (await fetched("GET", await place.link()))[1]


async def test_where_the_application_may_not_the_card_says_how_by_hand(place: Place) -> None:
    place.secrets.may = False
    card = await place.chat.act("monitors.secret", integration=place.view.id)
    assert EN("fault.graph.rotation_forbidden") in words(card)
    assert [("Credentials" in url, MONITOR_SECRETS in url) for url in link_urls(card)] == [(True, False)]
