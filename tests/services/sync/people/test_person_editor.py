"""What an administrator changes about one person: stored with its record, and sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import SQLModel, select

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import history
from storage.queries.people import endpoints
from storage.tables.columns import UNSURE
from storage.tables.people import Call, Endpoint
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence, Done, Refused, SetPresence
from sync.domain.jobs import MATCH, POLL_NOW, PUSH
from sync.domain.model import Actor, UnknownIntegration
from sync.domain.people import ChangedMeanwhile, MatchRefusal, MatchRefused, UnknownPerson
from sync.domain.phone_events import CloudLinkUser
from sync.domain.presence import Presence
from sync.people.directory_sync import DirectorySync
from sync.people.person_editor import PersonEditor
from sync.teams.directory import TeamsUser
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets
from tests.support.sync.flows import flow_of

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = Presence.IN_A_CALL
RUI, ANA = Actor("rui", "Rui"), Actor("ana", "Ana")
TALKING: dict[str, Any] = {"line": "on_call", "desired": CALL, "desired_at": NOON, "heard_at": NOON}
SHOWN: dict[str, Any] = {
    **TALKING,
    "applied": CALL,
    "applied_user_id": "teams p1",
    "applied_at": NOON,
    "applied_until": NOON + timedelta(hours=4),
}


@dataclass
class Bench:
    database: Database
    clients: FakeServiceClients = field(default_factory=FakeServiceClients)
    jobs: FakeJobs = field(default_factory=FakeJobs)

    def __post_init__(self) -> None:
        context, store = context_of(self.database, self.clients, self.jobs), CredentialStore(ENCRYPTION)
        self.editor = PersonEditor(context, store)
        self.directory_sync = DirectorySync(context, store)
        self.flow = flow_of(context, store)

    async def acts(self) -> list[tuple[str, str, str]]:
        async with self.database.session() as session:
            found = await history.page(session, "t1", 0, 50)
        return [(act.act, act.result, str(act.facts.get("person", ""))) for act in found]

    async def sent(self) -> list[Any]:
        await self.flow.push("i1")
        return self.clients.graph.sent

    def set_accounts(self, **accounts: str) -> None:
        """The tenant's users: their ids by name."""
        self.clients.graph.accounts = [
            TeamsUser(user_id, name, f"{name}@example.com", "", name != "disabled", guest=name == "guest")
            for name, user_id in accounts.items()
        ]


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), *rows)
        yield Bench(database)


async def test_who_is_excluded_is_cleared_and_not_set_again(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN, status_message="On the phone")) as at:
        await at.editor.exclude("t1", "i1", "p1", 0, RUI)
        assert (await read_person(at.database)).status_due_at == NOON
        assert PUSH in at.jobs.now()
        assert await at.sent() == [ClearPresence("teams p1")]
        row = await read_person(at.database)
        assert (row.applied, row.desired, row.due_at) == (None, CALL, None)
        assert (row.excluded, row.choices, row.changed_by, row.changed_by_name) == (True, 1, "rui", "Rui")
        assert await at.acts() == [("person_exclude", "done", "p1")]


async def test_who_is_included_again_is_shown_during_the_same_call(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, excluded=True, choices=1)) as at:
        await at.editor.include("t1", "i1", "p1", 1, RUI)
        assert await at.sent() == [SetPresence("teams p1", CALL, 4 * 3600)]


async def test_of_two_administrators_the_slower_one_changes_nothing_and_learns_who_was_first(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, person(**SHOWN)) as at:
        await at.editor.exclude("t1", "i1", "p1", 0, ANA)
        with pytest.raises(ChangedMeanwhile) as refused:
            await at.editor.include("t1", "i1", "p1", 0, RUI)
        assert refused.value.by == "Ana"
        assert (await read_person(at.database)).excluded
        acts = {act[:2] for act in await at.acts()}
        assert acts == {("person_include", "edited_meanwhile"), ("person_exclude", "done")}


@pytest.mark.parametrize("act", ["exclude", "include", "unmatch"])
async def test_a_setting_of_another_tenants_person_is_unknown(tmp_path: Path, act: str) -> None:
    async with bench(tmp_path, person(**SHOWN)) as at:
        with pytest.raises(UnknownIntegration):
            await getattr(at.editor, act)("t2", "i1", "p1", 0, RUI)
        with pytest.raises(UnknownPerson):
            await getattr(at.editor, act)("t1", "i1", "nobody", 0, RUI)
        assert await at.acts() == []


async def test_shown_again_sends_what_was_accepted_before_and_reads_the_phones(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN, refusal="403 x", refused_until=NOON + timedelta(hours=1))) as at:
        await at.editor.resend("t1", "i1", "p1", RUI)
        assert {PUSH, POLL_NOW} <= set(at.jobs.now())
        async with at.database.session() as session:
            assert await endpoints.to_poll_now(session, "i1", NOON, 9) == ["ext p1"]
        assert await at.sent() == [SetPresence("teams p1", CALL, 4 * 3600)]


async def test_shown_again_clears_what_is_left_of_us_when_the_phone_is_idle(tmp_path: Path) -> None:
    async with bench(tmp_path, person(line="idle", heard_at=NOON)) as at:
        await at.editor.resend("t1", "i1", "p1", RUI)
        assert await at.sent() == [ClearPresence("teams p1")]


