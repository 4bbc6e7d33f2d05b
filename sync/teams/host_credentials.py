"""Credentials of the machine that hosts the bot, from files or its platform, read at each use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sync.domain.errors import CredentialsWrong, Fault
from sync.teams.certificates import Certificate, NoCertificate, read

LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class HostCredentials:
    """``certificate_path`` is a PEM or PFX file; ``federated_token_file`` holds a token of the platform.

    Entra accepts the token where the application has a federated credential for it ("Workload identity
    federation"); Kubernetes and Azure write such a file and renew it. Without a file, ``platform_token`` fetches
    one (a managed identity). Reading blocks: call in a thread.

    They prove the host, not the administrator who uses them. ``allowed`` are the pairs, in lower case, of a Teams
    tenant and the other Entra tenant for which its administrators may use them.
    """

    certificate_path: Path | None = None
    certificate_password: str = field(default="", repr=False)
    federated_token_file: Path | None = None
    platform_token: Callable[[], str] | None = field(default=None, repr=False)
    allowed: frozenset[tuple[str, str]] = frozenset()

    def are_allowed(self, owner_tenant: str, tenant_id: str) -> bool:
        """Whether a Teams tenant may use them for an Entra tenant: its own, or one that the operator listed."""
        owner, entra = owner_tenant.lower(), tenant_id.lower()
        return owner == entra or (owner, entra) in self.allowed

    @property
    def is_federated(self) -> bool:
        """Whether the host has a token."""
        return self.federated_token_file is not None or self.platform_token is not None

    def certificate(self) -> Certificate:
        """Raises ``CredentialsWrong`` (ENTRA_CERTIFICATE_UNREADABLE)."""
        content = _content(self.certificate_path)
        try:
            return read(content or b"", self.certificate_password)
        except NoCertificate:
            pass
        raise CredentialsWrong(Fault.ENTRA_CERTIFICATE_UNREADABLE)

    def federated_token(self) -> str:
        """Raises ``CredentialsWrong`` (ENTRA_FEDERATION_UNREADABLE)."""
        if self.federated_token_file is None and self.platform_token:
            return self.platform_token()
        token = (_content(self.federated_token_file) or b"").decode("ascii", "ignore").strip()
        if not token:
            raise CredentialsWrong(Fault.ENTRA_FEDERATION_UNREADABLE)
        return token


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError:
        return None
