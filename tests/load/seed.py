"""A store as it is after the fleet has run for a while: matched, subscribed, polled at different times."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import insert

from core.clock import utc_now
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.schema import migrate
from storage.tables.conversations import Conversation
from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.features import NEWEST
from sync.phones.subscriptions import PATH, hashed
from tests.load.fleet import Phone, Tenant
from tests.support.storage.stores import with_secrets

OWNER = "owner"
"""The owner of every tenant, by the setting ADMINS."""

TOGETHER = 50
"""Tenants in one transaction."""


async def seed(
    database_url: str, encryption: Encryption, fleet: Sequence[Tenant], public_url: str, status_text: str
) -> None:
    random = Random(1)
    async with open_database(database_url) as database:
        await migrate(database)
        for start in range(0, len(fleet), TOGETHER):
            tenants = fleet[start : start + TOGETHER]
            await _add(
                database,
                tenants,
                [_integration(each, encryption, public_url, status_text, random) for each in tenants],
            )


async def _add(database: Database, tenants: Sequence[Tenant], rows: Sequence[dict[str, Any]]) -> None:
    people = [_person(phone) for tenant in tenants for phone in tenant.phones]
    async with database.engine.begin() as connection:
        await connection.execute(insert(Integration), rows)
        await connection.execute(insert(Person), people)
        await connection.execute(insert(Conversation), [_owner(tenant) for tenant in tenants])


def _integration(
    tenant: Tenant, encryption: Encryption, public_url: str, status_text: str, random: Random
) -> dict[str, Any]:
    now = utc_now()
    url = public_url + PATH + tenant.webhook_token

    def lately(**longest: float) -> datetime:
        return now - timedelta(**longest) * random.random()

    row = Integration(
        id=integration_id(tenant),
        owner_tenant=tenant.owner_tenant,
        name=f"Tenant {tenant.number}",
        enabled=True,
        created_at=now - timedelta(days=1),
        cloudlink_account_id=tenant.account_id,
        cloudlink_client_id=tenant.account_id,
        cloudlink_secret_sealed="",
        tenant_id=tenant.tenant_id,
        client_id=tenant.client_id,
        client_secret_sealed="",
        secret_expires_on=(now + timedelta(days=365)).date(),
        feature_version=NEWEST,
        status_text=status_text,
        webhook_token_sealed="",
        webhook_token_hash=hashed(tenant.webhook_token),
        subscription_id=next(iter(tenant.subscriptions)),
        subscription_url_hash=hashed(url),
        subscribed_at=lately(hours=12),
        live_since=now - timedelta(hours=12),
        last_webhook_at=lately(minutes=5),
        subscription_checked_at=lately(minutes=5),
        polled_at=lately(minutes=5),
        matched_at=lately(minutes=15),
        expiry_checked_at=lately(hours=24),
    )
    with_secrets(
        row,
        encryption,
        cloudlink_secret_sealed=tenant.cloudlink_secret,
        client_secret_sealed=tenant.client_secret,
        webhook_token_sealed=tenant.webhook_token,
    )
    tenant.subscriptions[row.subscription_id] = url
    return row.model_dump()


def _owner(tenant: Tenant) -> dict[str, Any]:
    """A person who would get the alerts."""
    return Conversation(
        tenant_id=tenant.tenant_id,
        user_object_id=OWNER,
        service_url="https://smba.trafficmanager.net/emea/",
        conversation_id=f"a:{tenant.number}",
        user_id=f"29:{tenant.number}",
        bot_id="28:bot",
        channel_id="msteams",
        admin_as=OWNER,
        seen_at=utc_now(),
    ).model_dump()


def _person(phone: Phone) -> dict[str, Any]:
    return Person(
        id=phone.user_id.replace("-", ""),
        integration_id=integration_id(phone.tenant),
        cloudlink_user_id=phone.user_id,
        extension=phone.extension,
        name=f"Person {phone.number}",
        address=phone.address,
        teams_user_id=phone.teams_id,
        line="idle",
    ).model_dump()


def integration_id(tenant: Tenant) -> str:
    return tenant.tenant_id.replace("-", "")
