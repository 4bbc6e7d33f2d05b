"""``sync.domain.services.ServiceClients`` over the models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sync.domain.model import CloudLinkAccount, TeamsApp
from sync.domain.services import NewPassword, Password
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.models.graph import GraphClientModel, GraphModel


class NoRegistration:
    """An application that may not read its own registration, as most may not."""

    async def may_read(self) -> bool:
        return False

    async def may_rotate(self) -> bool:
        return False

    async def passwords(self) -> list[Password]:
        return []

    async def add_password(self, name: str, expires_at: datetime) -> NewPassword:
        raise NotImplementedError

    async def remove_password(self, key_id: str) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class SimulatedClients:
    """``accounts`` are CloudLink's, by id."""

    accounts: dict[str, CloudLinkModel]
    graph: GraphModel

    def phones(self, account: CloudLinkAccount) -> CloudLinkModel:
        return self.accounts[account.account_id]

    def fresh_phones(self, account: CloudLinkAccount) -> CloudLinkModel:
        return self.accounts[account.account_id]

    def presence(self, app: TeamsApp) -> GraphClientModel:
        return GraphClientModel(self.graph, app)

    @asynccontextmanager
    async def directory(self, app: TeamsApp) -> AsyncIterator[GraphClientModel]:
        yield GraphClientModel(self.graph, app)

    @asynccontextmanager
    async def fresh_directory(self, app: TeamsApp) -> AsyncIterator[GraphClientModel]:
        self.graph.check(app)
        yield GraphClientModel(self.graph, app)

    def registration(self, app: TeamsApp) -> NoRegistration:
        return NoRegistration()

    async def prove(self, app: TeamsApp) -> None:
        self.graph.check(app)

    async def post_to_own_webhook(self, url: str, sealed: str) -> tuple[int, bytes]:
        """No administrator tests the connection here."""
        raise NotImplementedError

    def forget(self, app: TeamsApp) -> None: ...
