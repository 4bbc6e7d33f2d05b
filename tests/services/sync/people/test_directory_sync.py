from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event
from sqlmodel import SQLModel

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations
from storage.queries.health import problems
from storage.queries.people import endpoints
from storage.queries.people.directory import Directory
from storage.tables.columns import UNSURE
from storage.tables.people import Call, Endpoint, Person
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import Service, Unmatched
from sync.domain.phone_events import CloudLinkUser
from sync.people.directory_sync import DirectorySync
from sync.people.people_store import store_people
from sync.problems import health
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.people_rows import people_of
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import empty_store, integration, person, read_person, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = "Busy/InACall"
APPLIED: dict[str, Any] = {"desired": CALL, "applied": CALL, "applied_until": NOON + timedelta(hours=1)}


@dataclass(frozen=True)
class User:
    id: str
    principal_name: str
    mail: str = ""
    enabled: bool = True
    proxy_addresses: tuple[str, ...] = ()
    guest: bool = False


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.jobs = FakeJobs()
        self.clock = FakeClock()
        context = context_of(database, self.clients, self.jobs, self.clock)
        self.directory_sync = DirectorySync(context, CredentialStore(ENCRYPTION))

    def set_people(self, *names: str, **extensions: str) -> None:
        """CloudLink returns these people, each with the extension of their row unless another is given."""
        self.clients.cloudlink.people = [
            CloudLinkUser(f"cloudlink {name}", name, f"{name}@example.com", extensions.get(name, f"ext {name}"))
            for name in names
        ]

    def set_users(self, **ids: str) -> None:
        """Teams returns these users: their ids by name."""
        self.clients.graph.accounts = [User(user_id, f"{name}@example.com") for name, user_id in ids.items()]

    async def matched_at(self) -> datetime | None:
        async with self.database.session() as session:
            row = await integrations.get(session, "i1")
        assert row is not None
        return row.matched_at

    async def problems(self) -> list[tuple[str, datetime, dict[str, Any]]]:
        async with self.database.session() as session:
            return [(row.service, row.since, row.facts) for row in await problems.list_open(session, "i1")]

    async def answered(self) -> None:
        """Both services answer something else than their lists of users."""
        async with self.database.writing() as session:
            await health.mark_healthy(session, "i1", list(Service), self.clock())

    async def gap(self) -> datetime | None:
        async with self.database.session() as session:
            row = await integrations.get(session, "i1")
        assert row is not None
        return row.catch_up_since

    async def rows(self) -> dict[str, Person]:
        async with self.database.session() as session:
            return {row.name: row for row in await people_of(session, "i1")}


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), *rows)
        yield Bench(database)


