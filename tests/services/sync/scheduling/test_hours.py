"""The edges of a schedule: everything of ours is cleared when the hours end, and shown again when they begin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import SQLModel

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import history
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence, SetPresence
from sync.domain.jobs import HOURS, PUSH
from sync.domain.model import Actor, EditedMeanwhile, UnknownIntegration
from sync.domain.phone_events import CallEvent, CallState
from sync.domain.presence import Presence
from sync.domain.schedule import Period, Schedule, as_stored
from sync.integrations.schedule_editor import ScheduleEditor
from sync.scheduling.hours import HoursJob
from sync.scheduling.scheduler import Intervals, Scheduler
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets
from tests.support.sync.flows import flow_of, webhook_of

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
RUI, ANA = Actor("rui", "Rui"), Actor("ana", "Ana")
SHOWN: dict[str, Any] = {
    "line": "on_call",
    "desired": Presence.IN_A_CALL,
    "desired_at": NOON,
    "heard_at": NOON.replace(hour=17),
    "applied": Presence.IN_A_CALL,
    "applied_user_id": "teams p1",
    "applied_at": NOON,
    "applied_until": NOON.replace(hour=20),
}
DAILY = Schedule("UTC", ((Period(time(9), time(18)),),) * 7)
EVENING = Schedule("UTC", ((Period(time(20), time(23)),),) * 7)
END, BEGIN = NOON.replace(hour=18), NOON.replace(hour=9) + timedelta(days=1)
IN_A_CALL, CLEARED = SetPresence("teams p1", Presence.IN_A_CALL, 14_400), ClearPresence("teams p1")


@dataclass
class Bench:
    database: Database
    clients: FakeServiceClients = field(default_factory=FakeServiceClients)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        context = context_of(self.database, self.clients, self.jobs, self.clock)
        self.hours, self.editor = HoursJob(context), ScheduleEditor(context)
        self.scheduler = Scheduler(context, Intervals(), paced=(), public=True)
        self.flow = flow_of(context, CredentialStore(ENCRYPTION))

    async def at(self, moment: datetime) -> list[Any]:
        """What is sent once the schedule was acted on at this moment."""
        self.clock.now, before = moment, len(self.clients.graph.sent)
        row = await self.row()
        if HOURS in self.scheduler.due(row, [], None, moment):
            await self.hours.run("i1")
        await self.flow.push("i1")
        return list(self.clients.graph.sent[before:])

    async def report(self, state: CallState) -> None:
        moment = int(self.clock.now.timestamp() * 1000)
        event = CallEvent(f"e{moment}", "ext p1", "cloudlink p1", "c", state, "", False, moment)
        await self.flow.store_events(webhook_of(), [event])

    async def row(self) -> Integration:
        async with self.database.session() as session:
            row = await session.get(Integration, "i1")
        assert row
        return row


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel, schedule: Schedule | None = DAILY) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        given = integration(schedule=as_stored(schedule) if schedule else {})
        await stored(database, with_secrets(given, ENCRYPTION, **secrets), *rows)
        yield Bench(database)


async def test_it_is_cleared_at_the_end_and_shown_again_at_the_begin(tmp_path: Path) -> None:
    message = {"status_message": "On the phone", "status_user_id": "teams p1"}
    async with bench(tmp_path, person(**SHOWN, **message)) as here:
        assert await here.at(NOON) == []
        assert await here.at(END - timedelta(seconds=1)) == []
        assert await here.at(END) == [CLEARED]
        row = await here.row()
        assert (row.closed, row.turns_at, row.catch_up_since) == (True, BEGIN, None)
        assert (await read_person(here.database)).status_due_at == END
        await here.report(CallState.CONNECTED)
        assert await here.at(BEGIN - timedelta(minutes=1)) == []
        assert await here.at(BEGIN) == []
        assert (await here.row()).catch_up_since == BEGIN


async def test_who_is_on_the_phone_when_the_hours_begin_is_shown(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as here:
        assert await here.at(END) == []
        await here.at(BEGIN - timedelta(minutes=20))
        await here.report(CallState.CONNECTED)
        assert await here.at(BEGIN - timedelta(minutes=10)) == []
        assert await here.at(BEGIN) == [IN_A_CALL]
        assert (await read_person(here.database)).desired_at == BEGIN
        assert (await here.row()).catch_up_since == BEGIN


async def test_a_clock_that_is_set_back_a_little_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN)) as here:
        await here.at(NOON)
        assert await here.at(END) == [CLEARED]
        for minutes in (1, 2, 4):
            assert await here.at(END - timedelta(minutes=minutes)) == []
        assert (await here.row()).closed
        assert await here.at(END - timedelta(minutes=30)) == [IN_A_CALL]
        assert await here.at(END) == [CLEARED]


async def test_an_edge_that_was_missed_is_acted_on_at_the_start(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN)) as here:
        await here.at(NOON)
        here.clock.now = END + timedelta(hours=1)
        await here.scheduler.start()
        await here.report(CallState.CONNECTED)
        await here.flow.push("i1")
        assert here.clients.graph.sent == [CLEARED]


async def test_a_schedule_applies_when_it_is_saved_and_when_it_is_removed(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN), schedule=None) as here:
        assert await here.editor.preview("t1", "i1", DAILY) == 0
        assert await here.editor.preview("t1", "i1", EVENING) == 1
        view = await here.editor.save("t1", "i1", 1, EVENING, RUI)
        assert (view.closed, view.turns_at, view.revision) == (True, NOON.replace(hour=20), 2)
        assert PUSH in here.jobs.now()
        assert await here.at(NOON) == [CLEARED]
        view = await here.editor.save("t1", "i1", 2, None, RUI)
        assert (view.closed, view.turns_at, view.schedule) == (False, None, None)
        assert await here.at(NOON) == [IN_A_CALL]


async def test_the_slower_of_two_administrators_stores_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.editor.save("t1", "i1", 1, EVENING, ANA)
        with pytest.raises(EditedMeanwhile):
            await here.editor.save("t1", "i1", 1, None, RUI)
        assert (await here.row()).schedule == as_stored(EVENING)
        async with here.database.session() as session:
            acts = {(act.act, act.result, act.actor_name) for act in await history.page(session, "t1", 0, 50)}
        assert acts == {("schedule", "done", "Ana"), ("schedule", "edited_meanwhile", "Rui")}


async def test_another_tenants_integration_does_not_exist(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        with pytest.raises(UnknownIntegration):
            await here.editor.save("t2", "i1", 1, EVENING, RUI)
        with pytest.raises(UnknownIntegration):
            await here.editor.preview("t2", "i1", EVENING)
