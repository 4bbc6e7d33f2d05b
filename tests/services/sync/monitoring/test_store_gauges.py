from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database, open_database
from storage.schema import migrate
from storage.tables.conversations import Conversation
from storage.tables.notices import AlertChannel, Notice
from storage.tables.problems import Problem
from storage.tables.roles import Member
from sync.domain.roles import Role
from sync.monitoring.store_gauges import StoreGauges
from tests.support.clocks import NOON, FakeClock
from tests.support.storage.postgres import fresh_database
from tests.support.storage.stores import EACH, integration, person, stored


@dataclass
class Bench:
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.store_gauges = StoreGauges(self.database, Metrics(self.registry), self.clock)

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"cloudlink_presence_{name}", labels)


@pytest.fixture(params=EACH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with _fresh(request.param, tmp_path) as url:
        yield url


@contextmanager
def _fresh(kind: str, folder: Path) -> Iterator[str]:
    if kind == "postgresql":
        with fresh_database() as url:
            yield url
    else:
        yield f"sqlite:///{folder / 'presence.db'}"


@asynccontextmanager
async def bench(url: str, *rows: Any) -> AsyncIterator[Bench]:
    async with open_database(url) as database:
        await migrate(database)
        await stored(database, *rows)
        yield Bench(database)


def problem(integration_id: str, service: str, fault: str, lasting: bool = False, **values: Any) -> Problem:
    given = {"since": NOON, "checked_at": NOON, **values}
    return Problem(integration_id=integration_id, service=service, fault=fault, lasting=lasting, **given)


def admin(name: str, tenant: str = "t1", **values: Any) -> Conversation:
    given: dict[str, Any] = {"admin_as": name, "seen_at": NOON, **values}
    places: dict[str, Any] = dict.fromkeys(
        ("service_url", "conversation_id", "user_id", "bot_id", "channel_id"), name
    )
    return Conversation(tenant_id=tenant, user_object_id=name, **places, **given)


async def test_the_gauges_of_an_empty_database(url: str) -> None:
    async with bench(url) as at:
        await at.store_gauges.refresh()
        assert at.read("integrations", state="running") == 0
        assert at.read("pushes_due") == at.read("push_overdue_seconds") == 0
        assert isnan(at.read("webhook_silence_seconds") or 0)
        assert isnan(at.read("soonest_expiry_days") or 0)


async def test_integrations_by_state_and_their_problems(url: str) -> None:
    rows = [
        integration(),
        integration(id="i2"),
        integration(id="i3", enabled=False),
        integration(id="i4", removing_since=NOON),
        integration(id="i5"),
        problem("i2", "entra", "entra.secret_expired", lasting=True),
        problem("i5", "entra", "entra.secret_expired", lasting=True, healed_at=NOON),
        problem("i1", "graph", "graph.throttled"),
        problem("i5", "cloudlink", "cloudlink.refused", lasting=True),
        problem("i3", "graph", "graph.throttled"),
    ]
    async with bench(url, *rows) as at:
        await at.store_gauges.refresh()
        states = {state: at.read("integrations", state=state) for state in ("running", "stopped", "disabled")}
        assert states == {"running": 2, "stopped": 1, "disabled": 1}
        assert at.read("integrations", state="removing") == 1
        assert at.read("open_problems", service="graph", fault="graph.throttled") == 2
        assert at.read("open_problems", service="entra", fault="entra.secret_expired") == 1


async def test_a_closed_problem_has_no_series_after_the_minimum_interval(url: str) -> None:
    row = problem("i1", "graph", "graph.throttled")
    async with bench(url, integration(), row) as at:
        await at.store_gauges.refresh()
        async with at.database.writing() as session:
            row.healed_at = NOON
            await session.merge(row)
        await at.store_gauges.refresh()
        assert at.read("open_problems", service="graph", fault="graph.throttled") == 1, "refreshed too early"
        at.clock.advance(seconds=5)
        await at.store_gauges.refresh()
        assert at.read("open_problems", service="graph", fault="graph.throttled") is None


async def test_due_pushes_are_counted_unless_an_administrator_must_act_first(url: str) -> None:
    rows = [
        integration(),
        integration(id="i2"),
        problem("i2", "graph", "graph.forbidden", lasting=True),
        person("p1", due_at=NOON - timedelta(seconds=40)),
        person("p2", due_at=NOON - timedelta(seconds=10)),
        person("p3", due_at=NOON + timedelta(hours=1)),
        person("p4", integration_id="i2", due_at=NOON - timedelta(hours=9)),
    ]
    async with bench(url, *rows) as at:
        await at.store_gauges.refresh()
        assert (at.read("pushes_due"), at.read("push_overdue_seconds")) == (2, 40)


async def test_webhook_silence_and_the_soonest_expiry(url: str) -> None:
    rows = [
        integration(subscription_id="s1", subscribed_at=NOON - timedelta(hours=9), last_webhook_at=None),
        integration(id="i2", subscription_id="s2", last_webhook_at=NOON - timedelta(minutes=2)),
        integration(id="i3", enabled=False, subscription_id="s3", last_webhook_at=NOON),
        integration(id="i4", secret_expires_on=NOON.date() + timedelta(days=9)),
        integration(id="i5", secret_expires_on=date(2199, 1, 1)),
        integration(id="i6", secret_expires_on=NOON.date(), removing_since=NOON),
    ]
    async with bench(url, *rows) as at:
        await at.store_gauges.refresh()
        assert (at.read("webhook_silence_seconds"), at.read("soonest_expiry_days")) == (120, 9)


async def test_unreachable_administrators_and_integrations_without_a_recipient(url: str) -> None:
    channel: dict[str, Any] = dict.fromkeys(("conversation_id", "service_url", "bot_id", "channel_id"), "c")
    rows = [
        integration(),
        integration(id="i2", owner_tenant="t2"),
        integration(id="i3", owner_tenant="t3"),
        integration(id="i4", owner_tenant="t4"),
        integration(id="i5", owner_tenant="t5"),
        integration(id="i6", owner_tenant="t6"),
        admin("ada"),
        admin("ben", unreachable=True),
        admin("cid", tenant="t2", unreachable=True),
        admin("dora", tenant="t3", admin_as=""),
        admin("fay", tenant="t5", admin_as=""),
        Member(owner_tenant="t5", user_object_id="fay", role=Role.ADMINISTRATOR, invited_at=NOON),
        admin("gil", tenant="t6", admin_as=""),
        Member(owner_tenant="t6", user_object_id="gil", role=Role.VIEWER, invited_at=NOON),
        admin("eve", tenant="nobody's", unreachable=True),
        AlertChannel(owner_tenant="t4", added_at=NOON, **channel),
        *(
            Notice(
                integration_id="i1",
                owner_tenant="t1",
                topic="expiry",
                stage=str(n),
                audience="ada",
                created_at=NOON,
            )
            for n in range(3)
        ),
    ]
    async with bench(url, *rows) as at:
        await at.store_gauges.refresh()
        assert at.read("unreachable_admins") == 2
        assert at.read("nobody_reachable") == 3
        assert (at.read("notices", state="waiting"), at.read("notices", state="sending")) == (3, 0)
