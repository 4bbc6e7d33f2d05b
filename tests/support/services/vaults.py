"""A key vault like Azure's: challenge, bearer tokens, secrets; and a managed identity endpoint."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import time

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.services.servers import serving

HEADER = "the platform's own"
TOKEN = "a token for the vault"


@dataclass
class Vault:
    """``asked`` are the requests: the bearer token (empty for none) and the path.

    It answers with ``body`` if there is one; if it ``is_slow``, after a minute.
    """

    url: str = ""
    identity_url: str = ""
    authorities: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    status: int = 200
    body: str = ""
    is_slow: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    resources: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment the platform gives a process with a managed identity."""
        return {
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": HEADER,
            "SSL_CERT_FILE": self.authorities,
        }

    def secret_url(self, name: str = "presence-keys") -> str:
        return f"{self.url}/secrets/{name}"

    async def get_secret(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((bearer, request.path))
        if bearer != TOKEN:
            # The resource is the vault's own domain less its first label, as vault.azure.net is.
            resource = f"https://{request.host.partition('.')[2]}"
            challenge = f'Bearer authorization="https://login.example/tenant", resource="{resource}"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        name = request.match_info["name"]
        if self.is_slow:
            await asyncio.sleep(60)
        if self.body:
            return web.Response(text=self.body, content_type="application/json")
        if self.status != 200:
            return web.json_response({"error": {"code": "InternalError", "message": "hunter2"}}, status=self.status)
        if name not in self.secrets or "api-version" not in request.query:
            return web.json_response({"error": {"code": "SecretNotFound", "message": name}}, status=404)
        return web.json_response({"value": self.secrets[name], "id": self.secret_url(name), "attributes": {}})

    async def give_token(self, request: web.Request) -> web.Response:
        """App Service's managed identity endpoint, version 2019-08-01."""
        if request.headers.get("X-IDENTITY-HEADER") != HEADER:
            return web.Response(status=401)
        self.resources.append((request.query["resource"], request.query.get("client_id", "")))
        answer = {"access_token": TOKEN, "expires_on": str(int(time()) + 3600), "token_type": "Bearer"}
        return web.json_response({**answer, "resource": request.query["resource"]})


@asynccontextmanager
async def open_vault(folder: Path) -> AsyncIterator[Vault]:
    vault = Vault(authorities=str(folder / "authority.pem"))
    secrets = web.Application()
    secrets.router.add_get("/secrets/{name}/", vault.get_secret)
    secrets.router.add_get("/secrets/{name}/{version}", vault.get_secret)
    tokens = web.Application()
    tokens.router.add_get("/token", vault.give_token)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(_certificate(folder))
    async with serving(secrets, tls=tls) as vault.url, serving(tokens) as platform:
        vault.identity_url = f"{platform}/token"
        yield vault


def _certificate(folder: Path) -> Path:
    """A certificate for loopback with its key; without the key in ``authority.pem``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(Encoding.PEM)
    (folder / "authority.pem").write_bytes(public)
    both = folder / "vault.pem"
    both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + public)
    return both
