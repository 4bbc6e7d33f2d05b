"""What the status reads from the store."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from storage.encryption import Encryption
from storage.queries.health import problems
from storage.tables.problems import Problem
from sync.domain.model import Actor, Service
from tests.support.bot.fake_operations import real_operations
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import empty_store, integration, person, stored

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
MINUTE = timedelta(minutes=1)
NEVER = dict.fromkeys(("polled_at", "subscription_checked_at", "last_webhook_at", "matched_at", "last_change_at"))


def problem(service: str, fault: str, facts: dict[str, Any]) -> Problem:
    since = NOON - MINUTE
    return Problem(integration_id="i1", service=service, fault=fault, facts=facts, since=since, checked_at=NOON)


@pytest.mark.parametrize(
    ("values", "answered"),
    [
        ({}, {}),
        ({"polled_at": NOON - 4 * MINUTE, "subscription_checked_at": NOON - 5 * MINUTE}, {Service.CLOUDLINK: 4}),
        ({"polled_at": NOON - 4 * MINUTE, "last_webhook_at": NOON - MINUTE}, {Service.CLOUDLINK: 1}),
        ({"matched_at": NOON - 9 * MINUTE, "last_change_at": NOON - 2 * MINUTE}, {Service.GRAPH: 2}),
    ],
)
async def test_when_a_service_last_answered(
    tmp_path: Path, values: dict[str, object], answered: dict[Service, int]
) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(**{**NEVER, **values}))
        context = context_of(database, FakeServiceClients(), clock=FakeClock())
        operations = real_operations(context, Encryption([Fernet.generate_key().decode()]))
        status = await operations.overview.status("t1", "i1")
    assert status.answered == {service: NOON - minutes * MINUTE for service, minutes in answered.items()}


async def test_a_list_that_cannot_be_read_is_no_fault_of_a_service_and_not_said_where_one_is_away(
    tmp_path: Path,
) -> None:
    unread = {"side": "graph", "read_at": NOON.isoformat()}
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), problem("directory", "directory.unread", unread))
        operations = real_operations(context_of(database, clock=FakeClock()), ENCRYPTION)
        status = await operations.overview.status("t1", "i1")
        assert (status.lists_unread, [each.error for each in status.service_health]) == ((unread,), [None] * 3)
        report = await operations.reports.read("t1", "i1", 1)
        assert [fault.service for fault in report.faults] == ["directory"]
        await stored(database, problem("graph", "graph.unreachable", {}))
        assert (await operations.overview.status("t1", "i1")).lists_unread == ()
        assert [fault.service for fault in (await operations.reports.read("t1", "i1", 1)).faults] == ["graph"]
        await operations.integrations.disable("t1", "i1", Actor("ada", "Ada"))
        async with database.session() as session:
            assert [row.service for row in await problems.list_open(session, "i1")] == ["graph"]


async def test_what_is_not_checked_while_presence_is_disabled_is_no_problem_any_more(tmp_path: Path) -> None:
    """An administrator who comes later would be alerted about it."""
    faults = {"events": "events.missed", "effect": "effect.missing", "directory": "directory.unread"}
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), *(problem(*each, {}) for each in faults.items()))
        await stored(database, problem("clock", "clock.skewed", {}))
        operations = real_operations(context_of(database, clock=FakeClock()), ENCRYPTION)
        await operations.integrations.disable("t1", "i1", Actor("ada", "Ada"))
        async with database.session() as session:
            assert [row.service for row in await problems.list_open(session, "i1")] == ["clock"]


async def test_that_nothing_can_be_stored_is_in_the_status_but_in_no_rehearsal(tmp_path: Path) -> None:
    async def full() -> str:
        return "disk"

    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        overview = real_operations(context_of(database, clock=FakeClock()), ENCRYPTION, full).overview
        assert (await overview.status("t1", "i1")).store_fault == "disk"
        rehearsed = problem("graph", "graph.unreachable", {})
        assert (await overview.status("t1", "i1", rehearsed=rehearsed)).store_fault == ""


async def test_everyone_is_counted_in_one_reading(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person("shown", desired="Busy", applied="Busy"), person("waits"))
        operations = real_operations(context_of(database), Encryption([Fernet.generate_key().decode()]))
        with recorded_statements(database) as sent:
            status = await operations.overview.status("t1", "i1")
    assert (status.people, status.matched, status.shown_now, status.missing) == (2, 2, 1, 0)
    assert sum("FROM person" in statement for statement in sent) == 1
