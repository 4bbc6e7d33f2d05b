"""A saved mapping changes what is sent: for who is on the phone now, and for later calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
from sync.domain.jobs import APPLY_SCOPE, PUSH
from sync.domain.model import Actor, EditedMeanwhile, UnknownIntegration
from sync.domain.phone_events import CallEvent, CallState, EndpointEvent
from sync.domain.presence import LineState, Presence
from sync.integrations.mapping_editor import MappingEditor
from sync.people.scope.editor import ScopeEditor
from sync.presence.mapping import QUIET, Leave, chosen_by
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets
from tests.support.sync.flows import flow_of, webhook_of

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
RUI, ANA = Actor("rui", "Rui"), Actor("ana", "Ana")
TALKING: dict[str, Any] = {"line": "on_call", "desired": Presence.IN_A_CALL, "desired_at": NOON, "heard_at": NOON}
SILENT = {**chosen_by({}), **QUIET}


@dataclass
class Bench:
    database: Database
    clients: FakeServiceClients = field(default_factory=FakeServiceClients)
    jobs: FakeJobs = field(default_factory=FakeJobs)

    def __post_init__(self) -> None:
        context = context_of(self.database, self.clients, self.jobs)
        self.scopes = ScopeEditor(context, CredentialStore(ENCRYPTION))
        self.editor, self.flow = MappingEditor(context), flow_of(context, CredentialStore(ENCRYPTION))

    async def report(self, state: CallState, at: int) -> None:
        event = CallEvent(f"e{at}", "ext p1", "cloudlink p1", "c", state, "", False, at)
        await self.flow.store_events(webhook_of(), [event])

    async def sent(self) -> list[Any]:
        await self.flow.push("i1")
        return self.clients.graph.sent

    async def stored_mapping(self) -> dict[str, str | None]:
        async with self.database.session() as session:
            row = await session.get(Integration, "i1")
        assert row
        return row.mapping


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), *rows)
        yield Bench(database)


async def test_a_call_that_is_under_way_is_shown_by_the_new_mapping(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        assert (await at.editor.preview("t1", "i1", SILENT))[0] == 1
        assert await at.sent() == [SetPresence("teams p1", Presence.IN_A_CALL, 14_400)]
        view, changed = await at.editor.save("t1", "i1", 1, SILENT, RUI)
        assert (view.revision, changed, PUSH in at.jobs.now()) == (2, 1, True)
        assert (await at.sent())[1:] == [SetPresence("teams p1", Presence.PRESENTING, 14_400)]
        await at.editor.save("t1", "i1", 2, {**chosen_by({}), LineState.ON_CALL: None}, RUI)
        assert (await at.sent())[2:] == [ClearPresence("teams p1")]
        await at.editor.save("t1", "i1", 3, chosen_by({}), RUI)
        assert (await at.sent())[3:] == [SetPresence("teams p1", Presence.IN_A_CALL, 14_400)]
        assert await at.stored_mapping() == {}


async def test_later_calls_are_shown_by_it(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        await at.editor.save("t1", "i1", 1, {**SILENT, LineState.RINGING: Presence.IN_A_CALL}, RUI)
        shown = []
        for time, state in enumerate((CallState.RINGING, CallState.CONNECTED, CallState.ENDED), 1):
            await at.report(state, time)
            shown.append((await read_person(at.database)).desired)
        assert shown == [Presence.IN_A_CALL, Presence.PRESENTING, None]


async def test_a_free_phone_shows_what_was_chosen_for_it_and_a_job_stores_it(tmp_path: Path) -> None:
    free = {**chosen_by({}), LineState.IDLE: Presence.IN_A_CONFERENCE_CALL, LineState.ON_CALL: Leave.ALONE}
    rows = (person("p2", line="offline"), person("p3"), person("p4", line="idle", excluded=True))
    async with bench(tmp_path, person(line="idle", heard_at=NOON), *rows) as at:
        assert (await at.editor.preview("t1", "i1", free))[0] == 1
        _, changed = await at.editor.save("t1", "i1", 1, free, RUI)
        assert (changed, APPLY_SCOPE in at.jobs.now(), await at.sent()) == (1, True, [])
        await at.scopes.apply("i1")
        assert await at.sent() == [SetPresence("teams p1", Presence.IN_A_CONFERENCE_CALL, 14_400)]
        assert [(await read_person(at.database, name)).desired for name in ("p2", "p3")] == [None, None]
        await at.report(CallState.CONNECTED, 1)
        await at.report(CallState.ENDED, 2)
        assert len(await at.sent()) == 1
        await at.editor.save("t1", "i1", 2, chosen_by({}), RUI)
        await at.scopes.apply("i1")
        assert (await at.sent())[1:] == [ClearPresence("teams p1")]


async def test_do_not_disturb_that_is_left_alone_shows_the_calls_also_after_an_edit(tmp_path: Path) -> None:
    async with bench(tmp_path, person()) as at:
        await at.report(CallState.CONNECTED, 1)
        quiet = EndpointEvent("e2", "ext p1", "cloudlink p1", True, "busy", 2)
        await at.flow.store_events(webhook_of(), [quiet])
        shown = [(await read_person(at.database)).desired]
        for number, choice in enumerate((Leave.ALONE, None, Leave.ALONE), 1):
            mapping = {**chosen_by({}), LineState.DO_NOT_DISTURB: choice}
            await at.editor.save("t1", "i1", number, mapping, RUI)
            shown.append((await read_person(at.database)).desired)
        await at.report(CallState.HELD, 3)
        shown.append((await read_person(at.database)).desired)
        await at.report(CallState.ENDED, 4)
        shown.append((await read_person(at.database)).desired)
        call = Presence.IN_A_CALL
        assert shown == [Presence.PRESENTING, call, None, call, call, None]


async def test_the_history_names_what_differs_from_mitels_defaults(tmp_path: Path) -> None:
    chosen = {**chosen_by({}), LineState.ON_CALL: None, LineState.OFFLINE: Presence.PRESENTING}
    async with bench(tmp_path, person()) as at:
        await at.editor.save("t1", "i1", 1, {**chosen, LineState.DO_NOT_DISTURB: Leave.ALONE}, RUI)
        async with at.database.session() as session:
            (act,) = await history.page(session, "t1", 0, 50)
        assert act.facts == {"on_call": "clear", "do_not_disturb": "leave", "offline": "Presenting"}


async def test_the_slower_of_two_administrators_stores_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING)) as at:
        await at.editor.save("t1", "i1", 1, SILENT, ANA)
        with pytest.raises(EditedMeanwhile):
            await at.editor.save("t1", "i1", 1, chosen_by({}), RUI)
        assert (await read_person(at.database)).desired == Presence.PRESENTING
        async with at.database.session() as session:
            acts = {(act.act, act.result, act.actor_name) for act in await history.page(session, "t1", 0, 50)}
        assert acts == {("mapping", "done", "Ana"), ("mapping", "edited_meanwhile", "Rui")}


async def test_another_tenants_integration_does_not_exist(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING)) as at:
        with pytest.raises(UnknownIntegration):
            await at.editor.save("t2", "i1", 1, SILENT, RUI)
        with pytest.raises(UnknownIntegration):
            await at.editor.preview("t2", "i1", SILENT)
        assert await at.stored_mapping() == {}
