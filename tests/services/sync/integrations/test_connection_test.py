from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.database import Database
from storage.encryption import Encryption
from storage.queries import problems
from storage.tables.problems import Problem
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Actor, Service
from sync.integrations.connection_test import ConnectionTest
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON
from tests.support.fake_services import FakeJobs, FakeServiceClients, context_of
from tests.support.stores import (
    empty_store,
    integration,
    person,
    read_integration,
    read_person,
    stored,
    with_secrets,
)

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
ADA = Actor("ada", "Ada Example")
RECHECK = timedelta(minutes=3)
MISSING = CredentialsWrong(Fault.GRAPH_CONSENT_MISSING, permissions="Presence.ReadWrite.All")


class Setting:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        self.jobs = FakeJobs()
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        context = context_of(database, self.clients, self.jobs, metrics=metrics)
        quota = QuotaLedger(Quota(1500), metrics)
        self.connection_test = ConnectionTest(context, CredentialStore(ENCRYPTION), quota, RECHECK)

    async def faults(self) -> list[str]:
        async with self.database.session() as session:
            return [problem.fault for problem in await problems.list_open(session, "i1")]


@asynccontextmanager
async def setting(folder: Path, since: datetime = NOON) -> AsyncIterator[Setting]:
    """An integration that Graph forbids to write presence, and a person whose presence is not sent yet."""
    secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
    problem = Problem(
        integration_id="i1", service="graph", fault="graph.forbidden", lasting=True, since=since, checked_at=since
    )
    async with empty_store(folder) as database:
        await stored(database, with_secrets(integration(), ENCRYPTION, **secrets), problem)
        await stored(database, person(desired="Busy/InACall"))
        yield Setting(database)


async def test_a_probe_names_a_new_problem_more_exactly(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        at.clients.graph.error = MISSING
        await at.connection_test.probe("i1")
        assert await at.faults() == ["graph.consent_missing"]


async def test_a_probe_does_not_close_a_new_problem_that_it_cannot_detect(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == ["graph.forbidden"]


async def test_a_probe_closes_an_older_problem_and_makes_pending_presence_due(tmp_path: Path) -> None:
    async with setting(tmp_path, since=NOON - RECHECK) as at:
        await at.connection_test.probe("i1")
        assert await at.faults() == []
        assert (await read_person(at.database)).due_at == NOON
        assert at.jobs.now() == ["push"]
        assert (await read_integration(at.database)).quota_spent == [[int(NOON.timestamp()), 1, 90]]
        assert at.registry.get_sample_value("cloudlink_presence_quota_spent_total") == 1


async def test_a_connection_test_closes_problems_and_stops_at_the_first_failure_of_each_side(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as at:
        at.clients.cloudlink.error = CredentialsWrong(Fault.CLOUDLINK_REFUSED)
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [(probe.service, probe.step, bool(probe.error)) for probe in probes] == [
            (Service.CLOUDLINK, "account", True),
            (Service.ENTRA, "token", False),
            (Service.GRAPH, "directory", False),
            (Service.GRAPH, "presence", False),
        ]
        assert await at.faults() == ["cloudlink.refused"]


async def test_secrets_that_no_key_decrypts_are_reported_as_problems(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await stored(database, integration())
        at = Setting(database)
        probes = await at.connection_test.test("t1", "i1", ADA)
        assert [probe.error.fault for probe in probes if probe.error] == [Fault.SECRET_UNREADABLE] * 2
        assert await at.faults() == ["secret.unreadable"] * 2
