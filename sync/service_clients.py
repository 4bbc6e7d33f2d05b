"""The real services: CloudLink, Entra ID and Microsoft Graph, at the addresses the settings name."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import aiohttp
from prometheus_client import CollectorRegistry

from core.clock import Clock
from core.metrics import Metrics
from sync.cloudlink.client import CloudLink
from sync.cloudlink.wire import WireTables
from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.services import Directory, Phones, PresenceService, Registration
from sync.teams.applications import Applications
from sync.teams.directory import open_directory
from sync.teams.graph_client import GraphClient
from sync.teams.host_credentials import HostCredentials
from sync.teams.presence import PresenceWriter
from sync.teams.tokens import EntraTokens, prove

MOST_KEPT = 5_000
"""Credentials whose tokens are kept, some 15 kB each; of more than these, some sign in more often."""

Name = TypeVar("Name")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the services are. ``cloudlink_url`` holds ``{service}``."""

    entra_url: str
    graph_url: str
    cloudlink_url: str


class HttpServiceClients:
    """Implements ``Outside``. Tokens are shared by whoever uses the same credentials; new ones replace them."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        addresses: Addresses,
        tables: WireTables,
        clock: Clock,
        random: Random,
        host: HostCredentials | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._http = http
        self._addresses = addresses
        self._tables = tables
        self._clock = clock
        self._random = random
        self._host = host
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._phones: dict[tuple[str, str, str], tuple[CloudLinkAccount, CloudLink]] = {}
        self._tokens: dict[tuple[str, str], tuple[TeamsApp, EntraTokens]] = {}

    def phones(self, account: CloudLinkAccount) -> Phones:
        name = (account.region, account.account_id, account.client_id)
        known = self._phones.get(name)
        if known is None or known[0] != account:
            known = (account, self._connect(account))
        _keep(self._phones, name, known)
        return known[1]

    def fresh_phones(self, account: CloudLinkAccount) -> Phones:
        return self._connect(account)

    def _connect(self, account: CloudLinkAccount) -> CloudLink:
        return CloudLink(
            self._http, self._addresses.cloudlink_url, account, self._tables, self._clock, self._random
        )

    def presence(self, app: TeamsApp) -> PresenceService:
        return PresenceWriter(self._graph(app), app.client_id)

    def directory(self, app: TeamsApp) -> AbstractAsyncContextManager[Directory]:
        return open_directory(self._tokens_of(app), self._addresses.graph_url, self._clock, self._metrics)

    @asynccontextmanager
    async def fresh_directory(self, app: TeamsApp) -> AsyncIterator[Directory]:
        proven = await prove(app, self._addresses.entra_url, host=self._host, note=self._note_token)
        async with open_directory(proven, self._addresses.graph_url, self._clock, self._metrics) as directory:
            yield directory

    def registration(self, app: TeamsApp) -> Registration:
        return Applications(self._graph(app), app.client_id)

    async def prove(self, app: TeamsApp) -> None:
        await prove(app, self._addresses.entra_url, host=self._host, note=self._note_token)

    def forget(self, app: TeamsApp) -> None:
        self._tokens.pop((app.tenant_id, app.client_id), None)

    def _graph(self, app: TeamsApp) -> GraphClient:
        return GraphClient(self._http, self._addresses.graph_url, self._tokens_of(app), self._clock)

    def _tokens_of(self, app: TeamsApp) -> EntraTokens:
        name = (app.tenant_id, app.client_id)
        known = self._tokens.get(name)
        if known is None or known[0] != app:
            tokens = EntraTokens(app, self._addresses.entra_url, host=self._host, note=self._note_token)
            known = (app, tokens)
        _keep(self._tokens, name, known)
        return known[1]

    def _note_token(self, outcome: str) -> None:
        self._metrics.entra_tokens.labels(outcome=outcome).inc()


def _keep(kept: dict[Name, Value], name: Name, value: Value) -> None:
    """Whatever was not asked for the longest makes room."""
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
