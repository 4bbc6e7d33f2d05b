"""A fake for the operations on credentials: returns what a test sets, and keeps what it is given."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from sync.credentials.monitor_secrets import MonitorSecrets
from sync.credentials.service import CredentialService
from sync.domain.model import Actor, CredentialKind, UnknownIntegration
from sync.domain.rotation import (
    CredentialChoices,
    MonitorSecret,
    NewCertificate,
    NewSecret,
    RotationKind,
    RotationStep,
    RotationView,
)
from tests.support.bot.fakes import FakeIntegrations

WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONITORS_VALUE = "Mon8Q~itors.own_secret<&>Zt-9aB3cD5eF7gH"
PEM = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n"


@dataclass
class FakeCredentials(CredentialService):
    """``errors`` are raised by the name of the call; ``steps`` is what ``follow`` yields, in order."""

    integrations: FakeIntegrations
    errors: dict[str, BaseException] = field(default_factory=dict)
    may: bool = False
    steps: tuple[RotationView, ...] = ()
    going: RotationView | None = None
    by_press: dict[str, RotationView] = field(default_factory=dict)
    offered: CredentialChoices = field(default_factory=lambda: CredentialChoices(False, False))
    calls: list[tuple[object, ...]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def _called(self, name: str, owner_tenant: str, integration_id: str, *given: object) -> None:
        owner, _ = self.integrations.stored.get(integration_id, ("", None))
        if owner != owner_tenant:
            raise UnknownIntegration
        self.calls.append((name, *given))
        if name in self.errors:
            raise self.errors[name]

    async def replace_secret(
        self,
        owner_tenant: str,
        integration_id: str,
        typed: NewSecret,
        by: Actor,
        revision: int | None = None,
    ) -> RotationView:
        self.secrets.append(typed.value)
        self._called("replace_secret", owner_tenant, integration_id, typed.description, typed.expires_on, by)
        return self._began(integration_id, by, RotationKind.MANUAL, RotationStep.PROVE)

    def _began(
        self,
        integration_id: str,
        by: Actor,
        kind: RotationKind,
        step: RotationStep,
        credential: CredentialKind = CredentialKind.SECRET,
    ) -> RotationView:
        self.going = rotation(integration_id, kind, step, credential=credential)
        self.by_press[by.press] = self.going
        return self.going

    async def begun(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView | None:
        return self.by_press.get(by.press) if by.press else None

    async def may_rotate(self, owner_tenant: str, integration_id: str) -> bool:
        self._called("may_rotate", owner_tenant, integration_id)
        return self.may

    async def start_rotation(self, owner_tenant: str, integration_id: str, by: Actor) -> RotationView:
        self._called("start_rotation", owner_tenant, integration_id, by)
        return self._began(integration_id, by, RotationKind.ON_REQUEST, RotationStep.ADD)

    async def rotation(self, owner_tenant: str, integration_id: str) -> RotationView | None:
        self._called("rotation", owner_tenant, integration_id)
        return self.going

    async def follow(self, owner_tenant: str, rotation_id: str) -> AsyncIterator[RotationView]:
        for step in self.steps or ([self.going] if self.going else []):
            yield step

    async def set_auto_rotate(self, owner_tenant: str, integration_id: str, on: bool, by: Actor) -> None:
        self._called("set_auto_rotate", owner_tenant, integration_id, on, by)
        owner, view = self.integrations.stored[integration_id]
        self.integrations.stored[integration_id] = (owner, replace(view, auto_rotate=on))

    def choices(self) -> CredentialChoices:
        return self.offered

    async def make_certificate(self, owner_tenant: str, integration_id: str, by: Actor) -> NewCertificate:
        self._called("make_certificate", owner_tenant, integration_id, by)
        return NewCertificate(PEM, "AB" * 20, date(2027, 11, 22))

    async def pending_certificate(self, owner_tenant: str, integration_id: str) -> str:
        self._called("pending_certificate", owner_tenant, integration_id)
        return PEM

    async def use_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        return self._switched("use_certificate", owner_tenant, integration_id, by, CredentialKind.CERTIFICATE)

    async def use_host_certificate(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        return self._switched("use_host_certificate", owner_tenant, integration_id, by, CredentialKind.CERTIFICATE)

    async def use_federated(
        self, owner_tenant: str, integration_id: str, by: Actor, revision: int | None = None
    ) -> RotationView:
        return self._switched("use_federated", owner_tenant, integration_id, by, CredentialKind.FEDERATED)

    def _switched(
        self, call: str, owner_tenant: str, integration_id: str, by: Actor, kind: CredentialKind
    ) -> RotationView:
        self._called(call, owner_tenant, integration_id, by)
        owner, view = self.integrations.stored[integration_id]
        self.integrations.stored[integration_id] = (owner, replace(view, credential=kind))
        return self._began(integration_id, by, RotationKind.MANUAL, RotationStep.DONE, kind)


@dataclass
class FakeMonitorSecrets(MonitorSecrets):
    """``error`` is raised by ``make``; ``made`` keeps who asked, with which mark."""

    integrations: FakeIntegrations
    may: bool = True
    error: Exception | None = None
    made: list[tuple[str, str, Actor]] = field(default_factory=list)

    async def may_make(self, owner_tenant: str, integration_id: str) -> bool:
        return self.may

    async def make(self, owner_tenant: str, integration_id: str, mark: str, by: Actor) -> MonitorSecret:
        if self.integrations.stored.get(integration_id, ("", None))[0] != owner_tenant:
            raise UnknownIntegration
        self.made.append((integration_id, mark, by))
        if self.error:
            raise self.error
        return MonitorSecret(MONITORS_VALUE, f"Head office monitors {mark}", date(2027, 5, 21))


def rotation(integration_id: str, kind: RotationKind, step: RotationStep, **values: object) -> RotationView:
    ended = WHEN if step in (RotationStep.DONE, RotationStep.FAILED) else None
    view = RotationView("r" * 32, integration_id, kind, step, date(2027, 5, 31), None, WHEN, ended)
    return replace(view, **values)  # type: ignore[arg-type]
