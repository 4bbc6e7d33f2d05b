"""A rotation of credentials: its steps as stored, and the view of it for administrators."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.errors import CloudLinkPresenceError
from storage.tables.rotations import Rotation
from sync.domain.errors import CredentialsWrong, Fault, SyncError


class Kind(StrEnum):
    """How it began: entered by hand, requested by an administrator, or unattended."""

    BY_HAND = "by_hand"
    FOR_ME = "for_me"
    AUTOMATIC = "automatic"


class Step(StrEnum):
    """The next step. Entered by hand, it begins at ``PROVE``; ``WAIT`` also follows a rollback."""

    ADD = "add"
    WAIT = "wait"
    SWAP = "swap"
    PROVE = "prove"
    REMOVE = "remove"
    UNDO = "undo"
    DONE = "done"
    FAILED = "failed"


class RotationUnderWay(CloudLinkPresenceError):
    """The bot is rotating this integration's secret itself at the moment."""


@dataclass(frozen=True, slots=True)
class RotationView:
    """``error`` is what delayed it last, or made it fail; ``old_left``: the old secret is still in Azure."""

    id: str
    integration_id: str
    kind: Kind
    step: Step
    expires_on: date | None
    old_left: bool
    started_at: datetime
    finished_at: datetime | None
    error: SyncError | None = None

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """The public part of a certificate that the bot created. ``thumbprint`` as the portal shows it."""

    public: str
    thumbprint: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class CredentialChoices:
    """The credentials an integration can be switched to: a certificate or a token that the host keeps in a file."""

    host_certificate: bool
    federated: bool


def view_of(rotation: Rotation) -> RotationView:
    return RotationView(
        id=rotation.id,
        integration_id=rotation.integration_id,
        kind=Kind(rotation.kind),
        step=Step(rotation.step),
        expires_on=rotation.expires_on,
        old_left=rotation.step == Step.DONE and not rotation.old_key_id,
        started_at=rotation.started_at,
        finished_at=rotation.finished_at,
        error=CredentialsWrong(Fault(rotation.fault)) if rotation.fault else None,
    )
