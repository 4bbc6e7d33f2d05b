"""Status messages within the quota that presence needs more."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.encryption import Encryption
from sync.credentials.store import CredentialStore
from sync.domain.features import STATUS_MESSAGES
from sync.presence.status_messages import StatusMessageWriter
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
ON_A_CALL = {"line": "on_call", "desired": "Busy/InACall", "desired_at": NOON, "heard_at": NOON}


async def test_what_presence_took_while_messages_were_read_is_not_sent_for_messages(tmp_path: Path) -> None:
    clients = FakeServiceClients()
    async with empty_store(tmp_path) as database:
        row = integration(feature_version=STATUS_MESSAGES, status_text="On the phone")
        await stored(database, with_secrets(row, ENCRYPTION, client_secret_sealed="secret"))
        await stored(database, *(person(name, status_due_at=NOON, **ON_A_CALL) for name in ("p1", "p2", "p3")))
        context = context_of(database, clients)
        quota = QuotaLedger(Quota(8), context.metrics)

        async def presence_is_sent() -> None:
            async with database.writing() as session:
                locked = await session.get_one(type(row), "i1")
                quota.reserve(locked, 6, NOON)

        clients.graph.during_read = presence_is_sent
        await StatusMessageWriter(context, CredentialStore(ENCRYPTION), quota).push("i1")
        assert len(clients.graph.sent) == 1
        assert sum(pair[1] for pair in (await read_integration(database)).quota_spent) == 8
