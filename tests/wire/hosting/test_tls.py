"""A server with an untrusted certificate gets nothing from any of our clients."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random

import aiohttp
import httpx
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prometheus_client import CollectorRegistry

from bot.activity import Undelivered
from bot.hosting import HostingConfig
from bot.hosting.auth.bot_token import token_source
from bot.hosting.auth.signing_keys import SigningKeys
from core.clock import utc_now
from core.metrics import Metrics
from sync.cloudlink.transport import Transport
from sync.domain.errors import Fault, ServiceUnavailable
from sync.teams.directory import open_directory
from sync.teams.msal_http import MsalHttp
from tests.support.services.servers import TestServer
from tests.support.sync.teams import CountedTokens


def self_signed(folder: Path, host: str = "127.0.0.1") -> ssl.SSLContext:
    """A server's context; its certificate and key are in ``server.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    here = x509.SubjectAlternativeName([_name_of(host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _name_of(host: str) -> x509.GeneralName:
    is_address = host.replace(".", "").isdecimal()
    return x509.IPAddress(ip_address(host)) if is_address else x509.DNSName(host)


@asynccontextmanager
async def impostor(folder: Path) -> AsyncIterator[tuple[str, list[str]]]:
    """Its address, and the requests it received."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1", scheme="https")
    await server.start_server(ssl=self_signed(folder))
    try:
        yield str(server.make_url("")).rstrip("/"), asked
    finally:
        await server.close()


async def test_a_client_without_verification_reaches_the_impostor(tmp_path: Path) -> None:
    """So that the others fail because of the certificate."""
    async with (
        impostor(tmp_path) as (url, asked),
        aiohttp.ClientSession() as http,
        http.get(f"{url}/open", ssl=False) as answer,
    ):
        assert (answer.status, asked) == (200, ["/open"])


async def test_signing_keys(tmp_path: Path) -> None:
    async with impostor(tmp_path) as (url, asked), aiohttp.ClientSession() as http:
        assert await SigningKeys(f"{url}/keys", http, utc_now).find("key") is None
        assert asked == []


async def test_the_bots_own_token(tmp_path: Path) -> None:
    async with impostor(tmp_path) as (url, asked):
        config = HostingConfig(app_id="app", app_password="hush", tenant_id="tenant", entra_url=url)
        with pytest.raises(Undelivered):
            await token_source(config, utc_now).get()
        assert asked == []


async def test_cloudlink(tmp_path: Path) -> None:
    async with impostor(tmp_path) as (url, asked), aiohttp.ClientSession() as http:
        with pytest.raises(ServiceUnavailable) as caught:
            await Transport(http, utc_now, Random(1)).send("POST", f"{url}/token", body={"secret": "hush"})
        assert (caught.value.fault, asked) == (Fault.CLOUDLINK_UNREACHABLE, [])


async def test_entra(tmp_path: Path) -> None:
    async with impostor(tmp_path) as (url, asked):
        with pytest.raises(httpx.ConnectError):
            await asyncio.to_thread(MsalHttp(url, 5).post, f"{url}/token", data={"client_secret": "hush"})
        assert asked == []


async def test_graph(tmp_path: Path) -> None:
    async with (
        impostor(tmp_path) as (url, asked),
        open_directory(CountedTokens(), url, utc_now, Metrics(CollectorRegistry())) as directory,
    ):
        with pytest.raises(ServiceUnavailable) as caught:
            await directory.organisation()
        assert (caught.value.fault, asked) == (Fault.GRAPH_UNREACHABLE, [])
