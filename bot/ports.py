"""What the conversation needs of sync; ``sync.integrations.Integrations`` provides it."""

from datetime import date
from typing import Protocol

from sync.model import (
    CloudLinkAccount,
    CloudLinkCheck,
    IntegrationView,
    Preview,
    Probe,
    Status,
    TeamsApp,
    TeamsCheck,
)


class IntegrationsPort(Protocol):
    """Every call carries the tenant of who asks; an integration of another tenant does not exist.

    All raise ``SyncError`` for what the outside answers, ``UnknownIntegration`` for a foreign or gone id.
    """

    async def check_cloudlink(self, account: CloudLinkAccount) -> CloudLinkCheck:
        """Token, account, users: all of them, with fresh credentials, nothing stored."""
        ...

    async def check_teams(self, app: TeamsApp) -> TeamsCheck:
        """A fresh token, the roles in it, one directory read; nothing stored."""
        ...

    async def add(
        self, owner_tenant: str, name: str, account: CloudLinkAccount, app: TeamsApp, expires_on: date | None
    ) -> IntegrationView:
        """Store a new integration, not yet enabled. Prove both sides first."""
        ...

    async def list(self, owner_tenant: str) -> list[IntegrationView]:
        """The tenant's integrations, oldest first."""
        ...

    async def preview(self, owner_tenant: str, integration_id: str) -> Preview:
        """Read both directories and the phones now, match, and tell what enabling would do."""
        ...

    async def enable(self, owner_tenant: str, integration_id: str) -> IntegrationView: ...

    async def disable(self, owner_tenant: str, integration_id: str) -> int:
        """Stop, and clear what we set; returns how many people are being cleared."""
        ...

    async def remove(self, owner_tenant: str, integration_id: str) -> None:
        """Stop, clear what we set, forget the secrets and the integration."""
        ...

    async def status(self, owner_tenant: str, integration_id: str) -> Status: ...

    async def test_connection(self, owner_tenant: str, integration_id: str) -> tuple[Probe, ...]: ...
