"""Entra ID and Graph: sessions with an end, a quota, and answers that may not arrive."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync.domain.changes import (
    ClearMessage,
    ClearPresence,
    Done,
    Outcome,
    Refused,
    Request,
    SetMessage,
    SetPresence,
    Throttled,
)
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import TeamsApp
from sync.domain.presence import Shown
from sync.domain.services import DirectoryPage, Group, MembersPage
from tests.simulation.world import Kind, World
from tests.support.services.delta_query import DeltaQuery

WINDOW = 30.0
"""Seconds in which requests are counted (Microsoft Graph service-specific throttling limits, presence)."""

READ_BEFORE = 10.0
"""Seconds within which the product sends a message after it has read the one that is there."""

FORBIDDEN = 403

AVAILABLE = Shown("Available", "Available")

STRENGTH = ("Offline", "Away", "Available", "Busy", "DoNotDisturb")
"""Which availability of two sessions is shown: the later one (Graph reference, presence resource)."""

BY_HAND = tuple(Shown(each, each) for each in ("Available", "Away", "Busy", "DoNotDisturb"))
BY_CLIENT = (Shown("Busy", "InACall"), Shown("Busy", "InAMeeting"), Shown("DoNotDisturb", "Presenting"))

Result = list[Outcome] | SyncError


@dataclass
class TeamsUser:
    """``sync.domain.services.Account``."""

    id: str
    principal_name: str
    mail: str = ""
    proxy_addresses: Sequence[str] = ()
    enabled: bool = True
    guest: bool = False


@dataclass
class Session:
    shown: str
    until: float


@dataclass
class Message:
    """A status message: ``is_own`` are the person's own words."""

    text: str
    until: datetime
    is_own: bool = False
    at: float = 0.0


