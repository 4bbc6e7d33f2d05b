"""The world: everything the sandbox simulates, with its clock and random numbers, and its state file."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from sandbox.entra.registration import Registration
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.quota import Quota
from sandbox.world.people import (
    ACCOUNT_NAME,
    Device,
    Group,
    Person,
    TeamsUser,
    sample_groups,
    sample_people,
    stable_id,
)
from sandbox.world.phones import PhoneCall, UsedPhone

DEFAULT_PAGE_SIZE = 10
REFUSING = ("graph", "entra", "cloudlink")
"""The services that refuse their next requests on demand."""


class UnreadableState(Exception):
    """The state file is damaged or not a sandbox's."""


@dataclass
class CloudLinkAccount:
    """The customer account. ``generation`` counts its secrets: a token is valid only with the current one."""

    client_secret: str
    id: str = stable_id("account")
    name: str = ACCOUNT_NAME
    client_id: str = stable_id("cloudlink-client")
    region: str = ""
    generation: int = 1


@dataclass
class Subscription:
    """A webhook: its URL and the prefix of the subjects it receives."""

    id: str
    application_id: str
    url: str
    topic: str
    subject_filter: str
    publication_filter: str
    created: datetime


@dataclass
class PlannedStep:
    """A future step of the traffic generator."""

    at: datetime
    step: str
    extension: str
    call_id: str


@dataclass
class Traffic:
    running: bool = False
    calls_per_minute: float = 6.0
    next_call_at: datetime | None = None
    planned: list[PlannedStep] = field(default_factory=list)


@dataclass
class Saved:
    """The state that a restart keeps."""

    people: list[Person]
    teams: list[TeamsUser]
    registration: Registration
    account: CloudLinkAccount
    signing_key: str
    groups: list[Group] = field(default_factory=sample_groups)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    traffic: Traffic = field(default_factory=Traffic)
    page_size: int = DEFAULT_PAGE_SIZE
    directory_version: int = 0
    clock_ahead: float = 0.0
    newest_ms: int = 0


_SAVED = TypeAdapter(Saved)

Announced = Callable[[Person, Device, PhoneCall | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class World:
    """The state with its clock and random numbers.

    ``refuse_next`` counts the coming requests that ``graph``, ``entra`` and ``cloudlink`` answer with 401, although
    nothing is wrong with them. The functions in ``on_change`` are called after each change, those in ``on_phone``
    after each change of a phone. ``noted`` are the Teams users as the last delta query found them.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = _utc_now,
        random: Random | None = None,
        page_size: int | None = None,
        faults: Faults | None = None,
        saved: Saved | None = None,
    ) -> None:
        self._clock = clock
        self.random = random or Random()
        self.saved = saved or self._initial_state()
        self.saved.page_size = page_size or self.saved.page_size
        self.saved.faults = faults or self.saved.faults
        self.journal = Journal()
        self.quota = Quota()
        self.refuse_next: Counter[str] = Counter()
        self.noted: dict[str, TeamsUser] = {}
        self.on_change: list[Callable[[], None]] = []
        self.on_phone: list[Announced] = []

    def _initial_state(self) -> Saved:
        people, teams = sample_people()
        registration = Registration()
        registration.add_secret("CloudLink Presence", 180, self._clock(), self.random)
        return Saved(people, teams, registration, CloudLinkAccount(self.new_secret()), self.new_secret())

    def now(self) -> datetime:
        return self._clock() + timedelta(seconds=self.saved.clock_ahead)

    def tick(self) -> tuple[datetime, int]:
        """Now, and as the milliseconds of the phone system's own clock; they always increase."""
        now = self.now()
        self.saved.newest_ms = max(self.saved.newest_ms + 1, int(now.timestamp() * 1000))
        return now, self.saved.newest_ms + int(self.saved.faults.cloudlink_clock_seconds * 1000)

    def phone_time(self) -> datetime:
        """The time by the phone system's own clock."""
        return self.now() + timedelta(seconds=self.saved.faults.cloudlink_clock_seconds)

    def takes_refusal(self, service: str) -> bool:
        """Whether this request to the service is one of those to refuse."""
        is_refused = self.refuse_next[service] > 0
        if is_refused:
            self.refuse_next[service] -= 1
            self.changed()
        return is_refused

    def new_id(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def new_secret(self) -> str:
        return f"{self.random.getrandbits(256):064x}"

    def changed(self) -> None:
        for listener in self.on_change:
            listener()

    def person(self, extension: str) -> Person | None:
        return next((each for each in self.saved.people if each.extension == extension), None)

    def teams_user(self, user_id: str) -> TeamsUser | None:
        """By object id; None when removed."""
        return next((each for each in self.saved.teams if each.id == user_id.lower() and not each.removed), None)

    def group(self, group_id: str) -> Group | None:
        """By object id."""
        return next((each for each in self.saved.groups if each.id == group_id.lower()), None)

    def device(self, key: str) -> tuple[Person, Device] | None:
        """A device by its key, and whose it is."""
        found = ((person, device) for person in self.saved.people for device in person.devices)
        return next((each for each in found if each[1].key == key), None)

    def phone_of(self, person: Person, device: Device) -> UsedPhone:
        return UsedPhone(device.number, device.phone, lambda call: self._announce(person, device, call), self.tick)

    def _announce(self, person: Person, device: Device, call: PhoneCall | None) -> None:
        for listener in self.on_phone:
            listener(person, device, call)
        self.changed()

    def as_bytes(self) -> bytes:
        return _SAVED.dump_json(self.saved, indent=1)


def read_saved(path: Path) -> Saved | None:
    """The state in the file; None when there is none yet. Raises ``UnreadableState``."""
    try:
        return _SAVED.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise UnreadableState(f"{path} is not a state of this sandbox: remove it to start again.") from error


def write_saved(path: Path, content: bytes) -> None:
    """Write the file atomically, readable only by its owner: it holds the sandbox's secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
