"""What an administrator does with the integrations."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from sync.domain.model import Actor, CloudLinkAccount, IntegrationView, TeamsApp
from sync.engine import Engine
from tests.simulation.models.cloudlink import CloudLinkModel
from tests.simulation.models.graph import GraphModel
from tests.simulation.rules.choices import Choices
from tests.simulation.world import World

TENANT = "tenant-of-the-admin"
ADMIN = Actor("admin-1", "Ada Admin")
CLIENT_ID = "application-1"
FIRST_SECRET = "entra-secret-0"


def app(secret: str) -> TeamsApp:
    return TeamsApp(TENANT, CLIENT_ID, secret)


@dataclass
class Administrator:
    """``cloudlinks`` are the accounts that should be shown in the morning."""

    world: World
    graph: GraphModel
    cloudlinks: Mapping[str, CloudLinkModel]
    choices: Choices

    def __post_init__(self) -> None:
        self.graph.secrets[CLIENT_ID] = {FIRST_SECRET}
        self._secret = FIRST_SECRET
        self._numbers = count(1)

    async def set_up(self, engine: Engine) -> None:
        """Add and enable what is missing; what failed in between is done the next time."""
        known = {each.cloudlink_account_id: each for each in await engine.integrations.list(TENANT)}
        for account_id in self.cloudlinks:
            view = known.get(account_id) or await self._add(engine, account_id)
            if not view.enabled:
                await self._enable(engine, view)

    async def _add(self, engine: Engine, account_id: str) -> IntegrationView:
        account = CloudLinkAccount("", account_id, "client", "cloudlink-secret")
        name = f"Vale Verde {next(self._numbers)}"
        view = await engine.integrations.add(TENANT, name, account, app(self._secret), None, ADMIN)
        self.cloudlinks[account_id].begin_again()
        if self.world.dice("previews").random() < 0.3:
            await engine.overview.preview(TENANT, view.id)
        return view

    async def act(self, engine: Engine) -> None:
        """Something an administrator does on a day like this."""
        dice = self.world.dice("administrator")
        views = await engine.integrations.list(TENANT)
        if not views:
            return
        view = dice.choice(views)
        acts = (self._disable, self._disable, self._enable, self._enable, self._rename, self._rotate, self._remove)
        act = dice.choice(acts)
        self.world.note(f"administrator {act.__name__} {view.name}")
        await act(engine, view)

    async def _disable(self, engine: Engine, view: IntegrationView) -> None:
        await engine.integrations.disable(TENANT, view.id, ADMIN)
        self._forget_calls(view)

    async def _enable(self, engine: Engine, view: IntegrationView) -> None:
        if not view.enabled:
            self._forget_calls(view)
        await engine.integrations.enable(TENANT, view.id, ADMIN)

    def _forget_calls(self, view: IntegrationView) -> None:
        """What was known of the phones is forgotten, and polled again."""
        self.cloudlinks[view.cloudlink_account_id].forget_calls()

    async def _rename(self, engine: Engine, view: IntegrationView) -> None:
        await engine.editor.rename(TENANT, view.id, view.revision, f"Vale Azul {next(self._numbers)}", ADMIN)

    async def _rotate(self, engine: Engine, view: IntegrationView) -> None:
        """The former secret stays valid: the application's owner removes it another day."""
        self._secret = f"entra-secret-{next(self._numbers)}"
        self.graph.secrets[CLIENT_ID].add(self._secret)
        await engine.editor.edit_teams(TENANT, view.id, view.revision, app(self._secret), None, ADMIN)

    async def _remove(self, engine: Engine, view: IntegrationView) -> None:
        self.choices.doubt_account(view.cloudlink_account_id)
        await engine.integrations.remove(TENANT, view.id, ADMIN)
