"""The directory is read whole once, then only what changed; nobody is lost by a list that was cut short."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries.health import problems
from storage.queries.people import people
from storage.tables.directory import DirectoryState
from sync.credentials.store import CredentialStore
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import DirectoryPage, UserChange
from sync.people.directory_mirror import KnownUser
from sync.people.directory_sync import DirectorySync
from sync.people.sudden_loss import CONFIRM_AFTER
from tests.support.clocks import FakeClock
from tests.support.services.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.storage.people_rows import people_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
NAMES = ("ana", "bob", "eve", "ida", "leo", "rui", "tom")


def account(name: str) -> KnownUser:
    return KnownUser(f"teams {name}", f"{name}@example.com", "", (f"{name}@alias.example",), True, False)


class Bench:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.clients = FakeServiceClients()
        self.graph, self.directory = self.clients.graph, self.clients.graph.directory
        context = context_of(database, self.clients, FakeJobs(), self.clock)
        self.sync = DirectorySync(context, CredentialStore(ENCRYPTION))
        self.clients.cloudlink.people = [
            CloudLinkUser(f"cloudlink {name}", name, f"{name}@example.com", f"ext {name}") for name in NAMES
        ]
        self.accounts = [account(name) for name in NAMES]

    async def match(self, **later: float) -> list[str]:
        """Run the job; returns the links that it read."""
        self.clock.advance(**later)
        before = len(self.directory.read)
        self.graph.accounts = list(self.accounts)
        await self.sync.match("i1")
        return self.directory.read[before:]

    async def matched(self) -> set[str]:
        """The names of the people matched."""
        status = await self.rows()
        return {name for name, teams_user_id in status.items() if teams_user_id}

    async def rows(self) -> dict[str, str | None]:
        async with self.database.session() as session:
            return {row.name: row.teams_user_id for row in await people_of(session, "i1")}

    async def copied(self) -> list[KnownUser]:
        self.graph.accounts = list(self.accounts)
        return (await self.sync.read(await read_integration(self.database)))[1]  # type: ignore[return-value]

    async def faults(self) -> list[str]:
        async with self.database.session() as session:
            return [problem.fault for problem in await problems.list_open(session, "i1")]

    async def shrunk(self) -> list[dict[str, object]]:
        async with self.database.session() as session:
            return [row.facts for row in await problems.list_open(session, "i1") if row.fault == "lists.shrunk"]

    async def extensions(self) -> list[str | None]:
        async with self.database.session() as session:
            return [row.extension for row in await people_of(session, "i1")]


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets))
        yield Bench(database)


async def test_it_is_read_whole_once_and_then_what_changed(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.match() == [""]
        assert await at.matched() == set(NAMES)
        assert await at.match(minutes=15) == ["link 1"]
        at.accounts[0] = replace(at.accounts[0], principal_name="ana.silva@example.com")
        del at.accounts[1]
        at.accounts.append(account("new"))
        assert await at.match(minutes=15) == ["link 2"]
        assert await at.matched() == set(NAMES) - {"ana", "bob"}
        assert {user.id for user in await at.copied()} == {user.id for user in at.accounts}
        at.accounts[0] = replace(at.accounts[0], mail="ana@example.com")
        await at.match(minutes=15)
        assert await at.matched() == set(NAMES) - {"bob"}


@pytest.mark.parametrize("days", [0, 7])
async def test_a_link_that_graph_forgot_or_that_is_a_week_old_leads_to_a_whole_reading(
    tmp_path: Path, days: int
) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        at.directory.expired.update({"link 1"} if days == 0 else ())
        del at.accounts[0]
        assert await at.match(days=days) == (["link 1", ""] if days == 0 else [""])
        assert await at.matched() == set(NAMES) - {"ana"}
        assert len(await at.copied()) == len(NAMES) - 1


async def test_a_whole_reading_that_is_cut_short_removes_nobody_and_the_next_is_whole_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        at.directory.expired.add("link 1")
        whole = at.graph.changes

        async def cut(link: str) -> DirectoryPage:
            if link == "more":
                raise ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
            page = await whole(link)
            return DirectoryPage(page.changes[:2], "more", is_last=False)

        at.graph.changes = cut  # type: ignore[method-assign]
        await at.match()
        assert await at.faults() == ["directory.unread"]
        assert await at.matched() == set(NAMES)
        at.graph.changes = whole  # type: ignore[method-assign]
        del at.accounts[0]
        assert await at.match(minutes=15) == [""]
        assert await at.matched() == set(NAMES) - {"ana"}


async def test_a_page_that_graph_forgot_during_a_whole_reading_has_it_begin_again_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        whole, read = at.graph.changes, []

        async def forgetting(link: str) -> DirectoryPage:
            read.append(link)
            if link == "more":
                raise ServiceUnavailable(Fault.GRAPH_REFUSED, None, status=410)
            page = await whole(link)
            return page if read.count("") == 2 else DirectoryPage(page.changes[:2], "more", is_last=False)

        at.graph.changes = forgetting  # type: ignore[method-assign]
        await at.match()
        assert (read, await at.faults()) == (["", "more", ""], [])
        assert await at.matched() == set(NAMES)


async def test_a_whole_reading_that_another_one_overtook_takes_nobody_for_removed(tmp_path: Path) -> None:
    """A preview by one administrator begins while another's is read, and is cut short."""
    async with bench(tmp_path) as at:
        whole = at.graph.changes

        async def in_two_pages(link: str) -> DirectoryPage:
            page = await whole("")
            if not link:
                return DirectoryPage(page.changes[:2], "more", is_last=False)
            at.graph.changes = cut  # type: ignore[method-assign]
            with pytest.raises(ServiceUnavailable):
                await at.copied()
            return DirectoryPage(page.changes[2:], page.link, is_last=True)

        async def cut(link: str) -> DirectoryPage:
            raise ServiceUnavailable(Fault.GRAPH_UNREACHABLE, page=link)

        at.graph.changes = in_two_pages  # type: ignore[method-assign]
        await at.match()
        at.graph.changes = whole  # type: ignore[method-assign]
        await at.match(minutes=15)
        assert await at.matched() == set(NAMES)
        assert len(await at.copied()) == len(NAMES)


