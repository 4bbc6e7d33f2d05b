"""Everyone is judged by the scope: when it is saved, and when people or groups change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import SQLModel

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import groups
from storage.tables.directory import DirectoryGroup
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.jobs import APPLY_SCOPE, PUSH
from sync.domain.model import Actor, EditedMeanwhile, Rule, RuleKind, UnknownIntegration
from sync.domain.phone_events import CloudLinkUser
from sync.domain.presence import Presence
from sync.domain.services import Group
from sync.integrations.mapping_editor import MappingEditor, WantedRules
from sync.people.directory_sync import DirectorySync
from sync.people.scope.editor import ScopeEditor
from sync.people.scope.rules import Scope, ScopeMode, Side, scope_of
from sync.presence.mapping import QUIET, chosen_by
from sync.problems.incidents import GROUPS
from sync.scheduling.scheduler import Intervals, Scheduler
from sync.teams.directory import TeamsUser
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.people_rows import people_of
from tests.support.storage.stores import empty_store, integration, person, stored, with_secrets
from tests.support.sync.flows import flow_of

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
RUI = Actor("rui", "Rui")
SALES = Group("0a000000-0000-4000-8000-000000000001", "Sales")
ONLY_SALES = Scope(ScopeMode.ONLY, (Rule(RuleKind.GROUP, SALES.id, SALES.name),))
ONLY_2XX = Scope(ScopeMode.ONLY, (Rule(RuleKind.EXTENSIONS, "200-299"),))
TALKING: dict[str, Any] = {
    "line": "on_call",
    "desired": Presence.IN_A_CALL,
    "desired_at": NOON,
    "heard_at": NOON,
    "applied": Presence.IN_A_CALL,
    "applied_at": NOON,
    "applied_until": NOON + timedelta(hours=4),
}


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients, self.jobs = FakeServiceClients(), FakeJobs()
        context, store = context_of(database, self.clients, self.jobs), CredentialStore(ENCRYPTION)
        self.directory_sync = DirectorySync(context, store)
        self.editor = ScopeEditor(context, store)
        self.mappings = MappingEditor(context)
        self.flow = flow_of(context, store)
        self.scheduler = Scheduler(context, Intervals(), (), public=False)

    def company(self, **extensions: str) -> None:
        """These people are in both directories."""
        self.clients.cloudlink.people = [
            CloudLinkUser(f"cloudlink {name}", name, f"{name}@example.com", extension)
            for name, extension in extensions.items()
        ]
        self.clients.graph.accounts = [
            TeamsUser(f"teams {name}", name, f"{name}@example.com", "", True) for name in extensions
        ]

    async def outside(self) -> dict[str, str]:
        async with self.database.session() as session:
            return {row.name: row.outside for row in await people_of(session, "i1") if not row.gone}

    async def with_mapping(self, mapping_id: str) -> set[str]:
        async with self.database.session() as session:
            people = await people_of(session, "i1")
        return {row.name for row in people if not row.gone and row.mapping == mapping_id}

    async def integration(self) -> Integration:
        async with self.database.session() as session:
            found = await integrations.get(session, "i1")
        assert found
        return found

    async def unread(self) -> dict[str, Any] | None:
        """The facts of the problem that groups cannot be read."""
        async with self.database.session() as session:
            opened = await problems.list_open(session, "i1")
        return next((row.facts for row in opened if row.service == GROUPS), None)

    async def group(self) -> DirectoryGroup:
        async with self.database.session() as session:
            return (await groups.known(session, "i1"))[SALES.id]


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel, scope: Scope | None = None) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        row = integration(scope=scope.as_json() if scope else {})
        await stored(database, with_secrets(row, ENCRYPTION, **secrets), *rows)
        yield Bench(database)


def talking(name: str, extension: str, **values: Any) -> Person:
    return person(name, **{**TALKING, "extension": extension, "applied_user_id": f"teams {name}", **values})


async def test_who_leaves_the_scope_is_cleared_and_who_comes_is_sent(tmp_path: Path) -> None:
    back = talking("back", "201", outside="extensions:1", applied=None, applied_user_id=None)
    async with bench(tmp_path, talking("ana", "200"), talking("bob", "300"), back) as at:
        await at.editor.save("t1", "i1", 1, ONLY_2XX, RUI)
        assert (at.jobs.now(), (await at.integration()).scope_pending) == ([APPLY_SCOPE], True)
        assert (await at.editor.view("t1", "i1")).shown == 2
        await at.editor.apply("i1")
        assert await at.outside() == {"ana": "", "bob": "only", "back": ""}
        assert (await at.integration()).scope_pending is False
        await at.flow.push("i1")
        sent = {change.user_id: type(change) is ClearPresence for change in at.clients.graph.sent}
        assert sent == {"teams bob": True, "teams back": False}


async def test_a_scope_that_was_saved_before_a_crash_is_applied_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path, talking("bob", "300")) as at:
        await at.editor.save("t1", "i1", 1, ONLY_2XX, RUI)
        due = at.scheduler.due(await at.integration(), [], None, NOON)
        assert APPLY_SCOPE in due
        await at.editor.apply("i1")
        assert APPLY_SCOPE not in at.scheduler.due(await at.integration(), [], None, NOON)
        at.jobs.deferred.clear()
        await at.editor.apply("i1")
        assert PUSH not in at.jobs.now()


async def test_of_two_administrators_the_slower_one_stores_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.editor.save("t1", "i1", 1, ONLY_2XX, RUI)
        with pytest.raises(EditedMeanwhile):
            await at.editor.save("t1", "i1", 1, Scope(), RUI)
        assert scope_of((await at.integration()).scope) == ONLY_2XX


async def test_joiners_are_judged_when_they_are_stored_and_a_moved_person_again(tmp_path: Path) -> None:
    async with bench(tmp_path, scope=ONLY_2XX) as at:
        at.company(ana="200", bob="300")
        await at.directory_sync.match("i1")
        assert await at.outside() == {"ana": "", "bob": "only"}
        at.company(ana="301", bob="201")
        await at.directory_sync.match("i1")
        assert await at.outside() == {"ana": "only", "bob": ""}


async def test_a_group_changes_without_a_restart_though_the_directories_do_not(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.company(ana="200", bob="300", eva="400")
        at.clients.graph.groups_of = {SALES: ["teams ana"]}
        await at.directory_sync.match("i1")
        rule = await at.editor.group("t1", "i1", "sales")
        assert (rule.kind, rule.value, rule.name) == (RuleKind.GROUP, SALES.id, "Sales")
        changes = await at.editor.preview("t1", "i1", ONLY_SALES)
        assert (changes.come, changes.go, changes.shown) == (0, 2, 1)
        assert [one.name for one in changes.first_go] == ["bob", "eva"]
        await at.editor.save("t1", "i1", 1, ONLY_SALES, RUI)
        await at.editor.apply("i1")
        assert await at.outside() == {"ana": "", "bob": "only", "eva": "only"}
        at.clients.graph.groups_of = {SALES: ["teams bob"]}
        await at.directory_sync.match("i1")
        assert await at.outside() == {"ana": "only", "bob": "", "eva": "only"}


async def test_a_group_that_cannot_be_read_keeps_its_members_and_is_named(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.company(ana="200", bob="300")
        at.clients.graph.groups_of = {SALES: ["teams ana"]}
        await at.editor.group("t1", "i1", SALES.id)
        await at.editor.save("t1", "i1", 1, ONLY_SALES, RUI)
        await at.directory_sync.match("i1")
        at.clients.graph.group_error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
        await at.directory_sync.match("i1")
        assert (await at.outside(), (await at.group()).fault) == ({"ana": "", "bob": "only"}, "graph.forbidden")
        assert [each.name for each in (await at.editor.view("t1", "i1")).unread] == ["Sales"]
        assert await at.unread() == {"groups": 1, "names": "Sales"}
        at.clients.graph.group_error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        await at.directory_sync.match("i1")
        assert await at.unread() is None
        at.clients.graph.group_error = ServiceUnavailable(Fault.GRAPH_UNREADABLE, status=404)
        await at.directory_sync.match("i1")
        assert ((await at.group()).fault, await at.unread()) == ("deleted", {"groups": 1, "names": "Sales"})
        assert (await at.outside())["ana"] == ""
        at.clients.graph.group_error = None
        at.clients.graph.groups_of = {SALES: []}
        await at.directory_sync.match("i1")
        assert (await at.outside())["ana"] == ""
        await at.directory_sync.match("i1")
        assert ((await at.outside())["ana"], (await at.group()).fault) == ("only", "")
        assert await at.unread() is None


async def test_the_members_of_a_group_that_no_scope_names_are_deleted(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.groups_of = {SALES: ["teams ana"]}
        await at.editor.group("t1", "i1", "Sales")
        async with at.database.writing() as session:
            found = (await groups.known(session, "i1"))[SALES.id]
            found.read_at = NOON - timedelta(hours=2)
        await at.directory_sync.match("i1")
        async with at.database.session() as session:
            assert await groups.known(session, "i1") == {}
            assert await groups.members(session, "i1", SALES.id) == set()


async def test_a_mapping_by_rule_follows_joiners_moved_people_and_groups(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.company(ana="200", bob="300", eva="400")
        at.clients.graph.groups_of = {SALES: ["teams eva"]}
        await at.directory_sync.match("i1")
        view = await at.mappings.add("t1", "i1", 1, "Reception", RUI)
        reception = view.further[0].id
        rules = (Rule(RuleKind.EXTENSIONS, "200-299"), await at.editor.group("t1", "i1", "Sales"))
        wanted = WantedRules(reception, rules, 1)
        changes = (await at.mappings.try_rules("t1", "i1", wanted)).changes
        assert (changes.come, changes.go, changes.shown) == (2, 0, 2)
        assert [one.name for one in changes.first_come] == ["ana", "eva"]
        page, has_more = await at.mappings.trial_page("t1", "i1", wanted, Side.COME, changes.first_come[0].id)
        assert ([one.name for one in page], has_more) == (["eva"], False)
        await at.mappings.save_rules("t1", "i1", 2, wanted, RUI)
        assert APPLY_SCOPE in at.jobs.now()
        assert APPLY_SCOPE in at.scheduler.due(await at.integration(), [], None, NOON)
        await at.editor.apply("i1")
        assert await at.with_mapping(reception) == {"ana", "eva"}
        at.company(ana="301", bob="201", eva="400", new="222")
        at.clients.graph.groups_of = {SALES: ["teams bob"]}
        await at.directory_sync.match("i1")
        assert await at.with_mapping(reception) == {"bob", "new"}
        at.clients.graph.groups_of = {SALES: ["teams ana"]}
        await at.directory_sync.match("i1")
        assert await at.with_mapping(reception) == {"ana", "bob", "new"}
        await at.mappings.remove("t1", "i1", 3, reception, RUI)
        await at.editor.apply("i1")
        assert await at.with_mapping("") == {"ana", "bob", "eva", "new"}


async def test_of_two_who_change_rules_the_slower_one_stores_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, talking("ana", "200")) as at:
        view = await at.mappings.add("t1", "i1", 1, "Reception", RUI)
        silent = {**chosen_by({}), **QUIET}
        await at.mappings.save("t1", "i1", 2, silent, RUI, view.further[0].id)
        wanted = WantedRules(view.further[0].id, (Rule(RuleKind.EXTENSIONS, "200-299"),), 1)
        _, changed = await at.mappings.save_rules("t1", "i1", 3, wanted, RUI)
        assert (changed, await at.with_mapping(wanted.mapping_id)) == (1, {"ana"})
        with pytest.raises(EditedMeanwhile):
            await at.mappings.save_rules("t1", "i1", 3, WantedRules(wanted.mapping_id, (), 1), RUI)
        with pytest.raises(EditedMeanwhile):
            await at.mappings.try_rules("t1", "i1", WantedRules("removed", (), 1))
        assert await at.with_mapping(wanted.mapping_id) == {"ana"}


async def test_another_tenants_scope_does_not_exist(tmp_path: Path) -> None:
    async with bench(tmp_path, talking("ana", "300")) as at:
        for attempt in (
            at.editor.view("t2", "i1"),
            at.editor.group("t2", "i1", "Sales"),
            at.editor.known_group("t2", "i1", SALES.id),
            at.editor.preview("t2", "i1", ONLY_2XX),
            at.editor.page("t2", "i1", ONLY_2XX, Side.GO, ""),
            at.editor.save("t2", "i1", 1, ONLY_2XX, RUI),
            at.mappings.try_rules("t2", "i1", WantedRules("m1", (), 1)),
            at.mappings.trial_page("t2", "i1", WantedRules("m1", (), 1), Side.COME, ""),
            at.mappings.save_rules("t2", "i1", 1, WantedRules("m1", (), 1), RUI),
        ):
            with pytest.raises(UnknownIntegration):
                await attempt
        assert at.jobs.deferred == []
        assert (await at.integration()).scope == {}