async def test_people_are_stored_and_matched_and_then_polled(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.set_people("ana", "bob")
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert (rows["ana"].teams_user_id, rows["ana"].unmatched) == ("teams ana", None)
        assert (rows["bob"].teams_user_id, rows["bob"].unmatched) == (None, "not_found")
        assert at.jobs.now() == ["push", "poll"]
        assert {row.reach_changed_at for row in rows.values()} == {NOON}
        at.jobs.deferred.clear()
        await at.directory_sync.match("i1")
        assert at.jobs.now() == ["push", "poll_now"]


async def test_what_fails_is_tried_again_ever_later_also_while_presence_can_be_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        for longest in (1.5, 3, 6):
            at.jobs.deferred.clear()
            await at.directory_sync.match("i1")
            ((job, _, again),) = at.jobs.deferred
            assert again is not None
            assert (job, longest / 3 <= (again - at.clock()).total_seconds() <= longest) == ("match", True)
        at.clients.graph.error = None
        await at.directory_sync.match("i1")
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        at.jobs.deferred.clear()
        await at.directory_sync.match("i1")
        assert (at.jobs.deferred[0][2] or at.clock()) <= at.clock() + timedelta(seconds=1.5)


UNREAD = {
    "cloudlink": ServiceUnavailable(Fault.CLOUDLINK_UNREACHABLE, status=500),
    "graph": ServiceUnavailable(Fault.GRAPH_THROTTLED, 200, status=429),
}


@pytest.mark.parametrize("side", UNREAD)
async def test_a_list_that_cannot_be_read_while_its_service_answers_is_a_problem_until_it_is_read(
    tmp_path: Path, side: str
) -> None:
    async with bench(tmp_path) as at:
        await at.directory_sync.match("i1")
        service = getattr(at.clients, side)
        service.users_error = UNREAD[side]
        for _ in range(2):
            at.clock.advance(minutes=5)
            await at.directory_sync.match("i1")
            await at.answered()
        facts = {"side": side, "read_at": NOON.isoformat()}
        assert await at.problems() == [("directory", NOON + timedelta(minutes=5), facts)]
        assert await at.gap() is None
        assert (at.jobs.deferred[-1][2] or at.clock()) >= at.clock() + timedelta(
            seconds=UNREAD[side].retry_after or 0.5
        )
        service.users_error = None
        await at.directory_sync.match("i1")
        assert await at.problems() == []


@pytest.mark.parametrize("side", UNREAD)
async def test_where_the_whole_service_is_away_only_that_is_a_problem(tmp_path: Path, side: str) -> None:
    async with bench(tmp_path) as at:
        getattr(at.clients, side).error = UNREAD[side]
        await at.directory_sync.match("i1")
        assert [name for name, *_ in await at.problems()] == [side]


async def test_a_list_whose_credentials_are_refused_is_the_services_refusal(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.graph.users_error = CredentialsWrong(Fault.GRAPH_FORBIDDEN)
        await at.directory_sync.match("i1")
        assert [name for name, *_ in await at.problems()] == ["graph"]


async def test_a_list_that_shrank_was_read(tmp_path: Path) -> None:
    async with bench(tmp_path, person("ana")) as at:
        at.clients.cloudlink.users_error = UNREAD["cloudlink"]
        await at.directory_sync.match("i1")
        at.clients.cloudlink.users_error = None
        await at.directory_sync.match("i1")
        assert [name for name, *_ in await at.problems()] == ["lists"]


async def test_since_when_a_person_can_be_shown_or_cannot(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.set_people("ana", "bob")
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        at.clock.advance(hours=1)
        at.set_users(ana="other ana", bob="teams bob")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert (rows["ana"].reach_changed_at, rows["bob"].reach_changed_at) == (NOON, at.clock())
        at.clock.advance(hours=1)
        at.set_users(bob="teams bob")
        await at.directory_sync.match("i1")
        assert (await at.rows())["ana"].reach_changed_at == at.clock()


async def test_two_people_can_exchange_their_extensions(tmp_path: Path) -> None:
    async with bench(tmp_path, person("ana"), person("bob")) as at:
        at.set_people("ana", "bob", ana="ext bob", bob="ext ana")
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert (rows["ana"].extension, rows["bob"].extension) == ("ext bob", "ext ana")


async def test_two_people_with_one_extension_both_keep_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.set_people("ana", "bob", ana="2001", bob="2001")
        at.clients.cloudlink.people[1] = replace(at.clients.cloudlink.people[1], site_id="Porto")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert [(row.extension, row.site_id) for row in rows.values()] == [("2001", ""), ("2001", "Porto")]


def on_the_phone(extension: str, state: str = "connected") -> list[SQLModel]:
    """Rows of a call of Ana's at an extension where she was seen."""
    seen = Endpoint(person_id="ana", extension=extension, integration_id="i1", heard_at=NOON)
    return [seen, Call(person_id="ana", extension=extension, call_id="c", state=state, at=1, heard_at=NOON)]


async def seen_at(database: Database) -> dict[str, datetime | None]:
    """The endpoints where Ana was seen, and when each is to be read out of turn."""
    async with database.session() as session:
        rows = await endpoints.endpoints_by_person(session, ["ana"])
    return {row.extension: row.poll_at for row in rows["ana"]}


async def test_someone_whose_extension_is_taken_away_has_no_calls_from_then_on(tmp_path: Path) -> None:
    shown = {"applied_user_id": "teams ana", "status_message": "On the phone", "status_user_id": "teams ana"}
    ana = person("ana", **APPLIED, **shown, line="on_call")
    async with bench(tmp_path, ana, *on_the_phone("ext ana")) as at:
        at.set_people("ana")
        at.clients.cloudlink.people[0] = replace(at.clients.cloudlink.people[0], extension=None)
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        row = await read_person(at.database, "ana")
        assert (row.desired, row.applied, row.due_at, row.line) == (None, CALL, NOON, "unknown")
        assert row.status_due_at == NOON
        assert await seen_at(at.database) == {}


async def test_a_call_that_nothing_was_wished_for_is_forgotten_with_the_extension(tmp_path: Path) -> None:
    """Else a mapping that is edited later would show it."""
    async with bench(tmp_path, person("ana", line="on_call"), *on_the_phone("ext ana")) as at:
        at.set_people("ana")
        at.clients.cloudlink.people[0] = replace(at.clients.cloudlink.people[0], extension=None)
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        assert (await read_person(at.database, "ana")).line == "unknown"


async def test_without_an_extension_a_softphone_that_was_seen_is_asked(tmp_path: Path) -> None:
    ana = person("ana", **APPLIED, applied_user_id="teams ana", line="on_call")
    async with bench(tmp_path, ana, *on_the_phone("ext ana", "ended"), *on_the_phone("softphone")) as at:
        at.set_people("ana")
        at.clients.cloudlink.people[0] = replace(at.clients.cloudlink.people[0], extension=None)
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        assert (await read_person(at.database, "ana")).desired == CALL
        assert await seen_at(at.database) == {"softphone": NOON}
        assert "poll_now" in at.jobs.now()


async def test_someone_with_another_extension_is_asked_at_both(tmp_path: Path) -> None:
    ana = person("ana", **APPLIED, applied_user_id="teams ana", line="on_call")
    async with bench(tmp_path, ana, *on_the_phone("ext ana")) as at:
        at.set_people("ana", ana="2009")
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        assert (await read_person(at.database, "ana")).desired == CALL
        assert await seen_at(at.database) == {"ext ana": NOON, "2009": NOON}


async def test_a_match_without_a_phone_of_its_own_has_its_reason(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.cloudlink.people = [
            CloudLinkUser(name, name, f"{name}@example.com", extension, site)
            for name, extension, site in (
                ("ana", "2001", ""),
                ("bob", "2001", "Porto"),
                ("eve", None, ""),
                ("tom", "2002", ""),
                ("ida", "2003", "Porto"),
                ("leo", "2003", "Lisbon"),
            )
        ]
        at.set_users(**{name: f"teams {name}" for name in ("ana", "bob", "eve", "tom", "ida", "leo")})
        await at.directory_sync.match("i1")
        reasons = {name: row.unmatched for name, row in (await at.rows()).items()}
        shared = dict.fromkeys(("ana", "bob"), "shared_extension")
        assert reasons == {**shared, "eve": "no_extension", "tom": None, "ida": None, "leo": None}


async def test_who_stops_matching_during_a_call_is_due_to_be_cleared_now(tmp_path: Path) -> None:
    async with bench(
        tmp_path, person("ana", **APPLIED, applied_user_id="teams ana", teams_user_id="teams ana")
    ) as at:
        at.set_people("ana", "bob")
        at.set_users(bob="teams bob")
        await at.directory_sync.match("i1")
        row = await read_person(at.database, "ana")
        assert (row.teams_user_id, row.applied_user_id, row.due_at) == (None, "teams ana", NOON)


async def test_who_is_matched_during_a_call_is_due_also_when_only_a_message_is_shown(tmp_path: Path) -> None:
    strangers = [
        person(name, teams_user_id=None, line=line) for name, line in (("ana", "on_call"), ("bob", "idle"))
    ]
    async with bench(tmp_path, *strangers) as at:
        at.set_people("ana", "bob")
        at.set_users(ana="teams ana", bob="teams bob")
        await at.directory_sync.match("i1")
        assert {name: row.due_at for name, row in (await at.rows()).items()} == {"ana": NOON, "bob": None}


async def test_what_was_chosen_for_someone_who_is_gone_applies_when_they_are_back(tmp_path: Path) -> None:
    """Of whom nothing but that is kept; and what is kept makes no match slower."""
    own = person("own", opted_out=True)
    async with bench(tmp_path, person("ana", excluded=True), person("bob", chosen_user_id="teams eve"), own) as at:
        at.set_users(ana="teams ana", eve="teams eve", tom="teams tom")
        at.set_people("tom")
        await at.directory_sync.match("i1")
        gone = (await at.rows())[""]
        assert (gone.gone, gone.address, gone.extension, gone.search) == (True, "", None, "")
        at.set_people("tom", "ana", "bob", "own")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert rows["own"].opted_out
        assert (rows["ana"].excluded, rows["ana"].gone, rows["ana"].teams_user_id) == (True, False, "teams ana")
        assert (rows["bob"].chosen_user_id, rows["bob"].teams_user_id) == ("teams eve", "teams eve")


async def test_who_is_chosen_by_hand_meanwhile_is_matched_to_nobody_else(tmp_path: Path) -> None:
    chosen = person("ana", chosen_user_id="teams x", teams_user_id="teams x")
    gone = person("tom", chosen_user_id="teams eve", teams_user_id=None, gone=True)
    async with bench(tmp_path, chosen, gone, *(person(name, teams_user_id=None) for name in ("bob", "eve"))) as at:
        read: dict[str, Directory | None] = {
            f"cloudlink {name}": (name, f"{name}@example.com", f"ext {name}", "", user, None, False)
            for name, user in {"ana": "teams ana", "bob": "teams x", "eve": "teams eve"}.items()
        }
        async with at.database.writing() as session:
            await store_people(session, "i1", read, {}, read, NOON)
        rows = await at.rows()
        assert (rows["ana"].teams_user_id, rows["ana"].unmatched) == ("teams x", None)
        assert (rows["bob"].teams_user_id, rows["bob"].unmatched) == (None, Unmatched.TAKEN)
        assert (rows["eve"].teams_user_id, rows["eve"].unmatched) == ("teams eve", None)


async def test_a_person_who_is_gone_is_deleted_once_teams_shows_nothing(tmp_path: Path) -> None:
    shown = person("ana", **APPLIED, applied_user_id="teams ana")
    async with bench(tmp_path, shown, person("bob"), person("tom")) as at:
        at.set_people("tom")
        at.set_users(tom="teams tom")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert set(rows) == {"ana", "tom"}
        assert (rows["ana"].gone, rows["ana"].desired, rows["ana"].due_at) == (True, None, NOON)
        async with at.database.writing() as session:
            row = await session.get(Person, "ana")
            assert row
            row.applied = None
        await at.directory_sync.match("i1")
        assert set(await at.rows()) == {"tom"}


async def test_what_teams_shows_is_transferred_to_the_person_matched_now(tmp_path: Path) -> None:
    former = person("ana", **APPLIED, applied_user_id="teams x", teams_user_id="teams x")
    async with bench(tmp_path, former, person("bob", teams_user_id=None)) as at:
        at.set_people("ana", "bob")
        at.set_users(bob="teams x")
        await at.directory_sync.match("i1")
        ana, bob = await read_person(at.database, "ana"), await read_person(at.database, "bob")
        assert (ana.applied, ana.teams_user_id) == (None, None)
        assert (bob.applied, bob.applied_user_id, bob.due_at) == (UNSURE, "teams x", NOON)


async def test_a_match_with_another_user_deletes_the_refusal(tmp_path: Path) -> None:
    async with bench(tmp_path, person("ana", desired=CALL, refusal="404 gone")) as at:
        at.set_people("ana")
        at.set_users(ana="teams ana")
        await at.directory_sync.match("i1")
        row = await read_person(at.database, "ana")
        assert (row.refusal, row.due_at) == ("404 gone", NOON)
        at.set_users(ana="another ana")
        await at.directory_sync.match("i1")
        assert (await read_person(at.database, "ana")).refusal == ""


@pytest.mark.parametrize("fault", [Fault.CLOUDLINK_LIST_TOO_LONG, Fault.GRAPH_LIST_TOO_LONG])
async def test_a_list_that_was_cut_short_unmatches_nobody(tmp_path: Path, fault: Fault) -> None:
    async with bench(tmp_path, person("ana", **APPLIED)) as at:
        service = at.clients.graph if fault is Fault.GRAPH_LIST_TOO_LONG else at.clients.cloudlink
        service.error = ServiceUnavailable(fault, pages=2001)
        await at.directory_sync.match("i1")
        row = await read_person(at.database, "ana")
        assert (row.teams_user_id, row.gone, row.desired, row.applied) == (
            "teams ana",
            False,
            CALL,
            APPLIED["applied"],
        )
        async with at.database.session() as session:
            assert [problem.fault for problem in await problems.list_open(session, "i1")] == [fault.value]


async def test_a_directory_that_cannot_be_read_changes_no_person_and_opens_a_problem(tmp_path: Path) -> None:
    async with bench(tmp_path, person("ana")) as at:
        at.clients.graph.error = CredentialsWrong(Fault.GRAPH_FORBIDDEN, status=403)
        await at.directory_sync.match("i1")
        assert (await read_person(at.database, "ana")).teams_user_id == "teams ana"
        async with at.database.session() as session:
            assert [row.fault for row in await problems.list_open(session, "i1")] == ["graph.forbidden"]


async def test_a_match_that_dies_before_its_people_are_stored_is_still_due(tmp_path: Path) -> None:
    def power_cut(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO person"):
            raise KeyboardInterrupt

    async with bench(tmp_path) as at:
        at.set_people("ana")
        event.listen(at.database.engine.sync_engine, "before_cursor_execute", power_cut)
        with pytest.raises(KeyboardInterrupt):
            await at.directory_sync.match("i1")
        event.remove(at.database.engine.sync_engine, "before_cursor_execute", power_cut)
        assert await at.matched_at() is None


async def test_people_are_matched_as_of_when_the_directories_were_asked(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.cloudlink.before_reply = lambda: at.clock.advance(minutes=12)
        for _ in ("new", "unchanged"):
            asked_at = at.clock()
            await at.directory_sync.match("i1")
            assert await at.matched_at() == asked_at < at.clock()


async def test_only_what_differs_is_written_and_what_teams_shows_moves_in_one_transaction(tmp_path: Path) -> None:
    names = [f"p{number:03}" for number in range(450)]
    former = person("p000", **APPLIED, applied_user_id="teams x", teams_user_id="teams x")
    async with bench(tmp_path, former, person("p449", teams_user_id=None)) as at:
        at.set_people(*names)
        at.set_users(**{name: f"teams {name}" for name in names[1:-1]}, p449="teams x")
        await at.directory_sync.match("i1")
        rows = await at.rows()
        assert (len(rows), rows["p449"].applied, rows["p000"].applied) == (450, UNSURE, None)
        with recorded_statements(at.database) as statements:
            await at.directory_sync.match("i1")
        written = [each for each in statements if each.startswith(("INSERT", "UPDATE person SET name"))]
        assert written == []
        at.set_people(*names, p100="another extension")
        with recorded_statements(at.database) as statements:
            await at.directory_sync.match("i1")
        assert len([each for each in statements if each.startswith("UPDATE person SET extension")]) == 1
