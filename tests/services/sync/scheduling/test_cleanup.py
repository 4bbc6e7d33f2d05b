from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from storage.queries import bounds
from storage.tables.conversations import Draft, Press
from storage.tables.history import HistoryEntry
from storage.tables.people import Call, SeenEvent
from sync.scheduling.cleanup import KEEP_CALLS, KEEP_DRAFTS, KEEP_EVENTS, KEEP_HISTORY, Cleanup
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, context_of
from tests.support.storage.stores import empty_store, integration, person, stored

pytestmark = pytest.mark.usefixtures("each_database")

MINUTE = timedelta(minutes=1)


async def test_only_what_is_too_old_is_deleted_and_the_next_run_is_queued(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration(), person())
        for name, age in (("old", MINUTE), ("new", -MINUTE)):
            call_at, draft_at = NOON - KEEP_CALLS - age, NOON - KEEP_DRAFTS - age
            await stored(
                database,
                SeenEvent(integration_id="i1", event_id=name, seen_at=NOON - KEEP_EVENTS - age),
                Call(person_id="p1", extension="2001", call_id=name, state="ended", at=0, heard_at=call_at),
                Call(
                    person_id="p1",
                    extension="2001",
                    call_id=f"{name}, open",
                    state="connected",
                    at=0,
                    heard_at=call_at,
                ),
                Draft(tenant_id="t1", user_object_id=name, step="name", updated_at=draft_at),
                HistoryEntry(
                    owner_tenant="t1", actor_id=name, act="enable", result="done", at=NOON - KEEP_HISTORY - age
                ),
            )
        jobs = FakeJobs()
        await Cleanup(context_of(database, jobs=jobs), timedelta(hours=1)).run("all")
        async with database.session() as session:
            assert (await session.exec(select(SeenEvent.event_id))).all() == ["new"]
            assert set((await session.exec(select(Call.call_id))).all()) == {
                "new",
                "old, open",
                "new, open",
            }
            assert (await session.exec(select(Draft.user_object_id))).all() == ["new"]
            assert (await session.exec(select(HistoryEntry.actor_id))).all() == ["new"]
        assert jobs.deferred == [("cleanup", "all", NOON + timedelta(hours=1))]


async def test_one_person_fills_no_table_and_pushes_no_other_persons_acts_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept: of acts those of each person, of presses those of each tenant."""
    monkeypatch.setattr(bounds, "MOST", 3)

    def act(tenant: str, person: str, minute: int) -> HistoryEntry:
        at = NOON - minute * MINUTE
        return HistoryEntry(owner_tenant=tenant, actor_id=person, act="rename", result="done", at=at)

    def press(tenant: str, person: str, minute: int) -> Press:
        stamp = f"{person} {minute}"
        return Press(owner_tenant=tenant, stamp=stamp, verb="v", pressed_by=person, at=NOON - minute * MINUTE)

    async with empty_store(tmp_path) as database:
        for make in (act, press):
            await stored(database, *(make("t1", "loud", minute) for minute in range(6)))
            await stored(database, make("t1", "quiet", 90), make("t2", "loud", 90))
        await Cleanup(context_of(database), timedelta(hours=1)).run("all")
        async with database.session() as session:
            acts = (await session.exec(select(HistoryEntry))).all()
            presses = (await session.exec(select(Press))).all()
    ages = sorted((row.owner_tenant, row.actor_id, (NOON - row.at) // MINUTE) for row in acts)
    of_loud = [("t1", "loud", minute) for minute in range(3)]
    assert ages == [*of_loud, ("t1", "quiet", 90), ("t2", "loud", 90)]
    assert sorted((row.owner_tenant, row.stamp) for row in presses) == [
        *(("t1", f"loud {minute}") for minute in range(3)),
        ("t2", "loud 90"),
    ]