async def test_a_sudden_loss_is_believed_only_when_a_whole_second_reading_has_it_too(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        everyone = list(at.accounts)
        for is_lasting in (False, True):
            at.accounts = everyone[:2]
            await at.match(minutes=15)
            assert await at.matched() == set(NAMES)
            at.accounts = everyone[:2] if is_lasting else everyone
            assert await at.match(seconds=CONFIRM_AFTER.total_seconds()) == [""]
            assert len(await at.matched()) == (2 if is_lasting else 7)
            assert "lists.shrunk" not in await at.faults()


@pytest.mark.parametrize("lost", ["extension", "address"])
async def test_people_who_suddenly_lack_what_they_are_shown_by_are_a_loss_of_cloudlinks(
    tmp_path: Path, lost: str
) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        before = await at.extensions()
        whole = list(at.clients.cloudlink.people)
        without = [replace(user, **{lost: None if lost == "extension" else ""}) for user in whole]  # type: ignore[arg-type]
        for is_lasting in (False, True):
            at.clients.cloudlink.people = without[:5] + whole[5:]
            await at.match(minutes=15)
            assert (await at.matched(), await at.extensions()) == (set(NAMES), before)
            assert await at.shrunk() == [{"people": 5, "before": 7, "side": "cloudlink", "lost": lost}]
            at.clients.cloudlink.people = without if is_lasting else whole
            await at.match(seconds=CONFIRM_AFTER.total_seconds())
            assert await at.shrunk() == []
        assert (len(await at.matched()), set(await at.extensions())) == (
            (7, {None}) if lost == "extension" else (0, set(before))
        )


async def test_another_loss_than_the_one_before_is_no_second_reading_of_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        whole, everyone = list(at.clients.cloudlink.people), list(at.accounts)
        at.clients.cloudlink.people = []
        await at.match(minutes=15)
        at.clients.cloudlink.people, at.accounts = whole, everyone[:2]
        for seconds in (900, 10):
            await at.match(seconds=seconds)
            assert (await at.matched(), [each["side"] for each in await at.shrunk()]) == (set(NAMES), ["entra"])
        await at.match(seconds=CONFIRM_AFTER.total_seconds())
        assert await at.matched() == {"ana", "bob"}


async def test_one_person_who_loses_the_extension_loses_it_now(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clients.cloudlink.people = at.clients.cloudlink.people[:1]
        await at.match()
        at.clients.cloudlink.people = [replace(at.clients.cloudlink.people[0], extension=None)]
        await at.match(minutes=15)
        assert (await at.extensions(), await at.shrunk()) == ([None], [])


@pytest.mark.parametrize("what", ["tenant", "unmatched by another", "version"])
async def test_people_are_matched_again_when_the_copy_is_not_the_whole_truth(tmp_path: Path, what: str) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        at.clients.cloudlink.people[0] = replace(at.clients.cloudlink.people[0], address="ana@alias.example")
        await at.match()
        assert await at.matched() == set(NAMES) - {"ana"}
        async with at.database.writing() as session:
            row = await read_integration(at.database)
            if what == "version":
                row.feature_version = 2
            elif what == "tenant":
                row.tenant_id = "another"
                at.accounts = [replace(one, id=f"another {one.id}") for one in at.accounts]
            else:
                await people.unmatch_all(session, "i1")
            await session.merge(row)
        read = await at.match(minutes=15)
        assert (read == [""]) == (what == "tenant")
        rows = await at.rows()
        assert (rows["ana"] is not None) == (what == "version")
        assert (rows["bob"] or "").startswith("another") == (what == "tenant")


async def test_of_a_user_repeated_in_part_nothing_is_forgotten(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        pages: list[Sequence[UserChange]] = [
            [
                UserChange("u", {"principal_name": "old@example.com", "mail": "ana@example.com"}),
                UserChange("u", {"enabled": True}),
            ],
            [UserChange("u", {"principal_name": "new@example.com"}), UserChange("x", {}, is_removed=True)],
            [UserChange("u", {}, is_removed=True), UserChange("u", {"mail": "ana@example.com"})],
        ]

        async def changes(link: str) -> DirectoryPage:
            return DirectoryPage(pages.pop(0), "next", is_last=True)

        at.graph.changes = changes  # type: ignore[method-assign]
        await at.copied()
        assert await at.copied() == [KnownUser("u", "new@example.com", "ana@example.com", (), True, False)]
        await at.match()
        assert await at.matched() == {"ana"}


async def test_what_a_crash_interrupted_is_stored_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.match()
        at.accounts = at.accounts[1:]
        await at.copied()  # the copy has it, the people do not yet
        assert await at.match(minutes=15) == ["link 2"]
        assert await at.matched() == set(NAMES) - {"ana"}
        async with at.database.session() as session:
            state = await session.get(DirectoryState, "i1")
        assert state
        assert (state.whole_at, state.round) == (at.clock() - timedelta(minutes=15), 1)
