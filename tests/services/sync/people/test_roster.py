"""People listed, found, shown and explained; Graph is asked for one person, within the quota."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlmodel import SQLModel

from bot.cards.people.words import state
from core.text import searchable
from storage.database import Database
from storage.encryption import Encryption
from storage.queries.people import people
from storage.queries.people.directory_people import PeopleQuery
from storage.tables.effects import ReadBack
from storage.tables.people import Call, Endpoint, Person
from sync.audit import Act, AuditLog, Subject
from sync.credentials.store import CredentialStore
from sync.domain.changes import Done, Failed, Outcome, Refused, Request, SetPresence, Throttled
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable
from sync.domain.model import BOT, Service, UnknownIntegration
from sync.domain.people import Device, Reason, UnknownPerson
from sync.domain.presence import Presence, Shown
from sync.people.roster import PAGE, Roster
from sync.presence.reader import PresenceReader
from sync.problems import health
from sync.teams.quota import Quota, QuotaLedger
from tests.support.bot.texts import EN
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_integration, stored, with_secrets
from tests.support.sync.flows import flow_of

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
CALL = Presence.IN_A_CALL
TALKING: dict[str, Any] = {"line": "on_call", "desired": CALL, "desired_at": NOON, "heard_at": NOON}


class Bench:
    def __init__(self, database: Database) -> None:
        self.database, self.clients, self.clock = database, FakeServiceClients(), FakeClock()
        context = context_of(database, self.clients, clock=self.clock)
        store, quota = CredentialStore(ENCRYPTION), QuotaLedger(Quota(1500), context.metrics)
        self.roster = Roster(context, PresenceReader(context, store, quota), quota)
        self.flow = flow_of(context, store)

    async def push(self, outcome: Outcome) -> None:
        def answer(_: Request) -> Outcome:
            return outcome

        self.clients.graph.answer = answer
        await self.flow.push("i1")


@asynccontextmanager
async def bench(folder: Path, *rows: SQLModel) -> AsyncIterator[Bench]:
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        other = integration(id="i2", owner_tenant="t2", tenant_id="entra 2")
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), other, *rows)
        yield Bench(database)


def named(key: str, name: str, **values: Any) -> Person:
    row = person(key, **values).sqlmodel_update({"name": name})
    return row.sqlmodel_update({"search": searchable(name, row.address, row.extension)})


PEOPLE = (
    ("sofia", "Sofia Conceição", "2001"),
    ("sofia2", "Sofia Almeida", "2002"),
    ("rui", "Rui Costa", "2003"),
    ("short", "Li Wu", "7"),
)


def sample() -> list[Person]:
    return [named(key, name, extension=extension) for key, name, extension in PEOPLE]


@pytest.mark.parametrize(
    ("typed", "people", "nearest"),
    [
        ("rui", ["rui"], []),
        ("Sofia", ["sofia2", "sofia"], []),
        ("conceicao SOFIA", ["sofia"], []),
        ("2001", ["sofia"], []),
        ("7", ["short"], []),
        ("rui@example.com", ["rui"], []),
        ("Rui Kosta", [], ["rui"]),
        ("sofja", [], ["sofia2", "sofia"]),
        ("Sofia Xptowz", [], ["sofia2", "sofia"]),
        ("Riu", [], ["rui"]),
        ("2102", [], ["sofia2"]),
        ("zzzz", [], []),
    ],
)
async def test_words_find_a_person_or_who_comes_nearest(
    tmp_path: Path, typed: str, people: list[str], nearest: list[str]
) -> None:
    async with bench(tmp_path, *sample()) as at:
        found = await at.roster.find("t1", typed)
        assert [line.id for line in found.people] == people
        assert [line.id for line in found.nearest][: len(nearest)] == nearest
        assert bool(found.nearest) == bool(nearest)


@pytest.mark.parametrize(
    ("typed", "people"),
    [
        ("sofia", ["sofia2", "sofia"]),
        ("CONCEIÇÃO sofia", ["sofia"]),
        ("sof conc", ["sofia"]),
        ("2001", ["sofia"]),
        ("rui@", ["rui"]),
        *((typed, []) for typed in ("osta", "example.com", "sofja", "sofia xptowz", "", "x", "%")),
    ],
)
async def test_a_guess_finds_by_beginnings_and_nobody_near(tmp_path: Path, typed: str, people: list[str]) -> None:
    async with bench(tmp_path, *sample()) as at:
        found = await at.roster.find("t1", typed, is_guess=True)
        assert ([line.id for line in found.people], found.nearest) == (people, ())


async def test_a_name_means_who_is_called_so_rather_than_whose_name_contains_it(tmp_path: Path) -> None:
    async with bench(tmp_path, named("ana", "Ana Costa"), named("mariana", "Mariana Silva")) as at:
        assert [line.id for line in (await at.roster.find("t1", "ana")).people] == ["ana"]
        assert [line.id for line in (await at.roster.find("t1", "riana")).people] == ["mariana"]


@pytest.mark.parametrize("typed", ["", "  ", "x", "\u200b", "%"])
async def test_too_few_letters_are_asked_to_be_more(tmp_path: Path, typed: str) -> None:
    async with bench(tmp_path, *sample()) as at:
        assert (await at.roster.find("t1", typed)).is_short


async def test_another_tenants_people_are_not_found_listed_or_shown(tmp_path: Path) -> None:
    async with bench(tmp_path, *sample(), person("theirs", integration_id="i2")) as at:
        assert (await at.roster.find("t2", "rui")).people == ()
        assert [line.id for line in (await at.roster.find("t2", "theirs")).people] == ["theirs"]
        for call in (at.roster.card, at.roster.explain):
            with pytest.raises(UnknownIntegration):
                await call("t2", "i1", "rui")
            with pytest.raises(UnknownPerson):
                await call("t1", "i1", "theirs")
        with pytest.raises(UnknownIntegration):
            await at.roster.page("t2", "i1", PeopleQuery())


async def test_a_page_has_ten_people(tmp_path: Path) -> None:
    async with bench(tmp_path, *(person(f"p{number:02}") for number in range(PAGE + 1))) as at:
        page = await at.roster.page("t1", "i1", PeopleQuery())
        assert (len(page.people), page.has_before, page.has_after) == (10, False, True)


async def test_a_list_has_what_teams_was_read_to_show_of_what_is_applied(tmp_path: Path) -> None:
    shown = {**TALKING, "applied": CALL}
    later = {**shown, "desired_at": NOON + timedelta(minutes=1)}
    everyone = (person("a", **shown), person("b", **later), person("c", **TALKING), person("d", **shown))
    read = [ReadBack(person_id=key, availability="DoNotDisturb", activity="DoNotDisturb", at=NOON) for key in "abc"]
    async with bench(tmp_path, *everyone) as at:
        await stored(at.database, *read)
        found = (await at.roster.page("t1", "i1", PeopleQuery())).people
        assert [line.read for line in found] == [Shown("DoNotDisturb", "DoNotDisturb"), None, None, None]
        assert [state(EN, line) for line in found[:2]] == [
            "Phone: on a call · Teams: Do not disturb",
            "Phone: on a call · Teams: In a call",
        ]
        assert (await at.roster.find("t1", "a@example.com")).people == found[:1]


async def test_a_card_has_the_devices_with_their_calls_and_what_teams_shows(tmp_path: Path) -> None:
    desk = Endpoint(person_id="p1", extension="ext p1", integration_id="i1", heard_at=NOON)
    soft = Endpoint(person_id="p1", extension="99", integration_id="i1", heard_at=NOON, offline=True)
    call = Call(person_id="p1", extension="ext p1", call_id="c", state="connected", at=1, heard_at=NOON)
    over = Call(person_id="p1", extension="99", call_id="d", state="ended", at=1, heard_at=NOON)
    async with bench(tmp_path, person(**TALKING), desk, soft, call, over) as at:
        at.clients.graph.shown = {"teams p1": Shown("Busy", "InACall")}
        card = await at.roster.card("t1", "i1", "p1")
        assert card.devices == (
            Device("ext p1", own=True, calls=("connected",), heard_at=NOON),
            Device("99", own=False, offline=True, heard_at=NOON),
        )
        assert card.read == ("Busy", "InACall")
        assert (await read_integration(at.database)).quota_spent[0][1] == 1


async def test_the_last_five_changes_are_kept_with_their_answers(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON, desired_because="cause")) as at:
        await at.push(Refused(403, "Forbidden", "request"))
        (first,) = (await at.roster.card("t1", "i1", "p1")).sent
        assert (first.presence, first.result, first.detail) == (CALL, "refused", "403 Forbidden")
        assert (first.cause, first.request_id, first.at) == ("cause", "request", NOON)
        at.clock.advance(minutes=1)
        await at.push(Done())
        sent = (await at.roster.card("t1", "i1", "p1")).sent
        assert [each.result for each in sent] == ["done", "refused"]


async def test_a_renewal_is_no_change_and_a_repeated_failure_is_one(tmp_path: Path) -> None:
    shown: dict[str, Any] = {
        **TALKING,
        "applied": CALL,
        "applied_user_id": "teams p1",
        "applied_at": NOON - timedelta(hours=3),
        "applied_until": NOON + timedelta(hours=1),
    }
    async with bench(tmp_path, person(**shown, due_at=NOON), person("p2", **TALKING, due_at=NOON)) as at:
        for seconds in (5, 10, 20):
            await at.push(Throttled(1.0) if seconds < 20 else Done())
            at.clock.advance(seconds=seconds)
        renewed = (await at.roster.card("t1", "i1", "p1")).sent
        assert [each.result for each in renewed] == ["throttled"]
        assert [each.result for each in (await at.roster.card("t1", "i1", "p2")).sent][:1] in (
            ["done"],
            ["throttled"],
        )


async def test_why_is_answered_from_what_graph_says_now(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        await at.push(Done())
        at.clients.graph.shown = {"teams p1": Shown("Busy", "InACall")}
        assert (await at.roster.explain("t1", "i1", "p1")).reason is Reason.SHOWN
        at.clients.graph.shown = {"teams p1": Shown("DoNotDisturb", "DoNotDisturb")}
        found = await at.roster.explain("t1", "i1", "p1")
        assert (found.reason, found.facts) == (Reason.CHOSEN, {"shown": "DoNotDisturb"})
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        assert (await at.roster.explain("t1", "i1", "p1")).reason is Reason.UNREAD


@pytest.mark.parametrize("values", [{}, TALKING])
async def test_refused_credentials_are_the_reason_that_teams_cannot_be_read(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    async with bench(tmp_path, person(**{"line": "idle", "heard_at": NOON, **values}, due_at=NOON)) as at:
        await at.push(Done())
        for seconds in (0, 10):
            async with at.database.writing() as session:
                now = NOON + timedelta(seconds=seconds)
                await health.mark_unhealthy(session, "i1", CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), now)
        at.clients.graph.error = CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED)
        found = await at.roster.explain("t1", "i1", "p1")
        assert (found.reason, found.faulty) == (Reason.CREDENTIALS, Service.ENTRA)


@pytest.mark.parametrize(("owner", "reason"), [("t1", Reason.SHARED), ("t2", Reason.NOT_OURS)])
async def test_why_names_another_integration_of_the_customer_and_nobody_elses(
    tmp_path: Path, owner: str, reason: Reason
) -> None:
    theirs = person("theirs", integration_id="i3", teams_user_id="teams rui", **TALKING)
    rui = person("rui", line="idle", heard_at=NOON, applied=CALL, applied_user_id="teams rui")
    rui.applied_at, rui.applied_until = NOON, NOON + timedelta(hours=4)
    async with bench(tmp_path, integration(id="i3", name="Porto", owner_tenant=owner), rui, theirs) as at:
        at.clients.graph.shown["teams rui"] = Shown("Busy", "InACall")
        assert (await named_integration(at, reason)) == ("Porto" if owner == "t1" else None)


async def named_integration(at: Bench, reason: Reason) -> str | None:
    """The integration that Rui's explanation, which gives this reason, names."""
    found = await at.roster.explain("t1", "i1", "rui")
    assert found.reason is reason
    return found.facts.get("integration")


