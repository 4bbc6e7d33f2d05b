"""Status messages within the quota that presence needs more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.tables.integrations import Integration
from sync.credentials.store import CredentialStore
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.features import STATUS_MESSAGES
from sync.presence.status_messages import StatusMessageWriter
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
ON_A_CALL = {"line": "on_call", "desired": "Busy/InACall", "desired_at": NOON, "heard_at": NOON}
THROTTLED = ServiceUnavailable(Fault.GRAPH_THROTTLED, 20.0)


class Setting:
    """Three people in a call, whose status message is due."""

    def __init__(self, database: Database, quota: int) -> None:
        self.database = database
        self.clients = FakeServiceClients()
        context = context_of(database, self.clients)
        self.quota = QuotaLedger(Quota(quota), context.metrics)
        self.writer = StatusMessageWriter(context, CredentialStore(ENCRYPTION), self.quota)

    async def spent(self) -> list[list[float]]:
        return (await read_integration(self.database)).quota_spent


@asynccontextmanager
async def setting(folder: Path, quota: int = 1500) -> AsyncIterator[Setting]:
    async with empty_store(folder) as database:
        row = integration(feature_version=STATUS_MESSAGES, status_text="On the phone")
        await stored(database, with_secrets(row, ENCRYPTION, client_secret_sealed="secret"))
        await stored(database, *(person(name, status_due_at=NOON, **ON_A_CALL) for name in ("p1", "p2", "p3")))
        yield Setting(database, quota)


async def test_what_presence_took_while_messages_were_read_is_not_sent_for_messages(tmp_path: Path) -> None:
    async with setting(tmp_path, quota=8) as at:

        async def presence_is_sent() -> None:
            async with at.database.writing() as session:
                at.quota.reserve(await session.get_one(Integration, "i1"), 6, NOON)

        at.clients.graph.during_read = presence_is_sent
        await at.writer.push("i1")
        assert len(at.clients.graph.sent) == 1
        assert sum(pair[1] for pair in await at.spent()) == 8


async def test_what_was_answered_counts_from_its_answer_on(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        assert await at.writer.read("i1", ["teams p1"]) == {"teams p1": ""}
        assert await at.spent() == [[int(NOON.timestamp()), 1]]
        await at.writer.push("i1")
        assert await at.spent() == [[int(NOON.timestamp()), 1 + 1 + 3]]


async def test_a_throttled_read_stops_presence_too(tmp_path: Path) -> None:
    async with setting(tmp_path) as at:
        at.clients.graph.error = THROTTLED
        with pytest.raises(ServiceUnavailable):
            await at.writer.read("i1", ["teams p1"])
        row = await read_integration(at.database)
        assert (row.quota_spent, row.quota_limit) == ([[int(NOON.timestamp()), 1]], 750)
        assert row.quota_blocked_until is not None
        assert (row.quota_blocked_until - NOON).total_seconds() == 20
