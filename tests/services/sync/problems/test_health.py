from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Database
from storage.queries import integrations
from storage.queries.health import problems
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Service, ServiceHealth
from sync.problems import health
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store, integration, read_integration, stored

pytestmark = pytest.mark.usefixtures("each_database")

LATER = NOON + timedelta(minutes=5)
DOWN = ServiceUnavailable(Fault.GRAPH_UNREACHABLE, status=503)


async def fail(database: Database, error: SyncError = DOWN, now=NOON) -> None:  # type: ignore[no-untyped-def]
    async with database.writing() as session:
        await health.mark_unhealthy(session, "i1", error, now)


async def service_health(database: Database) -> dict[Service, ServiceHealth]:
    async with database.session() as session:
        return {one.service: one for one in health.service_health(await problems.list_open(session, "i1"))}


async def test_a_problem_is_logged_once_and_its_end_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        for minutes in range(3):
            await fail(database, now=NOON + timedelta(minutes=minutes))
        graph = (await service_health(database))[Service.GRAPH]
        assert graph.since == NOON
        assert isinstance(graph.error, ServiceUnavailable)
        assert (graph.error.fault, graph.error.context) == (Fault.GRAPH_UNREACHABLE, {"status": 503})
        for _ in range(2):
            async with database.writing() as session:
                await health.mark_healthy(session, "i1", health.TEAMS, LATER)
        assert (await service_health(database))[Service.GRAPH].error is None
        logged = capsys.readouterr().out
        assert (logged.count("service_unhealthy"), logged.count("service_healthy")) == (1, 1)


async def test_another_fault_of_the_same_service_replaces_the_first(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        await fail(database, CredentialsWrong(Fault.GRAPH_FORBIDDEN))
        await fail(database, CredentialsWrong(Fault.ENTRA_SECRET_WRONG))
        assert await blocking(database) is False
        await fail(database, CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="User.Read.All"), LATER)
        found = await service_health(database)
        graph, entra = found[Service.GRAPH].error, found[Service.ENTRA].error
        assert isinstance(graph, CredentialsWrong)
        assert (graph.fault, graph.context) == (Fault.GRAPH_CONSENT_MISSING, {"permissions": "User.Read.All"})
        assert entra
        assert entra.fault is Fault.ENTRA_SECRET_WRONG
        assert await blocking(database) is True


async def blocking(database: Database) -> bool:
    async with database.session() as session:
        opened = await problems.list_open(session, "i1")
    assert health.blocking_problem(opened, [Service.CLOUDLINK]) is None
    return health.blocking_problem(opened, health.TEAMS) is not None


async def test_a_refusal_is_lasting_from_its_second_proof_and_a_success_between_them_counts(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        refused = CredentialsWrong(Fault.GRAPH_FORBIDDEN)
        await fail(database, refused)
        await fail(database, refused, NOON + timedelta(seconds=2))
        assert await blocking(database) is False
        async with database.writing() as session:
            await health.mark_healthy(session, "i1", health.TEAMS, NOON + timedelta(seconds=2))
        await fail(database, refused, NOON + timedelta(seconds=4))
        assert await blocking(database) is False
        await fail(database, DOWN, NOON + timedelta(seconds=8))
        await fail(database, refused, NOON + timedelta(seconds=9))
        assert await blocking(database) is False
        await fail(database, refused, NOON + timedelta(seconds=12))
        assert await blocking(database) is True


@pytest.mark.parametrize("fault", [Fault.SECRET_UNREADABLE, Fault.ENTRA_CERTIFICATE_UNREADABLE])
async def test_what_is_found_here_needs_no_second_proof(tmp_path: Path, fault: Fault) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        await fail(database, CredentialsWrong(fault, service="entra"))
        assert await blocking(database) is True


async def test_the_backoff_grows_with_the_duration_of_the_problem_up_to_a_limit(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        await fail(database)
        async with database.session() as session:
            [problem] = await problems.list_open(session, "i1")
    waits = [
        health.backoff(problem, NOON + timedelta(seconds=seconds)).total_seconds() for seconds in (0, 10, 9999)
    ]
    assert waits == [1, 5, 30]


def test_the_service_is_taken_from_the_error() -> None:
    assert health.service_of(ServiceUnavailable(Fault.CLOUDLINK_THROTTLED)) is Service.CLOUDLINK
    assert health.service_of(CredentialsWrong(Fault.SECRET_UNREADABLE, service="entra")) is Service.ENTRA


async def test_an_edited_integration_is_not_unchanged(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        read = await read_integration(database)
        async with database.writing() as session:
            assert await health.is_unchanged(session, read)
            current = await integrations.get_for_update(session, "i1")
            assert current
            await integrations.update_if_unchanged(session, current, 1, {"name": "Lobby"})
            assert not await health.is_unchanged(session, read)
            assert await health.is_unchanged(session, current)
            assert not await health.is_unchanged(session, integration(id="gone"))