async def test_what_another_integration_has_not_cleared_yet_is_no_stronger_session(tmp_path: Path) -> None:
    given: dict[str, Any] = {"applied_user_id": "teams rui", "applied_until": NOON + timedelta(hours=4)}
    rui = person("rui", **{**TALKING, **given}, applied=CALL, applied_at=NOON, teams_user_id="teams rui")
    theirs = person("theirs", integration_id="i3", **given, applied=Presence.PRESENTING, line="idle")
    async with bench(tmp_path, integration(id="i3", owner_tenant="t1"), rui, theirs) as at:
        at.clients.graph.shown["teams rui"] = Shown("DoNotDisturb", "Presenting")
        assert (await at.roster.explain("t1", "i1", "rui")).reason is Reason.PENDING
        async with at.database.writing() as session:
            cleared = await session.get(type(theirs), "theirs")
            assert cleared is not None
            cleared.applied = None
        assert (await at.roster.explain("t1", "i1", "rui")).reason is Reason.STRONGER


@pytest.mark.parametrize(("owner", "reason"), [("t1", Reason.SHARED), ("t2", Reason.NOT_OURS)])
async def test_what_another_integration_may_not_clear_is_named_as_its(
    tmp_path: Path, owner: str, reason: Reason
) -> None:
    given: dict[str, Any] = {"applied_user_id": "teams rui", "teams_user_id": "teams rui", "applied_at": NOON}
    ends = {"applied_until": NOON + timedelta(hours=4)}
    rui = person("rui", line="idle", heard_at=NOON, teams_user_id="teams rui")
    theirs = person("theirs", integration_id="i3", **given, **ends, applied=CALL, line="idle")
    async with bench(tmp_path, integration(id="i3", name="Porto", owner_tenant=owner), rui, theirs) as at:
        for at_second in (0, 10):
            async with at.database.writing() as session:
                now = NOON + timedelta(seconds=at_second)
                await health.mark_unhealthy(session, "i3", CredentialsWrong(Fault.ENTRA_SECRET_EXPIRED), now)
        at.clients.graph.shown["teams rui"] = Shown("Busy", "InACall")
        assert (await named_integration(at, reason)) == ("Porto" if owner == "t1" else None)