@dataclass
class GraphModel:
    """``sessions`` are of (application, user). ``quota`` is what the product promises not to exceed.

    ``secrets`` are valid, by application; ``refused`` are users for whom presence cannot be set, and until when.
    ``wordy`` are those who had words of their own today. ``chosen`` is what people chose by hand, ``clients`` what
    their Teams client or another application says. ``unreadable`` says until when a group cannot be read, and with
    which status Graph answers then.
    """

    world: World
    quota: int
    users: dict[str, TeamsUser] = field(default_factory=dict)
    directory: DeltaQuery = field(default_factory=DeltaQuery)
    groups: dict[Group, set[str]] = field(default_factory=dict)
    secrets: dict[str, set[str]] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    wordy: set[str] = field(default_factory=set)
    chosen: dict[str, Shown] = field(default_factory=dict)
    clients: dict[str, Shown] = field(default_factory=dict)
    unreadable: dict[str, tuple[float, int]] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    down_until: float = 0.0
    refuses_until: float = 0.0
    throttles_until: float = 0.0
    down_since: float = 0.0
    read_refused_at: float = 0.0
    failed_at: float = -1e9
    forbade_at: float = -1e9
    _arrivals: deque[tuple[float, bool]] = field(default_factory=deque)

    def shown(self, client_id: str, user_id: str) -> str | None:
        session = self.sessions.get((client_id, user_id))
        return session.shown if session and session.until > self.world.time.seconds else None

    def seen(self, client_id: str, user_id: str) -> Shown:
        """What colleagues see: what was chosen by hand, or else the strongest of our session and the client's."""
        if user_id in self.chosen:
            return self.chosen[user_id]
        ours = self.shown(client_id, user_id)
        found = [self.clients.get(user_id), Shown(*ours.split("/", 1)) if ours else None]
        return max(filter(None, found), key=lambda each: STRENGTH.index(each.availability), default=AVAILABLE)

    def groups_of(self, user_id: str) -> frozenset[str]:
        return frozenset(group.id for group, members in self.groups.items() if user_id in members)

    def is_refused(self, user_id: str) -> bool:
        return self.refused.get(user_id, 0.0) > self.world.time.seconds

    def check(self, app: TeamsApp) -> None:
        """Entra's part: raises ``CredentialsWrong`` for another secret than the application's."""
        if app.client_secret not in self.secrets.get(app.client_id, ()):
            raise CredentialsWrong(Fault.ENTRA_SECRET_WRONG)

    async def request(self, app: TeamsApp, changes: Sequence[Request]) -> list[Outcome]:
        """Send changes: they arrive and are done even if the process that sent them is killed meanwhile."""
        self.check(app)
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        there = self.world.dice("graph").uniform(0.02, 0.5)
        self.world.time.after(there, lambda: self._arrive(app, changes, answer))
        return await answer

    def _arrive(self, app: TeamsApp, changes: Sequence[Request], answer: "asyncio.Future[list[Outcome]]") -> None:
        back = self.world.dice("graph").uniform(0.02, 0.5)
        if self.world.strikes(Kind.LATE_ANSWERS, 0.2):
            back = self.world.dice(Kind.LATE_ANSWERS).uniform(0.5, 20)
        result = self._result(app, changes)
        self._remember(result)
        self.world.note("graph", changes, result)
        self.world.time.after(back, lambda: _settle(answer, result))

    def _remember(self, result: Result) -> None:
        """When Graph last failed, and last refused the application."""
        if isinstance(result, CredentialsWrong):
            self.forbade_at = self.world.time.seconds
        elif isinstance(result, SyncError) or any(isinstance(each, Throttled) for each in result):
            self.failed_at = self.world.time.seconds

    def _result(self, app: TeamsApp, changes: Sequence[Request]) -> Result:
        now = self.world.time.seconds
        if now < self.down_until:
            return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, status=503)
        self.count(len(changes), is_durable=True)
        if now < self.refuses_until:
            return CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=401)
        wait = round(self.throttles_until - now, 3)
        if wait > 0 and self.world.strikes(Kind.GRAPH_THROTTLES, 0.3):
            return ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
        if wait > 0:
            return [Throttled(wait) for _ in changes]
        outcomes = [self._do(app, change) for change in changes]
        if self.world.strikes(Kind.ANSWERS_LOST, 0.15):
            return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, error="TimeoutError")
        return outcomes

    def forget_unsynced(self, seconds: float) -> None:
        """What was read is not durably counted: after a power cut the product does not know of it."""
        since = self.world.time.seconds - seconds
        self._arrivals = deque((at, is_durable) for at, is_durable in self._arrivals if is_durable or at < since)

    def count(self, requests: int, *, is_durable: bool = False) -> None:
        now = self.world.time.seconds
        self._arrivals.extend([(now, is_durable)] * requests)
        while self._arrivals and self._arrivals[0][0] <= now - WINDOW:
            self._arrivals.popleft()
        if len(self._arrivals) > self.quota:
            self.world.fail(f"{len(self._arrivals)} requests within 30 s, allowed are {self.quota}")

    def _do(self, app: TeamsApp, change: Request) -> Outcome:
        self.world.counts["changes at Graph"] += 1
        match change:
            case SetPresence(user_id) if self.is_refused(user_id):
                return Refused(403, "Forbidden")
            case SetPresence(user_id, presence, seconds):
                self.sessions[app.client_id, user_id] = Session(presence.value, self.world.time.seconds + seconds)
            case ClearPresence(user_id):
                self.sessions.pop((app.client_id, user_id), None)
            case SetMessage(user_id, text, until):
                self._say(user_id, text, until)
            case ClearMessage(user_id):
                self._say(user_id, "", self.world.time.now())
        return Done()

    def message(self, user_id: str) -> str:
        return self._message(user_id, self.world.time.now())

    def message_by_sender(self, user_id: str) -> str:
        """By the clock of the product's machine, which says how long a message lasts."""
        return self._message(user_id, min(self.world.time.now(), self.world.clock()))

    def _message(self, user_id: str, now: datetime) -> str:
        found = self.messages.get(user_id)
        return found.text if found and (found.is_own or found.until > now) else ""

    def _say(self, user_id: str, text: str, until: datetime) -> None:
        """The product may not replace words of a person's own that were there when it looked."""
        before = self.messages.get(user_id)
        is_own = before is not None and before.is_own and self.world.time.seconds > before.at + READ_BEFORE
        if is_own and not self.world.has(Kind.SLEEPS):
            self.world.fail(f"own words of {user_id} are replaced by {text!r}")
        self.messages[user_id] = Message(text, until)

    def write_own(self, user_id: str, seconds: float) -> None:
        """A person has words of their own for a while."""
        self.wordy.add(user_id)
        self.messages[user_id] = Message("gone fishing", self.world.time.now(), True, self.world.time.seconds)
        self.world.note("own words", user_id)

        def forget() -> None:
            if user_id in self.messages and self.messages[user_id].is_own:
                del self.messages[user_id]

        self.world.time.after(seconds, forget)

    def choose(self, user_id: str, seconds: float) -> None:
        """For a while a person's state is chosen by hand, or their client or another application says one."""
        dice = self.world.dice(Kind.OWN_STATES)
        states, shown = dice.choice(((self.chosen, BY_HAND), (self.clients, BY_CLIENT)))
        states[user_id] = dice.choice(shown)
        self.world.note("own state", user_id, states[user_id])
        self.world.time.after(seconds, lambda: states.pop(user_id, None))

    # Faults

    def hide_group(self, group_id: str) -> None:
        """It was deleted and is restored later, may not be read, or Graph fails to answer."""
        dice = self.world.dice(Kind.GROUPS_CHANGE)
        until = min(self.world.time.seconds + dice.uniform(10, 70), self.world.busy)
        self.unreadable[group_id] = until, dice.choice((404, FORBIDDEN, 500))

    def go_down(self) -> None:
        self.down_since = self.world.time.seconds
        self.down_until = self.world.time.seconds + self.world.dice(Kind.GRAPH_DOWN).uniform(1, 40)

    def refuse(self) -> None:
        self.refuses_until = self.world.time.seconds + self.world.dice(Kind.GRAPH_REFUSES).uniform(1, 20)

    def throttle(self) -> None:
        self.throttles_until = self.world.time.seconds + self.world.dice(Kind.GRAPH_THROTTLES).uniform(1, 40)


