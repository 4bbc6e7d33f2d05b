"""A rotation, the change of an integration's credentials: its steps as stored, and its view for administrators."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, uuid5

from core.errors import CloudLinkPresenceError
from storage.tables.columns import new_id
from storage.tables.rotations import Rotation
from sync.domain.errors import CredentialsWrong, Fault, SyncError
from sync.domain.model import Actor, CredentialKind


class RotationKind(StrEnum):
    """Who replaces the credentials.

    The administrator entered new ones, asked the bot to rotate, or the bot rotates by itself; or another
    integration that held the same secret has a new one.
    """

    MANUAL = "by_hand"
    ON_REQUEST = "for_me"
    AUTOMATIC = "automatic"
    SHARED = "shared"


BY_THE_BOT = frozenset({RotationKind.ON_REQUEST, RotationKind.AUTOMATIC})
"""The kinds that add a secret in Azure and remove the old one."""


class OldSecretLeft(StrEnum):
    """Why the bot left the old secret in Azure; stored as the ``fault`` of a rotation that is done."""

    MONITORS = "monitors"
    SHARED = "shared"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class RotationStep(StrEnum):
    """What is to be done next. ``MANUAL`` begins at ``PROVE``. ``WAIT`` also follows a fallback."""

    ADD = "add"
    WAIT = "wait"
    SWAP = "swap"
    PROVE = "prove"
    REMOVE = "remove"
    UNDO = "undo"
    DONE = "done"
    FAILED = "failed"


class RotationUnderWay(CloudLinkPresenceError):
    """The bot itself is changing this integration's secret now."""


@dataclass(frozen=True, slots=True)
class RotationView:
    """``error`` delayed it last, or made it fail; ``old_left`` says why the old secret is still in Azure.

    ``credential`` is the kind that it brings.
    """

    id: str
    integration_id: str
    kind: RotationKind
    step: RotationStep
    expires_on: date | None
    old_left: OldSecretLeft | None
    started_at: datetime
    finished_at: datetime | None
    credential: CredentialKind = CredentialKind.SECRET
    error: SyncError | None = None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None

    @property
    def was_edited(self) -> bool:
        """Whether an administrator's edit of the credentials ended it."""
        return self.finished and self.step not in (RotationStep.DONE, RotationStep.FAILED)


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client secret that an administrator typed, and what they call it: its description in Azure."""

    value: str = field(repr=False)
    expires_on: date | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class MonitorSecret:
    """A client secret that the bot made for presence monitors. ``name`` is its description in Azure."""

    value: str = field(repr=False)
    name: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """The public part of a certificate that the bot made. ``thumbprint`` is as Azure shows it."""

    public: str
    thumbprint: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class CredentialChoices:
    """Whether the host has a certificate, or a federated token, that integrations can use instead of a secret."""

    host_certificate: bool
    federated: bool


def rotation_id(by: Actor, integration_id: str) -> str:
    """The id of a rotation that ``by`` begins: the same one however often their press is repeated."""
    return uuid5(NAMESPACE_OID, f"{integration_id}/{by.press}").hex if by.press else new_id()


def rotation_view(rotation: Rotation) -> RotationView:
    return RotationView(
        id=rotation.id,
        integration_id=rotation.integration_id,
        kind=RotationKind(rotation.kind),
        step=RotationStep(rotation.step),
        expires_on=rotation.expires_on,
        old_left=_why_left(rotation),
        started_at=rotation.started_at,
        finished_at=rotation.finished_at,
        credential=CredentialKind(rotation.credential),
        error=CredentialsWrong(Fault(rotation.fault)) if rotation.fault in set(Fault) else None,
    )


def _why_left(rotation: Rotation) -> OldSecretLeft | None:
    """Rotations of earlier releases say only that it was left."""
    if rotation.step != RotationStep.DONE or rotation.old_key_id or rotation.kind not in BY_THE_BOT:
        return None
    return OldSecretLeft(rotation.fault) if rotation.fault in set(OldSecretLeft) else OldSecretLeft.UNKNOWN
