"""Tenants with people and phones, generated from their numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import time
from uuid import NAMESPACE_URL, uuid5

CALLING = frozenset({"connected", "held", "conferenced"})
SHOWN_IN_A_CALL = ("Busy", "InACall")


def made_up(*parts: object) -> str:
    """A UUID that is the same every time."""
    return str(uuid5(NAMESPACE_URL, "/".join(map(str, parts))))


@dataclass(slots=True)
class Phone:
    """A person's phone, and what Teams shows of the person from us.

    ``wanted_since`` is when (monotonic) the webhook was sent that Teams' side has not followed yet.
    """

    tenant: "Tenant"
    number: int
    user_id: str
    teams_id: str
    call_id: str = ""
    state: str = ""
    changed_ms: int = 0
    shown: tuple[str, str] | None = None
    message: str = ""
    wanted_since: float | None = None

    @property
    def extension(self) -> str:
        return str(2000 + self.number)

    @property
    def address(self) -> str:
        return f"person{self.number}@tenant{self.tenant.number}.example"

    @property
    def wanted(self) -> tuple[str, str] | None:
        """What Teams should show from us."""
        return SHOWN_IN_A_CALL if self.state in CALLING else None

    def move(self, state: str) -> None:
        self.state, self.changed_ms = state, int(time() * 1000)


@dataclass(slots=True)
class Tenant:
    """A customer: an account at CloudLink, a tenant and an application at Entra ID.

    It is administered by the tenant ``owner``, by default itself. CloudLink takes ``answer_seconds`` for a phone;
    ``latencies`` are the seconds from webhooks to Graph.
    """

    number: int
    phones: list[Phone] = field(default_factory=list)
    webhook_token: str = ""
    subscriptions: dict[str, str] = field(default_factory=dict)
    spent: list[tuple[float, int]] = field(default_factory=list)
    owner: int | None = None
    answer_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def _id(self, what: str) -> str:
        return made_up(what, self.number)

    @property
    def tenant_id(self) -> str:
        return self._id("tenant")

    @property
    def owner_tenant(self) -> str:
        return made_up("tenant", self.number if self.owner is None else self.owner)

    @property
    def client_id(self) -> str:
        return self._id("application")

    @property
    def client_secret(self) -> str:
        return self._id("secret")

    @property
    def account_id(self) -> str:
        return self._id("account")

    @property
    def cloudlink_secret(self) -> str:
        return self._id("cloudlink secret")


def make_fleet(tenants: int, people: int) -> list[Tenant]:
    return [_tenant(number, people) for number in range(tenants)]


def _tenant(number: int, people: int) -> Tenant:
    tenant = Tenant(number, webhook_token=made_up("webhook", number))
    tenant.subscriptions[made_up("subscription", number)] = ""
    for each in range(people):
        ids = (made_up("user", number, each), made_up("teams", number, each))
        tenant.phones.append(Phone(tenant, each, *ids))
    return tenant


def all_phones(fleet: list[Tenant]) -> Iterator[Phone]:
    for tenant in fleet:
        yield from tenant.phones