async def test_a_session_that_has_ended_is_not_being_cleared(tmp_path: Path) -> None:
    over = {"applied_user_id": "teams rui", "applied_until": NOON - timedelta(seconds=1)}
    theirs = person("theirs", integration_id="i3", **over, applied=CALL, line="idle")
    rui = person("rui", line="idle", heard_at=NOON)
    async with bench(tmp_path, integration(id="i3", owner_tenant="t1"), rui, theirs) as at:
        at.clients.graph.shown["teams rui"] = Shown("Busy", "InACall")
        assert (await at.roster.explain("t1", "i1", "rui")).reason is Reason.NOT_OURS


@pytest.mark.parametrize(("minutes", "reason"), [(1, Reason.CLEARED), (-1, Reason.NOT_HEARD)])
async def test_what_an_administrator_cleared_is_named_as_that(tmp_path: Path, minutes: int, reason: Reason) -> None:
    async with bench(tmp_path, person(line="unknown", desired_at=NOON)) as at:
        at.clients.graph.shown["teams p1"] = Shown("Available", "Available")
        async with at.database.writing() as session:
            now = NOON + timedelta(minutes=minutes)
            audit = AuditLog(at.database, lambda: now)
            await audit.record(session, Act.PERSON_CLEAR, BOT, Subject("t1", "i1"))
        assert (await at.roster.explain("t1", "i1", "p1")).reason is reason