def _settle(answer: "asyncio.Future[list[Outcome]]", result: Result) -> None:
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
        await self._read(user_ids)
        return {user_id: self.graph.seen(self.app.client_id, user_id) for user_id in user_ids}

    async def messages(self, user_ids: Sequence[str]) -> dict[str, str]:
        await self._read(user_ids)
        return {user_id: self.graph.message(user_id) for user_id in user_ids}

    async def _read(self, user_ids: Sequence[str]) -> None:
        """One request; none for nobody."""
        if not user_ids:
            return
        try:
            await self._answer()
        except ServiceUnavailable:
            self.graph.read_refused_at = self.graph.world.time.seconds
            raise
        self.graph.count(1)

    async def organisation(self) -> str:
        await self._answer()
        return "Vale Verde"

    async def changes(self, link: str) -> DirectoryPage:
        await self._answer()
        return self.graph.directory.changes(self.graph.users.values(), link)

    async def find(self, principal_name: str) -> TeamsUser | None:
        await self._answer()
        users = self.graph.users.values()
        return next((user for user in users if user.principal_name == principal_name), None)

    async def groups(self, typed: str) -> list[Group]:
        await self._answer()
        return [group for group in self.graph.groups if typed in (group.id, group.name)]

    async def members(self, group_id: str, link: str) -> MembersPage:
        await self._answer()
        until, status = self.graph.unreadable.get(group_id, (0.0, 0))
        if self.graph.world.time.seconds < until:
            kind = CredentialsWrong if status == FORBIDDEN else ServiceUnavailable
            raise kind(Fault.GRAPH_FORBIDDEN if status == FORBIDDEN else Fault.GRAPH_UNREADABLE, status=status)
        return MembersPage(next(tuple(ids) for group, ids in self.graph.groups.items() if group.id == group_id))

    async def _answer(self) -> None:
        graph = self.graph
        graph.check(self.app)
        await asyncio.sleep(graph.world.dice("directory").uniform(0.02, 0.5))
        if graph.world.time.seconds < graph.down_until:
            graph.failed_at = graph.world.time.seconds
            raise ServiceUnavailable(Fault.GRAPH_UNREACHABLE, status=503)
        if graph.world.time.seconds < graph.refuses_until:
            graph.forbade_at = graph.world.time.seconds
            raise CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=401)
