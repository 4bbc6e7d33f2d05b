"""What the conversation needs of sync; ``sync.integrations.service.Integrations`` provides it."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Protocol

from sync.domain.model import (
    Actor,
    CloudLinkAccount,
    CloudLinkCheck,
    IntegrationView,
    Preview,
    Probe,
    Status,
    TeamsApp,
    TeamsCheck,
)
from sync.domain.rotation import CredentialChoices, NewCertificate, RotationView
from sync.updates.model import CardPlace, Installation, Offer


class CredentialsPort(Protocol):
    """Changes what integrations prove themselves by; ``sync.credentials.service.CredentialChanges`` provides it.

    Every call carries the tenant of who asks and raises ``UnknownIntegration`` for what is not theirs. Whatever
    is new is proven before it is stored: ``SyncError`` tells why it was not.
    """

    async def replace_secret(
        self,
        owner_tenant: str,
        integration_id: str,
        name: str,
        secret: str,
        expires_on: date | None,
        by: Actor,
        revision: int | None = None,
    ) -> RotationView:
        """The integration is called ``name`` from now on. Raises ``NameTaken`` and ``RotationUnderWay``.

        Raises ``EditedMeanwhile`` when ``revision`` is not the integration's any more, as the three below.
        """
        ...

    async def may_rotate(self, owner_tenant: str, integration_id: str) -> bool:
        """Whether the application may change its own secrets, as far as can be told now."""
        ...

    async def rotate_for_me(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView:
        """Begin; asked twice, there is still one."""
        ...

    async def rotation(self, owner_tenant: str, integration_id: str) -> RotationView | None:
        """The one under way, or the last one."""
        ...

    def follow(self, owner_tenant: str, rotation_id: str) -> AsyncIterator[RotationView]:
        """The rotation now, then each step as it comes, for some seconds or until it is finished."""
        ...

    async def set_auto_rotate(self, owner_tenant: str, integration_id: str, on: bool, by: Actor) -> None: ...

    def choices(self) -> CredentialChoices: ...

    async def make_certificate(self, owner_tenant: str, integration_id: str, by: Actor) -> NewCertificate: ...

    async def use_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        """The one that was made. Raises ``RotationUnderWay``, as the two below."""
        ...

    async def use_host_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView: ...

    async def use_federated(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView: ...


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
        self,
        owner_tenant: str,
        name: str,
        account: CloudLinkAccount,
        app: TeamsApp,
        expires_on: date | None,
        status_text: str = "",
    ) -> IntegrationView:
        """Store a new integration, not yet enabled. Prove both sides first. Raises ``NameTaken``.

        ``status_text`` is the status message of whoever is on the phone, for integrations that show one.
        """
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

    async def rename(
        self, owner_tenant: str, integration_id: str, revision: int, name: str, by: Actor
    ) -> IntegrationView:
        """Raises ``EditedMeanwhile`` when ``revision`` is not the integration's any more, and ``NameTaken``."""
        ...

    async def edit_cloudlink(
        self, owner_tenant: str, integration_id: str, revision: int, account: CloudLinkAccount, by: Actor
    ) -> IntegrationView:
        """Prove and store; an empty secret keeps the one there is. Raises ``EditedMeanwhile``."""
        ...

    async def edit_teams(
        self,
        owner_tenant: str,
        integration_id: str,
        revision: int,
        app: TeamsApp,
        expires_on: date | None,
        by: Actor,
    ) -> IntegrationView:
        """Prove and store; an empty secret keeps the one there is. Raises ``EditedMeanwhile``.

        Another tenant or application: what is shown is taken back first, and people are matched anew.
        """
        ...

    async def status(self, owner_tenant: str, integration_id: str) -> Status: ...

    async def test_connection(self, owner_tenant: str, integration_id: str) -> tuple[Probe, ...]: ...


class UpdatesPort(Protocol):
    """Feature updates; ``sync.updates.updates.Updates`` provides it. Raises ``UnknownIntegration`` as above."""

    async def offer(self, owner_tenant: str, integration_id: str) -> Offer:
        """What is due and what it would change here, read now. Raises ``SyncError``."""
        ...

    async def begin(
        self, owner_tenant: str, integration_id: str, upto: int, status_text: str, by: Actor, card: CardPlace
    ) -> Installation | None:
        """Install all that is due, up to version ``upto``; None when that is not what is due.

        While something is being installed nothing more is begun, and ``card`` shows that.
        """
        ...

    async def undo(
        self, owner_tenant: str, integration_id: str, version: int, by: Actor, card: CardPlace
    ) -> Installation | None:
        """Take back the newest update, if ``version`` is that; else None."""
        ...

    async def installation(
        self, owner_tenant: str, integration_id: str, card: CardPlace | None = None
    ) -> Installation | None:
        """What is being installed now, and from now on ``card`` shows it. None when nothing is."""
        ...

    async def to_show(self, integration_id: str) -> tuple[Installation, list[CardPlace]] | None:
        """The newest installation and the cards that show it."""
        ...

    async def shown(self, integration_id: str, seen: Installation) -> None:
        """The cards show its end."""
        ...
