"""The certificate as a file: for the administrator who asked, and nobody else."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from bot.chat.exports.certificate_file import CertificateFile
from bot.chat.exports.links import CERTIFICATES, PATH, ExportLinks, ExportRequest
from bot.languages import Language
from storage.encryption import Encryption
from sync.domain.model import Actor, CloudLinkAccount, IntegrationView, TeamsApp
from tests.support.bot.chat import Chat
from tests.support.bot.fake_credentials import PEM
from tests.support.bot.fakes import ADMIN, TENANT, link_urls
from tests.support.bot.texts import EN
from tests.support.services.servers import TestServer

KEY = Fernet.generate_key().decode()


@pytest.fixture
async def view(chat: Chat) -> AsyncIterator[IntegrationView]:
    """An integration, while the chat's links lead to a server."""
    handler: list[CertificateFile] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        return await handler[0].serve(request)

    application = web.Application()
    application.router.add_get("/exports/certificates/{token}", serve)
    async with TestServer(application) as running:
        url = str(running.make_url("")).rstrip("/")
        chat.export_links = ExportLinks(Encryption([KEY]), chat.clock, public_url=url)
        chat.restart()
        handler.append(CertificateFile(chat.services))
        account, app = CloudLinkAccount("", "1000", "reader", "secret"), TeamsApp(TENANT, TENANT, "old")
        yield await chat.integrations.add(TENANT, "Head office", account, app, None, Actor(ADMIN, "Ada"))


async def fetched(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, answer.headers.get("Content-Disposition", ""), await answer.text()


async def test_the_link_on_the_card_leads_to_the_public_part(chat: Chat, view: IntegrationView) -> None:
    card = await chat.act("certificate.make", integration=view.id)
    (url,) = [each for each in link_urls(card) if CERTIFICATES in each]
    assert EN("certificate.copy") not in str(card)
    status, name, content = await fetched(url)
    assert (status, name, content) == (200, 'attachment; filename="presence.cer"', PEM)


@pytest.mark.parametrize(
    ("tenant", "person", "path"),
    [("another-tenant", ADMIN, CERTIFICATES), (TENANT, "nobody", CERTIFICATES), (TENANT, ADMIN, PATH)],
)
async def test_any_other_link_leads_nowhere(
    chat: Chat, view: IntegrationView, tenant: str, person: str, path: str
) -> None:
    request = ExportRequest(tenant, person, Language.ENGLISH, view.id)
    made, proper = (chat.services.export_links.create(request, "", each) for each in (path, CERTIFICATES))
    url = proper.rpartition("/")[0] + "/" + made.rpartition("/")[2]
    assert (await fetched(url))[0] == 404


async def test_a_link_is_good_for_ten_minutes(chat: Chat, view: IntegrationView) -> None:
    request = ExportRequest(TENANT, ADMIN, Language.ENGLISH, view.id)
    url = chat.services.export_links.create(request, "", CERTIFICATES)
    assert (await fetched(url))[0] == 200
    chat.now += timedelta(minutes=10)
    assert (await fetched(url))[0] == 404
