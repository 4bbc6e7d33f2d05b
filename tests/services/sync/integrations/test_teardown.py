"""Leaving a tenant: what is cleared with the old credentials, and what it costs of the quota."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from core.metrics import Metrics
from storage.encryption import Encryption
from storage.queries import integrations, left_quotas
from storage.tables.columns import UNSURE
from storage.tables.integrations import LeftQuota
from sync.credentials.store import CredentialStore
from sync.domain.changes import ClearPresence, SetPresence
from sync.domain.presence import Presence
from sync.integrations.teardown import TenantTeardown
from sync.teams.quota import Quota, QuotaLedger
from tests.support.clocks import NOON
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import (
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


async def test_clearing_the_old_tenant_reserves_quota_and_counts_it_from_the_answer_on(tmp_path: Path) -> None:
    registry, clients = CollectorRegistry(), FakeServiceClients()
    quota = QuotaLedger(Quota(1500), Metrics(registry))
    async with empty_store(tmp_path) as database:
        context = context_of(database, clients)
        await stored(database, with_secrets(integration(), ENCRYPTION, client_secret_sealed="secret"))
        await stored(
            database, *(person(name, applied="Busy/InACall", applied_user_id=name) for name in ("p1", "p2"))
        )
        before = await read_integration(database)
        await TenantTeardown(context, CredentialStore(ENCRYPTION), quota).clear_all(before)
        assert sorted(clients.graph.sent, key=lambda sent: sent.user_id) == [
            ClearPresence("p1"),
            ClearPresence("p2"),
        ]
        assert (await read_integration(database)).quota_spent == [[int(NOON.timestamp()), 2]]
    assert registry.get_sample_value("cloudlink_presence_quota_spent_total") == 2


async def test_of_the_old_tenant_no_more_is_cleared_than_the_quota_has_room_for(tmp_path: Path) -> None:
    clients, quota = FakeServiceClients(), QuotaLedger(Quota(5), Metrics(CollectorRegistry()))
    async with empty_store(tmp_path) as database:
        spent = [[NOON.timestamp(), 4]]
        await stored(
            database, with_secrets(integration(quota_spent=spent), ENCRYPTION, client_secret_sealed="secret")
        )
        await stored(
            database, *(person(name, applied="Busy/InACall", applied_user_id=name) for name in ("p1", "p2"))
        )
        before = await read_integration(database)
        await TenantTeardown(context_of(database, clients), CredentialStore(ENCRYPTION), quota).clear_all(before)
        assert len(clients.graph.sent) == 1
        assert sum(pair[1] for pair in (await read_integration(database)).quota_spent) == 5


async def test_what_another_integration_wishes_is_left_to_it(tmp_path: Path) -> None:
    clients, quota = FakeServiceClients(), QuotaLedger(Quota(1500), Metrics(CollectorRegistry()))
    shown = {"applied": "Busy/InACall", "applied_user_id": "teams p1", "teams_user_id": "teams p1"}
    async with empty_store(tmp_path) as database:
        own = with_secrets(integration(), ENCRYPTION, client_secret_sealed="secret")
        await stored(database, own, integration(id="i2", name="Second"))
        wishing = {"desired": "DoNotDisturb/Presenting", "desired_at": NOON, "teams_user_id": "teams p1"}
        await stored(database, person("p1", **shown), person("p2", integration_id="i2", **wishing))
        before = await read_integration(database)
        await TenantTeardown(context_of(database, clients), CredentialStore(ENCRYPTION), quota).clear_all(before)
        assert clients.graph.sent == [SetPresence("teams p1", Presence.PRESENTING, 14_400)]
        assert (await read_person(database, "p2")).applied == UNSURE


@pytest.mark.parametrize(("spent", "cleared"), [(0, 2), (4, 1), (5, 0)])
async def test_after_the_move_the_old_application_still_counts_what_is_cleared_there(
    tmp_path: Path, spent: int, cleared: int
) -> None:
    clients, quota = FakeServiceClients(), QuotaLedger(Quota(5), Metrics(CollectorRegistry()))
    async with empty_store(tmp_path) as database:
        former = with_secrets(integration(), ENCRYPTION, client_secret_sealed="secret")
        await stored(
            database, with_secrets(integration(client_id="new"), ENCRYPTION, client_secret_sealed="secret")
        )
        async with database.writing() as session:
            for each in await integrations.list_for_update(session, ["i1"]):
                quota.reserve(each, 5, NOON)
        if spent:
            quota_spent = [[NOON.timestamp(), spent]]
            await stored(
                database,
                LeftQuota(tenant_id="entra", client_id="app", left_at=NOON, quota_limit=9, quota_spent=quota_spent),
            )
        teardown = TenantTeardown(context_of(database, clients), CredentialStore(ENCRYPTION), quota)
        await teardown.clear(former, ["p1", "p2"])
        assert clients.graph.sent == [ClearPresence("p1"), ClearPresence("p2")][:cleared]
        async with database.session() as session:
            left = await left_quotas.of_application(session, former)
        assert left
        assert sum(pair[1] for pair in left.quota_spent) == spent + cleared
        assert sum(pair[1] for pair in (await read_integration(database)).quota_spent) == 5
