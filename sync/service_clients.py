"""The real services: CloudLink, Entra ID and Microsoft Graph, at the addresses the settings name."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Generic, TypeVar

import aiohttp

from core.clock import Clock
from core.clouds import cloud_of
from core.metrics import Metrics
from sync.cloudlink.client import CloudLink
from sync.cloudlink.own_webhook import post_sealed
from sync.cloudlink.request_limit import RequestLimit
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import Transport
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.services import Directory, Phones, PresenceService, Registration
from sync.teams.applications import Applications
from sync.teams.directory import open_directory
from sync.teams.graph_client import GraphClient
from sync.teams.host_credentials import HostCredentials
from sync.teams.presence import PresenceWriter
from sync.teams.tokens import Entra, EntraTokens, ProvenToken, Tokens, prove

PROOFS, PROOFS_OF_A_TENANT = 4, 2
"""Proofs of credentials under way together: each holds a thread, and the tokens in use need threads, too."""

Credentials = TypeVar("Credentials")
Client = TypeVar("Client")


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Where the services are and how they are used.

    ``cloudlink_url`` holds ``{service}``; ``host`` are the credentials of the machine the bot runs on.
    ``max_clients`` is how many applications and how many accounts keep their tokens, at some 15 kB each; the
    others sign in more often.
    """

    entra_url: str
    graph_url: str
    cloudlink_url: str
    tables: WireTables
    host: HostCredentials = field(default_factory=HostCredentials)
    max_clients: int = 5_000


class HttpServiceClients:
    """Implements ``ServiceClients``. Calls with the same credentials share tokens; new credentials replace them.

    Each owner tenant has its own: another one's credentials, right or wrong, end no session here.
    """

    def __init__(
        self, http: aiohttp.ClientSession, config: ServiceConfig, clock: Clock, random: Random, metrics: Metrics
    ) -> None:
        self._http = http
        self._config = config
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._limit = RequestLimit()
        self._proofs = RequestLimit(PROOFS, PROOFS_OF_A_TENANT)
        self._entra = Entra(config.entra_url, config.host, metrics, scope=cloud_of(config.graph_url).graph_scope)
        self._phones = _ClientCache[CloudLinkAccount, CloudLink](self._connect, config.max_clients)
        self._tokens = _ClientCache[TeamsApp, EntraTokens](self._sign_in, config.max_clients)

    def phones(self, account: CloudLinkAccount) -> Phones:
        return self._phones.get(
            (account.owner_tenant, account.region, account.account_id, account.client_id), account
        )

    def fresh_phones(self, account: CloudLinkAccount) -> Phones:
        return self._connect(account)

    def presence(self, app: TeamsApp) -> PresenceService:
        return PresenceWriter(self._graph(app), app.client_id)

    def directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]:
        return self._open_directory(self._tokens_of(app))

    @asynccontextmanager
    async def fresh_directory(self, app: TeamsApp) -> AsyncIterator[Directory]:
        async with self._open_directory(await self._prove(app)) as directory:
            yield directory

    def registration(self, app: TeamsApp) -> Registration:
        return Applications(self._graph(app), app.client_id)

    async def prove(self, app: TeamsApp) -> None:
        await self._prove(app)

    async def post_to_own_webhook(self, url: str, sealed: str) -> tuple[int, bytes]:
        return await post_sealed(self._http, url, sealed)

    def forget(self, app: TeamsApp) -> None:
        self._tokens.drop(_application(app))

    async def _prove(self, app: TeamsApp) -> ProvenToken:
        async with self._proofs.request_of(app.owner_tenant or app.tenant_id):
            return await prove(app, self._entra)

    def _connect(self, account: CloudLinkAccount) -> CloudLink:
        slot = partial(self._limit.request_of, account.owner_tenant or account.account_id)
        transport = Transport(self._http, self._clock, self._random, slot=slot)
        return CloudLink(transport, self._config.cloudlink_url, account, self._config.tables, self._clock)

    def _sign_in(self, app: TeamsApp) -> EntraTokens:
        return EntraTokens(app, self._entra)

    def _tokens_of(self, app: TeamsApp) -> EntraTokens:
        return self._tokens.get(_application(app), app)

    def _graph(self, app: TeamsApp) -> GraphClient:
        return GraphClient(self._http, self._config.graph_url, self._tokens_of(app), self._clock)

    def _open_directory(self, tokens: Tokens) -> AbstractAsyncContextManager[Directory]:
        return open_directory(tokens, self._config.graph_url, self._clock, self._metrics)


def _application(app: TeamsApp) -> tuple[str, ...]:
    return app.owner_tenant, app.tenant_id, app.client_id


class _ClientCache(Generic[Credentials, Client]):
    """Clients by name, replaced when their credentials change; above ``size`` the least recently used goes."""

    def __init__(self, connect: Callable[[Credentials], Client], size: int) -> None:
        self._connect = connect
        self._size = size
        self._clients: dict[tuple[str, ...], tuple[Credentials, Client]] = {}

    def get(self, name: tuple[str, ...], credentials: Credentials) -> Client:
        entry = self._clients.pop(name, None)
        if entry is None or entry[0] != credentials:
            entry = (credentials, self._connect(credentials))
        self._clients[name] = entry
        if len(self._clients) > self._size:
            self.drop(next(iter(self._clients)))
        return entry[1]

    def drop(self, name: tuple[str, ...]) -> None:
        self._clients.pop(name, None)
