"""The flow as the engine composes it."""

from cryptography.fernet import Fernet

from storage.encryption import Encryption
from storage.queries.integrations import Subscribed
from sync.credentials.store import CredentialStore
from sync.domain.context import Context
from sync.flow.flow import Flow
from sync.presence.delays import Delays
from sync.teams.quota import Quota, QuotaLedger
from tests.support.storage.stores import integration


def flow_of(
    context: Context, credentials: CredentialStore | None = None, quota: int = 1500, delays: Delays | None = None
) -> Flow:
    store = credentials or CredentialStore(Encryption([Fernet.generate_key().decode()]))
    counted = delays or Delays(context.database, context.clock)
    return Flow(context, store, QuotaLedger(Quota(quota), context.metrics), counted)


def webhook_of(name: str = "i1") -> Subscribed:
    """The webhook of ``tests.support.storage.stores.integration``."""
    row = integration(id=name)
    return Subscribed(
        row.webhook_token_hash, row.id, row.owner_tenant, row.cloudlink_account_id, row.subscription_id
    )