async def test_cleared_now_forgets_the_call_and_clears_though_nothing_was_known_to_be_shown(tmp_path: Path) -> None:
    call = Call(person_id="p1", extension="ext p1", call_id="c", state="connected", at=1, heard_at=NOON)
    seen = Endpoint(person_id="p1", extension="ext p1", integration_id="i1", heard_at=NOON)
    async with bench(tmp_path, person(**TALKING), seen, call) as at:
        await at.editor.clear("t1", "i1", "p1", RUI)
        assert await at.sent() == [ClearPresence("teams p1")]
        row = await read_person(at.database)
        assert (row.line, row.desired, row.applied) == ("unknown", None, None)
        async with at.database.session() as session:
            assert (await session.exec(select(Call.state))).all() == ["ended"]


async def test_a_match_by_hand_shows_the_call_and_survives_the_next_comparison(tmp_path: Path) -> None:
    refused = {"refusal": "403 Forbidden", "refused_since": NOON, "refused_until": NOON + timedelta(hours=1)}
    lost = person(**{**TALKING, "teams_user_id": None, "unmatched": "not_found", **refused})
    async with bench(tmp_path, lost) as at:
        at.set_accounts(ana="teams ana")
        await at.editor.match("t1", "i1", "p1", 0, "Ana@example.com", RUI)
        assert await at.sent() == [SetPresence("teams ana", CALL, 4 * 3600)]
        at.clients.cloudlink.people = [CloudLinkUser("cloudlink p1", "p1", "p1@elsewhere.com", "ext p1")]
        await at.directory_sync.match("i1")
        row = await read_person(at.database)
        assert (row.teams_user_id, row.chosen_user_id, row.unmatched) == ("teams ana", "teams ana", None)
        assert (row.refusal, row.refused_since, row.refused_until) == ("", None, None)
        assert await at.acts() == [("person_match", "done", "p1")]


@pytest.mark.parametrize(
    ("name", "reason", "other"),
    [
        ("nobody", MatchRefusal.NOT_FOUND, ""),
        ("guest", MatchRefusal.GUEST, ""),
        ("disabled", MatchRefusal.DISABLED, ""),
        ("taken", MatchRefusal.TAKEN, "p2"),
    ],
)
async def test_an_account_that_cannot_be_theirs_is_refused_with_the_reason(
    tmp_path: Path, name: str, reason: MatchRefusal, other: str
) -> None:
    async with bench(tmp_path, person(**TALKING), person("p2")) as at:
        at.set_accounts(guest="g", disabled="d", taken="teams p2")
        with pytest.raises(MatchRefused) as refused:
            await at.editor.match("t1", "i1", "p1", 0, f"{name}@example.com", RUI)
        assert (refused.value.reason, refused.value.other) == (reason, other)
        row = await read_person(at.database)
        assert (row.teams_user_id, row.chosen_user_id, row.choices) == ("teams p1", None, 0)
        assert [act[:2] for act in await at.acts()] == [("person_match", f"match_{reason}")]


async def test_a_match_changed_while_the_directories_are_read_is_not_undone(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING)) as at:
        at.set_accounts(p1="teams p1", ana="teams ana")
        at.clients.cloudlink.people = [CloudLinkUser("cloudlink p1", "p1", "p1@example.com", "ext p1")]
        at.clients.graph.during_users = lambda: at.editor.match("t1", "i1", "p1", 0, "ana@example.com", RUI)
        await at.directory_sync.match("i1")
        assert (await read_person(at.database)).teams_user_id == "teams ana"


async def test_without_a_match_by_hand_the_address_decides_at_the_next_comparison(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**SHOWN, chosen_user_id="teams p1")) as at:
        at.set_accounts(p1="teams own")
        at.clients.cloudlink.people = [CloudLinkUser("cloudlink p1", "p1", "p1@example.com", "ext p1")]
        await at.editor.unmatch("t1", "i1", "p1", 0, RUI)
        assert MATCH in at.jobs.now()
        await at.directory_sync.match("i1")
        row = await read_person(at.database)
        assert (row.teams_user_id, row.chosen_user_id) == ("teams own", None)
        assert await at.sent() == [ClearPresence("teams p1"), SetPresence("teams own", CALL, 4 * 3600)]
        assert row.applied != UNSURE


async def test_a_match_by_hand_taken_back_before_the_next_comparison_leaves_the_address_to_decide(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, person(**TALKING)) as at:
        at.set_accounts(p1="teams p1", ana="teams ana")
        at.clients.cloudlink.people = [CloudLinkUser("cloudlink p1", "p1", "p1@example.com", "ext p1")]
        await at.directory_sync.match("i1")
        await at.editor.match("t1", "i1", "p1", 0, "ana@example.com", RUI)
        await at.editor.unmatch("t1", "i1", "p1", 1, RUI)
        await at.directory_sync.match("i1")
        assert (await read_person(at.database)).teams_user_id == "teams p1"


async def test_what_graph_refuses_for_a_former_account_does_not_delay_the_next_one(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        at.set_accounts(ana="teams ana")
        at.clients.graph.answer = lambda change: (
            Refused(403, "Forbidden") if change.user_id == "teams p1" else Done()
        )

        async def match() -> None:
            at.clients.graph.during_push = None
            await at.editor.match("t1", "i1", "p1", 0, "ana@example.com", RUI)

        at.clients.graph.during_push = match
        assert await at.sent() == [
            SetPresence("teams p1", CALL, 4 * 3600),
            SetPresence("teams ana", CALL, 4 * 3600),
        ]
        row = await read_person(at.database)
        assert (row.applied, row.applied_user_id, row.refusal) == (CALL, "teams ana", "")