async def test_who_was_matched_in_a_former_tenant_is_not_matched_yet(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING)) as at:
        async with at.database.writing() as session:
            await people.unmatch_all(session, "i1")
        assert (await at.roster.explain("t1", "i1", "p1")).reason is Reason.NOT_READ


async def test_a_service_that_fails_just_now_is_the_reason_that_nothing_is_sent(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        at.clients.graph.error = ServiceUnavailable(Fault.GRAPH_UNREACHABLE)
        found = await at.roster.explain("t1", "i1", "p1")
        assert (found.reason, found.faulty) == (Reason.SERVICE_DOWN, Service.GRAPH)


async def test_when_the_quota_is_used_up_teams_is_not_read(tmp_path: Path) -> None:
    until = NOON + timedelta(seconds=30)
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        async with at.database.writing() as session:
            row = await session.get(type(await read_integration(at.database)), "i1")
            assert row is not None
            row.quota_blocked_until, row.quota_changed_at = until, NOON
        assert (await at.roster.explain("t1", "i1", "p1")).reason is Reason.QUOTA
        async with at.database.writing() as session:
            row = await session.get(type(row), "i1")
            assert row is not None
            row.quota_changed_at = None  # a backoff: nothing was throttled
        assert (await at.roster.explain("t1", "i1", "p1")).reason is Reason.PENDING


async def test_a_failed_request_is_kept_by_the_key_of_its_fault(tmp_path: Path) -> None:
    async with bench(tmp_path, person(**TALKING, due_at=NOON)) as at:
        await at.push(Failed(ServiceUnavailable(Fault.GRAPH_UNREACHABLE), "request"))
        (sent,) = (await at.roster.card("t1", "i1", "p1")).sent
        assert (sent.result, sent.detail, sent.request_id) == ("failed", "graph.unreachable", "request")
        assert at.clients.graph.sent == [SetPresence("teams p1", CALL, 4 * 3600)]


async def test_a_user_is_who_they_are_in_their_own_tenants_integrations(tmp_path: Path) -> None:
    mine = integration(id="i3", owner_tenant="entra", tenant_id="entra")
    async with bench(tmp_path, mine, person("me", integration_id="i3", teams_user_id="u1")) as at:
        assert [line.id for line in await at.roster.of_user("entra", "u1")] == ["me"]
        assert await at.roster.of_user("t1", "u1") == []
