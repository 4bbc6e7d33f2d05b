"""Tokens for Microsoft Graph from Entra ID, by msal, which is synchronous and so runs in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from core.claims import unverified_claims
from core.clouds import PUBLIC
from core.metrics import Metrics
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CredentialKind, TeamsApp
from sync.teams import certificates
from sync.teams.entra_errors import checked_tenant, discovery_refusal, outage, refusal
from sync.teams.host_credentials import HostCredentials
from sync.teams.msal_http import MICROSOFT_HOSTS, TIMEOUT, EntraUnavailable, MsalHttp, authority

Result = TypeVar("Result")

PRESENCE_ROLE = "Presence.ReadWrite.All"
NEEDED_ROLES = ("User.Read.All", PRESENCE_ROLE)
KEPT_SECONDS = 60
"""For so long a token is used without asking msal, which takes a thread; msal decides when to renew it."""

THREADS = 32
"""Sign-ins under way together: msal blocks, and asyncio's own threads are few more than the processors."""

CERTIFICATE_REFUSED = frozenset({Fault.ENTRA_CERTIFICATE_UNKNOWN, Fault.ENTRA_CERTIFICATE_EXPIRED})
THUMBPRINT_SHOWN = 8
"""Letters of a thumbprint that tell certificates apart."""

REQUESTS_PER_TOKEN = 3
"""Discovery, the token, and one spare: the most that acquiring a token may take, in timeouts."""


@dataclass(frozen=True, slots=True)
class Entra:
    """An Entra ID to acquire tokens from, each for the Graph in ``scope``; a request takes ``timeout`` seconds."""

    url: str
    host: HostCredentials
    metrics: Metrics
    timeout: float = TIMEOUT
    scope: str = PUBLIC.graph_scope
    threads: "Threads" = field(default_factory=lambda: Threads(THREADS))


class Threads:
    """So many sign-ins under way together, each in a thread; the others wait, in order of arrival."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, "entra")
        self._turn = asyncio.Semaphore(count)

    async def run(self, function: Callable[[], Result], seconds: float) -> Result:
        """What ``function`` returns. Raises ``TimeoutError`` when it takes longer."""
        async with self._turn, asyncio.timeout(seconds):
            return await asyncio.get_running_loop().run_in_executor(self._pool, function)


class Tokens(Protocol):
    """Where bearer tokens come from."""

    async def token(self) -> str:
        """A token that is valid now. Raises ``CredentialsWrong`` and ``ServiceUnavailable``."""
        ...

    def forget(self) -> None:
        """The service refused the last token: the next one must be a fresh one."""
        ...


@dataclass(frozen=True, slots=True)
class ProvenToken:
    """A token just issued by Entra, and the roles in it. It implements ``Tokens`` for a check."""

    value: str = field(repr=False)
    roles: frozenset[str]

    async def token(self) -> str:
        return self.value

    def forget(self) -> None:
        """Does nothing: there is no other token, and a service that refuses it refuses the application."""


class EntraTokens:
    """An application's tokens, cached by one msal client until they expire."""

    def __init__(self, app: TeamsApp, entra: Entra) -> None:
        self._app = app
        self._entra = entra
        self._lock = asyncio.Lock()
        self._client: _Client | None = None

    async def token(self) -> str:
        """The cached token, or a new one. Raises ``CredentialsWrong`` and ``ServiceUnavailable`` (ENTRA_*)."""
        async with self._lock:
            if self._client is None:
                self._client = _Client(self._app, self._entra)
            try:
                return await self._client.token()
            except CredentialsWrong:
                self._client = None  # msal returns a refusal from its cache for a minute
                raise

    def forget(self) -> None:
        """Drop the msal client with all its caches; the next token is a new one."""
        self._client = None


async def prove(app: TeamsApp, entra: Entra) -> ProvenToken:
    """A fresh token with the two roles we need in it, from an unused msal client.

    Raises ``CredentialsWrong`` with the fault Entra named, or GRAPH_CONSENT_MISSING with ``permissions`` saying
    which; ``ServiceUnavailable`` (ENTRA_UNREACHABLE). For missing consent Entra returns no error:
    the token lacks the role ("Application permissions" in the Microsoft identity platform's documentation).
    """
    value = await _Client(app, entra).token()
    roles = roles_in(value)
    missing = [role for role in NEEDED_ROLES if role not in roles] if roles is not None else []
    if missing:
        raise CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions=", ".join(missing))
    return ProvenToken(value, roles or frozenset())


