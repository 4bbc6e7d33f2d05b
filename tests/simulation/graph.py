"""Entra ID and Graph: sessions with an end, a quota, and answers that may not arrive."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sync.domain.changes import ClearPresence, Done, Outcome, Request, SetPresence
from sync.domain.errors import Fault, ServiceUnavailable, SyncError
from sync.domain.model import TeamsApp
from sync.domain.presence import Shown
from tests.simulation.world import Kind, World

WINDOW = 30.0
"""Seconds in which requests are counted (Microsoft Graph service-specific throttling limits, presence)."""


@dataclass(frozen=True)
class TeamsUser:
    """``sync.domain.services.Account``."""

    id: str
    principal_name: str
    mail: str | None = None
    proxy_addresses: Sequence[str] = ()
    enabled: bool = True
    guest: bool = False


@dataclass
class Session:
    shown: str
    until: float


@dataclass
class GraphModel:
    """``sessions`` are of (application, user). ``quota`` is what the product promises not to exceed."""

    world: World
    quota: int
    users: dict[str, TeamsUser] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    down_until: float = 0.0
    _arrivals: deque[float] = field(default_factory=deque)

    def shown(self, client_id: str, user_id: str) -> str | None:
        session = self.sessions.get((client_id, user_id))
        return session.shown if session and session.until > self.world.time.seconds else None

    async def request(self, app: TeamsApp, changes: Sequence[Request]) -> list[Outcome]:
        """Send changes: they arrive and are done even if the process that sent them is killed meanwhile."""
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        dice = self.world.dice("graph")
        self.world.time.after(dice.uniform(0.02, 0.5), lambda: self._arrive(app, changes, answer))
        return await answer

    def _arrive(self, app: TeamsApp, changes: Sequence[Request], answer: "asyncio.Future[list[Outcome]]") -> None:
        back = self.world.dice("graph").uniform(0.02, 0.5)
        self._count(len(changes))
        result: list[Outcome] | SyncError
        if self.world.time.seconds < self.down_until:
            result = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, status=503)
        else:
            result = [self._do(app, change) for change in changes]
        self.world.note(f"graph {changes} {result}")
        self.world.time.after(back, lambda: _settle(answer, result))

    def _count(self, requests: int) -> None:
        now = self.world.time.seconds
        self._arrivals.extend([now] * requests)
        while self._arrivals and self._arrivals[0] <= now - WINDOW:
            self._arrivals.popleft()
        if len(self._arrivals) > self.quota:
            self.world.fail(f"{len(self._arrivals)} requests within 30 s, allowed are {self.quota}")

    def _do(self, app: TeamsApp, change: Request) -> Outcome:
        match change:
            case SetPresence(user_id, presence, seconds):
                self.sessions[app.client_id, user_id] = Session(presence.value, self.world.time.seconds + seconds)
            case ClearPresence(user_id):
                self.sessions.pop((app.client_id, user_id), None)
        return Done()

    def go_down(self) -> None:
        if self.world.strikes(Kind.GRAPH_DOWN, 1):
            self.down_until = self.world.time.seconds + self.world.dice(Kind.GRAPH_DOWN).uniform(1, 60)


def _settle(answer: "asyncio.Future[list[Outcome]]", result: list[Outcome] | SyncError) -> None:
    """The answer arrives, if the process that waits for it still exists."""
    if answer.done() or answer.get_loop().is_closed():
        return
    if isinstance(result, SyncError):
        answer.set_exception(result)
    else:
        answer.set_result(result)


@dataclass(frozen=True)
class GraphClientModel:
    """``PresenceService`` and ``Directory`` of one application."""

    graph: GraphModel
    app: TeamsApp

    async def push(self, changes: Sequence[Request]) -> list[Outcome]:
        return await self.graph.request(self.app, changes)

    async def read(self, user_ids: Sequence[str]) -> dict[str, Shown]:
        shown = {user_id: self.graph.shown(self.app.client_id, user_id) for user_id in user_ids}
        return {user_id: Shown(*(value or "Available/Available").split("/", 1)) for user_id, value in shown.items()}

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        return dict.fromkeys(user_ids, "")

    async def organisation(self) -> str:
        return "Vale Verde"

    async def users(self) -> Sequence[TeamsUser]:
        return list(self.graph.users.values())
