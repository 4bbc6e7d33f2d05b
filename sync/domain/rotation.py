"""A change of credentials, step by step, as it is stored and as an administrator may see it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from storage.tables.rotations import Rotation
from sync.domain.errors import CredentialsWrong, Fault, SyncError


class Kind(StrEnum):
    """Whose doing it is: typed in, asked for, or unattended."""

    BY_HAND = "by_hand"
    FOR_ME = "for_me"
    AUTOMATIC = "automatic"


class Step(StrEnum):
    """What is to be done next. By hand it begins at ``PROVE``; ``WAIT`` comes after a fall back, too."""

    ADD = "add"
    WAIT = "wait"
    SWAP = "swap"
    PROVE = "prove"
    REMOVE = "remove"
    UNDO = "undo"
    DONE = "done"
    FAILED = "failed"


class RotationUnderWay(Exception):
    """The bot is changing this integration's secret itself just now."""


@dataclass(frozen=True, slots=True)
class RotationView:
    """``error`` delayed it last, or made it fail; ``old_left`` says that the old secret is still in Azure."""

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
    """The public part of a certificate the bot made. ``thumbprint`` as the portal shows it."""

    public: str
    thumbprint: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class CredentialChoices:
    """What an integration could be switched to: a certificate or a token that the host keeps in a file."""

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