def roles_in(token: str) -> frozenset[str] | None:
    """The ``roles`` claim, read for diagnosis only: nothing is verified. None for a token that cannot be read."""
    claims = unverified_claims(token)
    if claims is None:
        return None
    roles = claims.get("roles", [])
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    is_cached: bool
    expires_in: int


class _Client:
    """One msal client. Internally, failures are values: no exception of msal's, which holds the request and with
    it the secret, is ever chained to one of ours."""

    def __init__(self, app: TeamsApp, entra: Entra) -> None:
        self._app = app
        self._entra = entra
        self._msal: Any = None
        self._thumbprint = ""
        self._kept = ""
        self._kept_until = 0.0

    async def token(self) -> str:
        """A token kept, from msal's cache, or from Entra and then counted by outcome.

        The timeout covers everything but the wait for a thread, even a name that does not resolve.
        """
        asked_at = asyncio.get_running_loop().time()
        if asked_at < self._kept_until:
            return self._kept
        result: _Token | SyncError
        try:
            seconds = self._entra.timeout * REQUESTS_PER_TOKEN
            result = await self._entra.threads.run(self._acquire, seconds)
        except TimeoutError:
            result = ServiceUnavailable(Fault.ENTRA_UNREACHABLE, error="TimeoutError")
        if isinstance(result, SyncError):
            self._count("refused" if isinstance(result, CredentialsWrong) else "unavailable")
            raise result
        if not result.is_cached:
            self._count("fetched")
        if result.expires_in > 2 * KEPT_SECONDS:
            self._kept, self._kept_until = result.value, asked_at + KEPT_SECONDS
        return result.value

    def _count(self, outcome: str) -> None:
        self._entra.metrics.entra_tokens.labels(outcome=outcome).inc()

    def _acquire(self) -> _Token | SyncError:
        try:
            if self._msal is None:
                self._msal = self._connect()
            response = self._msal.acquire_token_for_client(scopes=[self._entra.scope])
        except Exception as error:
            return _translate(error, self._app.client_secret)
        token = response.get("access_token") if isinstance(response, dict) else None
        if not isinstance(token, str) or not token:
            return self._with_certificate(refusal(response or {}, self._app.client_secret))
        expires_in = response.get("expires_in")
        seconds = expires_in if isinstance(expires_in, int) else 0
        return _Token(token, response.get("token_source") == "cache", seconds)

    def _connect(self) -> Any:
        import msal  # slow to import, and its constructor asks Entra about the tenant

        is_microsoft = urlsplit(self._entra.url).hostname in MICROSOFT_HOSTS
        return msal.ConfidentialClientApplication(
            self._app.client_id.strip(),
            client_credential=self._credential(),
            authority=authority(self._entra.url, checked_tenant(self._app.tenant_id)),
            http_client=MsalHttp(self._entra.url, self._entra.timeout),
            instance_discovery=None if is_microsoft else False,
        )

    def _credential(self) -> str | dict[str, Any]:
        """As msal takes it; a certificate file of the host is read now, a federated token again at each sign-in.

        Raises ``CredentialsWrong`` (ENTRA_HOST_NOT_ALLOWED) before the host's own are read.
        """
        if self._app.uses_host and not self._app.host_allowed:
            raise CredentialsWrong(Fault.ENTRA_HOST_NOT_ALLOWED)
        if self._app.kind is CredentialKind.FEDERATED:
            return {"client_assertion": self._entra.host.federated_token}
        if self._app.kind is CredentialKind.CERTIFICATE:
            pem = self._app.certificate
            certificate = certificates.stored(pem) if pem else self._entra.host.certificate()
            self._thumbprint = certificate.thumbprint
            return {"private_key": certificate.private_key, "public_certificate": certificate.public}
        return self._app.client_secret

    def _with_certificate(self, error: SyncError) -> SyncError:
        """Say which certificate Entra refused: an application can have several."""
        if error.fault in CERTIFICATE_REFUSED and self._thumbprint:
            error.context["thumbprint"] = self._thumbprint[:THUMBPRINT_SHOWN]
        return error


def _translate(error: Exception, secret: str) -> SyncError:
    if isinstance(error, SyncError):
        return error
    if isinstance(error, EntraUnavailable):
        return outage(error.status, error.retry_after, error.code)
    if isinstance(error, certificates.NoCertificate):
        return CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNREADABLE)
    if isinstance(error, ValueError):
        return discovery_refusal(f"{error} {error.__context__ or ''}", secret)
    return ServiceUnavailable(Fault.ENTRA_UNREACHABLE, error=type(error).__name__)
