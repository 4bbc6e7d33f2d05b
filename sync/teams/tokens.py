"""Tokens for Microsoft Graph from Entra ID, by msal, which is synchronous and so lives in threads."""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import CredentialKind, TeamsApp
from sync.teams import certificates
from sync.teams.entra_errors import checked_tenant, discovery_refusal, refusal
from sync.teams.entra_http import MICROSOFT_HOSTS, EntraHttp, EntraUnavailable
from sync.teams.host_credentials import HostCredentials

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
NEEDED_ROLES = ("User.Read.All", "Presence.ReadWrite.All")
TIMEOUT = 10.0
REQUESTS_PER_TOKEN = 3
"""Discovery, the token, and one more: what a whole acquisition may take, in timeouts."""


Note = Callable[[str], object]
"""Is told what became of asking Entra: ``fetched``, ``refused`` or ``unwell``; a token at hand is not asked for."""


def _unnoted(_outcome: str) -> None: ...


class Tokens(Protocol):
    """Where bearer tokens come from."""

    async def token(self) -> str:
        """A token that is good now. Raises ``CredentialsWrong`` and ``ServiceUnavailable``."""
        ...

    def forget(self) -> None:
        """The service would not take the last token: the next one is to be a fresh one."""
        ...


@dataclass(frozen=True, slots=True)
class ProvenToken:
    """A token Entra gave just now, and the roles in it. It can serve as ``Tokens`` for a check."""

    value: str = field(repr=False)
    roles: frozenset[str]

    async def token(self) -> str:
        return self.value

    def forget(self) -> None:
        """There is no other one: what refuses this token refuses the application."""


class EntraTokens:
    """An application's tokens, kept by one msal client until they expire."""

    def __init__(
        self,
        app: TeamsApp,
        entra_url: str,
        timeout: float = TIMEOUT,
        host: HostCredentials | None = None,
        note: Note = _unnoted,
    ) -> None:
        self._app = app
        self._entra_url = entra_url
        self._timeout = timeout
        self._host = host
        self._note = note
        self._lock = asyncio.Lock()
        self._client: _Client | None = None

    async def token(self) -> str:
        """The cached token, or a new one. Raises ``CredentialsWrong`` and ``ServiceUnavailable`` (ENTRA_*)."""
        async with self._lock:
            if self._client is None:
                self._client = _Client(self._app, self._entra_url, self._timeout, self._host, self._note)
            return await self._client.token()

    def forget(self) -> None:
        """Drop every cache with the client that holds them; the next token is a new one."""
        self._client = None


async def prove(
    app: TeamsApp,
    entra_url: str,
    patience: float = TIMEOUT,
    host: HostCredentials | None = None,
    note: Note = _unnoted,
) -> ProvenToken:
    """A fresh token with the two roles we need in it, from a client nobody used before.

    ``patience`` is in seconds, for each request to Entra.

    Raises ``CredentialsWrong`` with the fault Entra named, or GRAPH_CONSENT_MISSING with ``permissions`` saying
    which; ``ServiceUnavailable`` (ENTRA_UNREACHABLE). Missing consent is no error of Entra's: the token comes
    without the role ("Application permissions" in the Microsoft identity platform's documentation).
    """
    value = await _Client(app, entra_url, patience, host, note).token()
    roles = roles_in(value)
    missing = [role for role in NEEDED_ROLES if role not in roles] if roles is not None else []
    if missing:
        raise CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions=", ".join(missing))
    return ProvenToken(value, roles or frozenset())


def roles_in(token: str) -> frozenset[str] | None:
    """The ``roles`` claim, read for diagnosis only: nothing is verified. None for a token that cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        roles = claims.get("roles", [])
    except (IndexError, ValueError, binascii.Error, AttributeError, RecursionError):
        return None
    return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else frozenset()


@dataclass(frozen=True, slots=True)
class _Acquired:
    """``at_hand`` when msal had it already."""

    token: str = field(repr=False)
    at_hand: bool


class _Client:
    """One msal client. Inside, failures are values: no exception of msal's, which holds the request and
    with it the secret, is ever chained to one of ours."""

    def __init__(
        self, app: TeamsApp, entra_url: str, timeout: float, host: HostCredentials | None, note: Note
    ) -> None:
        self._app = app
        self._entra_url = entra_url
        self._timeout = timeout
        self._host = host or HostCredentials()
        self._note = note
        self._msal: Any = None

    async def token(self) -> str:
        """A token, from msal's cache or from Entra. Not even a name that does not resolve is waited for longer."""
        outcome: _Acquired | SyncError
        try:
            async with asyncio.timeout(self._timeout * REQUESTS_PER_TOKEN):
                outcome = await asyncio.to_thread(self._acquire)
        except TimeoutError:
            outcome = ServiceUnavailable(Fault.ENTRA_UNREACHABLE, error="TimeoutError")
        if isinstance(outcome, SyncError):
            self._note("refused" if isinstance(outcome, CredentialsWrong) else "unwell")
            raise outcome
        if not outcome.at_hand:
            self._note("fetched")
        return outcome.token

    def _acquire(self) -> "_Acquired | SyncError":
        try:
            if self._msal is None:
                self._msal = self._connected()
            answer = self._msal.acquire_token_for_client(scopes=[GRAPH_SCOPE])
        except Exception as error:
            return _translated(error, self._app.client_secret)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            return refusal(answer or {}, self._app.client_secret)
        return _Acquired(token, answer.get("token_source") == "cache")

    def _connected(self) -> Any:
        import msal  # slow to import, and its constructor asks Entra about the tenant

        parts = urlsplit(self._entra_url)
        return msal.ConfidentialClientApplication(
            self._app.client_id.strip(),
            client_credential=self._credential(),
            authority=f"https://{parts.netloc}/{checked_tenant(self._app.tenant_id)}",
            http_client=EntraHttp(self._entra_url, self._timeout),
            instance_discovery=None if parts.hostname in MICROSOFT_HOSTS else False,
        )

    def _credential(self) -> str | dict[str, Any]:
        """As msal takes it; a file of the host's is read now, a federated token again for each sign-in."""
        if self._app.kind is CredentialKind.FEDERATED:
            return {"client_assertion": self._host.federated_token}
        if self._app.kind is CredentialKind.CERTIFICATE:
            pem = self._app.certificate
            certificate = certificates.parse(pem) if pem else self._host.certificate()
            return {"private_key": certificate.private_key, "public_certificate": certificate.public}
        return self._app.client_secret


def _translated(error: Exception, secret: str) -> SyncError:
    if isinstance(error, SyncError):
        return error
    if isinstance(error, EntraUnavailable):
        return ServiceUnavailable(Fault.ENTRA_UNREACHABLE, error.retry_after, **error.context)
    if isinstance(error, certificates.NoCertificate):
        return CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNREADABLE)
    if isinstance(error, ValueError):
        return discovery_refusal(f"{error} {error.__context__ or ''}", secret)
    return ServiceUnavailable(Fault.ENTRA_UNREACHABLE, error=type(error).__name__)
