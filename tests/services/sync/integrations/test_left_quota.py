"""What an integration spent of its application's quota still counts after it was removed, or took another one."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations, left_quotas
from storage.tables.integrations import Integration, LeftQuota
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.model import Actor, CloudLinkAccount, TeamsApp
from sync.integrations.left_quota import leave_quota
from sync.problems import health
from tests.support.bot.fake_operations import real_operations
from tests.support.clocks import NOON
from tests.support.services.fake_services import context_of
from tests.support.storage.stores import empty_store, integration, read_integration, stored, with_secrets

pytestmark = pytest.mark.usefixtures("each_database")

ENCRYPTION = Encryption([Fernet.generate_key().decode()])
ADA = Actor("a1", "Ada Example")
SPENT, BLOCKED = [[NOON.timestamp() - 1, 7], [NOON.timestamp(), 2, 90]], NOON + timedelta(minutes=1)
USED = {"quota_spent": SPENT, "quota_limit": 300, "quota_blocked_until": BLOCKED}


async def test_who_removes_an_integration_and_adds_it_again_has_not_more_quota(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        row = integration(**USED)
        app = TeamsApp(row.tenant_id.upper(), row.client_id.upper(), "secret")
        await stored(database, row)
        async with database.writing() as session:
            await leave_quota(session, "i1", NOON)
            await integrations.delete_one(session, "i1")
        service = real_operations(context_of(database), ENCRYPTION).integrations
        account = CloudLinkAccount("eu", "account", "client", "secret")
        again = await read_integration(database, (await service.add("t1", "Again", account, app, None, ADA)).id)
        assert (again.quota_spent, again.quota_limit, again.quota_blocked_until) == (SPENT, 300, BLOCKED)
        assert await kept_of(database, again) is None


@pytest.mark.parametrize(
    ("owner", "refused", "shares"), [("t1", True, True), ("t2", False, True), ("t2", True, False)]
)
async def test_who_shares_the_application_goes_on_with_what_was_spent(
    tmp_path: Path, owner: str, refused: bool, shares: bool
) -> None:
    """Not another owner, after the credentials of the one that is removed were refused: the next one does."""
    async with empty_store(tmp_path) as database:
        other = integration(id="i2", name="Second", owner_tenant=owner, quota_spent=[[NOON.timestamp(), 1]])
        await stored(database, integration(**USED), other)
        async with database.writing() as session:
            if refused:
                await health.mark_unhealthy(session, "i1", CredentialsWrong(Fault.ENTRA_HOST_NOT_ALLOWED), NOON)
        async with database.writing() as session:
            await leave_quota(session, "i1", NOON)
        shared = await read_integration(database, "i2")
        assert sum(pair[1] for pair in shared.quota_spent) == (10 if shares else 1)
        assert (await kept_of(database, shared) is None) == shares


async def test_who_takes_another_application_leaves_what_was_spent_of_the_former(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        row = with_secrets(integration(**USED), ENCRYPTION, client_secret_sealed="secret")
        await stored(database, row)
        editor = real_operations(context_of(database), ENCRYPTION).editor
        await editor.edit_teams("t1", "i1", 1, TeamsApp("entra", "another", "secret"), None, ADA)
        kept = await kept_of(database, integration())
        assert kept
        assert kept.quota_spent == SPENT


async def kept_of(database: Database, row: Integration) -> LeftQuota | None:
    async with database.session() as session:
        return await left_quotas.of_application(session, row)
