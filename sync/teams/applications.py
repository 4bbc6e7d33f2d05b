"""An application's own registration in Graph: its client secrets, added and removed.

Sources: Graph reference, "application: addPassword" (``secretText`` is returned only once), "application:
removePassword", "passwordCredential resource type" (``hint`` is the secret's first three characters). Reading
needs Application.Read.All, changing Application.ReadWrite.OwnedBy and the application as an owner of itself.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from core.http.client import cleaned
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.services import NewPassword, Password
from sync.teams.graph_client import TRANSIENT, GraphClient
from sync.teams.tokens import roles_in

WRITE_ROLES = frozenset({"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"})
READ_ROLES = WRITE_ROLES | {"Application.Read.All"}


_POLICIES = {
    "CredentialInvalidLifetimeAsPerAppPolicy": Fault.GRAPH_SECRET_TOO_LONG,
    "CredentialTypeNotAllowedAsPerAppPolicy": Fault.GRAPH_SECRETS_FORBIDDEN,
}
"""Graph's codes for an app management policy ("appManagementConfiguration resource type")."""


class Applications:
    """The registration of the application ``client_id``, as that application itself.

    Every call raises ``CredentialsWrong`` (GRAPH_ROTATION_FORBIDDEN, GRAPH_SECRETS_FORBIDDEN, ENTRA_*) and
    ``ServiceUnavailable``.
    """

    def __init__(self, graph: GraphClient, client_id: str) -> None:
        self._graph = graph
        self._path = f"/applications(appId='{quote(client_id, safe='')}')"

    async def may_read(self) -> bool:
        return await self._has_any(READ_ROLES)

    async def may_rotate(self) -> bool:
        return await self._has_any(WRITE_ROLES)

    async def _has_any(self, wanted: frozenset[str]) -> bool:
        """Whether its token holds such a role; or a fresh one, as an administrator may have consented since."""
        if await self._token_has_any(wanted):
            return True
        self._graph.tokens.forget()
        return await self._token_has_any(wanted)

    async def _token_has_any(self, wanted: frozenset[str]) -> bool:
        roles = roles_in(await self._graph.tokens.token())
        return roles is None or bool(roles & wanted)

    async def passwords(self) -> list[Password]:
        """Its client secrets, expired ones too."""
        response = await self._request("GET", "?$select=passwordCredentials")
        found = response.get("passwordCredentials") if isinstance(response, Mapping) else None
        if not isinstance(found, list):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        return [password for each in found if (password := _password(each))]

    async def add_password(self, name: str, expires_at: datetime) -> NewPassword:
        """A new client secret called ``name`` (at most 120 characters). Raises GRAPH_SECRET_TOO_LONG, too."""
        wanted = {"displayName": name, "endDateTime": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        response = await self._request("POST", "/addPassword", {"passwordCredential": wanted})
        added, secret = _password(response), response.get("secretText") if isinstance(response, Mapping) else None
        if added is None or not isinstance(secret, str) or not secret:
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        return NewPassword(added.key_id, secret, added.expires_on)

    async def remove_password(self, key_id: str) -> None:
        """Remove a secret; it is success if the secret does not exist (any more)."""
        refused: CredentialsWrong | None = None
        try:
            await self._request("POST", "/removePassword", {"keyId": key_id})
        except CredentialsWrong as error:
            refused = error
        if refused and (refused.context.get("status") != 400 or await self._has(key_id)):
            raise refused

    async def _has(self, key_id: str) -> bool:
        return any(password.key_id == key_id for password in await self.passwords())

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            return await self._graph.request(method, self._path + path, body)
        except SyncError as error:
            refused = _as_rotation_refusal(error)
        raise refused


def _as_rotation_refusal(error: SyncError) -> SyncError:
    """A 4xx that is not transient: the tenant's policy, or the application may not manage itself."""
    status = error.context.get("status", 0)
    is_refusal = isinstance(status, int) and 400 <= status < 500 and status not in TRANSIENT
    if error.fault in {Fault.GRAPH_FORBIDDEN, Fault.GRAPH_REFUSED, Fault.GRAPH_UNREADABLE} and is_refusal:
        fault = _POLICIES.get(str(error.context.get("error")), Fault.GRAPH_ROTATION_FORBIDDEN)
        return CredentialsWrong(fault, **error.context)
    return error


def _password(each: object) -> Password | None:
    """None for what has no id or no date."""
    if not isinstance(each, Mapping):
        return None
    key_id, end = each.get("keyId"), each.get("endDateTime")
    if not isinstance(key_id, str) or not isinstance(end, str):
        return None
    try:
        day = date.fromisoformat(end[:10])
    except ValueError:
        return None
    return Password(cleaned(key_id, 60), cleaned(each.get("displayName")), cleaned(each.get("hint"), 10), day)
