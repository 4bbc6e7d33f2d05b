"""An application's own registration in Graph: its client secrets, added and removed.

Sources: Graph reference, "application: addPassword" (``secretText`` is told this once), "application:
removePassword", "passwordCredential resource type" (``hint`` is the secret's first three characters). Reading
needs Application.Read.All, changing Application.ReadWrite.OwnedBy and the application as an owner of itself.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from core.clock import Clock
from core.correlation import new_cause
from core.http import TooLarge, cleaned, read_capped, retry_after
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.model import Service
from sync.domain.services import NewPassword, Password
from sync.teams.batch import CLIENT_REQUEST_ID
from sync.teams.presence import log_refusal
from sync.teams.tokens import Tokens, roles_in

LARGEST_ANSWER = 1_000_000
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5, sock_connect=5)
WRITE_ROLES = frozenset({"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"})
READ_ROLES = WRITE_ROLES | {"Application.Read.All"}


class Applications:
    """One application's registration, by itself; ``http`` belongs to the caller.

    Every call raises ``CredentialsWrong`` (GRAPH_ROTATION_FORBIDDEN, and what Entra says) and
    ``ServiceUnavailable``.
    """

    def __init__(
        self, http: aiohttp.ClientSession, graph_url: str, tokens: Tokens, client_id: str, clock: Clock
    ) -> None:
        self._http = http
        self._url = f"{graph_url.rstrip('/')}/v1.0/applications(appId='{quote(client_id, safe='')}')"
        self._tokens = tokens
        self._clock = clock

    async def may_read(self) -> bool:
        return await self._has_any(READ_ROLES)

    async def may_rotate(self) -> bool:
        return await self._has_any(WRITE_ROLES)

    async def _has_any(self, wanted: frozenset[str]) -> bool:
        """Whether its token says so; or a fresh one, for an administrator may have consented since."""
        if await self._says_any(wanted):
            return True
        self._tokens.forget()
        return await self._says_any(wanted)

    async def _says_any(self, wanted: frozenset[str]) -> bool:
        roles = roles_in(await self._tokens.token())
        return roles is None or bool(roles & wanted)

    async def passwords(self) -> list[Password]:
        """Its client secrets, expired ones too."""
        answer = await self._ask("GET", "?$select=passwordCredentials")
        found = answer.get("passwordCredentials") if isinstance(answer, Mapping) else None
        if not isinstance(found, list):
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        return [password for each in found if (password := _password(each))]

    async def add_password(self, name: str, expires_at: datetime) -> NewPassword:
        """A new client secret called ``name`` (at most 120 letters)."""
        wish = {"displayName": name, "endDateTime": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        answer = await self._ask("POST", "/addPassword", {"passwordCredential": wish})
        added, secret = _password(answer), answer.get("secretText") if isinstance(answer, Mapping) else None
        if added is None or not isinstance(secret, str) or not secret:
            raise ServiceUnavailable(Fault.GRAPH_UNREADABLE)
        return NewPassword(added.key_id, secret, added.expires_on)

    async def remove_password(self, key_id: str) -> None:
        """That it is not there (any more) is success."""
        refused: CredentialsWrong | None = None
        try:
            await self._ask("POST", "/removePassword", {"keyId": key_id})
        except CredentialsWrong as error:
            refused = error
        if refused and (refused.context.get("status") != 400 or await self._has(key_id)):
            raise refused

    async def _has(self, key_id: str) -> bool:
        return any(password.key_id == key_id for password in await self.passwords())

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Graph's answer, decoded; a refused token is replaced and the call made again, once."""
        outcome = await self._outcome(method, path, body)
        if isinstance(outcome, CredentialsWrong) and outcome.context.get("status") == 401:
            self._tokens.forget()
            outcome = await self._outcome(method, path, body)
        if isinstance(outcome, SyncError):
            raise outcome
        return outcome

    async def _outcome(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        headers = {
            "Authorization": f"Bearer {await self._tokens.token()}",
            "Content-Type": "application/json",
            CLIENT_REQUEST_ID: new_cause(),
        }
        sent = None if body is None else orjson.dumps(body)
        try:
            async with self._http.request(
                method,
                self._url + path,
                data=sent,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                trace_request_ctx=Service.GRAPH,
            ) as response:
                content = await read_capped(response.content.iter_any(), LARGEST_ANSWER)
                if response.status in {200, 201, 204}:
                    return orjson.loads(content) if content else None
                log_refusal(response)
                return self._trouble(response, content)
        except (TooLarge, orjson.JSONDecodeError, aiohttp.ClientPayloadError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREADABLE, error=type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return ServiceUnavailable(Fault.GRAPH_UNREACHABLE, error=type(error).__name__)

    def _trouble(self, response: aiohttp.ClientResponse, content: bytes) -> SyncError:
        status = response.status
        wait = retry_after(response.headers.get("Retry-After"), self._clock())
        if status == 429:
            return ServiceUnavailable(Fault.GRAPH_THROTTLED, wait)
        if 400 <= status < 500 and status not in {408, 409, 423}:
            return CredentialsWrong(Fault.GRAPH_ROTATION_FORBIDDEN, status=status, error=_code(content))
        fault = Fault.GRAPH_UNREACHABLE if status >= 500 else Fault.GRAPH_UNREADABLE
        return ServiceUnavailable(fault, wait, status=status)


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


def _code(content: bytes) -> str:
    try:
        error = orjson.loads(content)["error"]["code"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return cleaned(error, 60)
