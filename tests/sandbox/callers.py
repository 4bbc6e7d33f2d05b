"""Small clients for the sandbox's services."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from multidict import CIMultiDictProxy

from tests.support.services.sandboxes import SandboxHandle

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Answer:
    status: int
    body: Any
    headers: CIMultiDictProxy[str]

    @property
    def code(self) -> str:
        """Graph's error code."""
        return str(self.body["error"]["code"])


async def call(
    sandbox: SandboxHandle,
    method: str,
    path: str,
    body: Any = None,
    token: str | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Any call, with a JSON body unless it is None."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = path if path.startswith("http") else sandbox.url + path
    sent = {} if body is None else {"json": body}
    async with sandbox.session.request(method, url, headers=headers, params=params, **sent) as response:
        is_json = response.content_type == "application/json"
        return Answer(response.status, await response.json() if is_json else None, response.headers)


async def ask_entra(sandbox: SandboxHandle, tenant: str | None = None, **form: str) -> Answer:
    """Ask for a Graph token with the registration's own credentials, except for the fields in ``form``."""
    registration = sandbox.world.saved.registration
    own = {
        "grant_type": "client_credentials",
        "client_id": registration.client_id,
        "client_secret": registration.secrets[0].value,
        "scope": GRAPH_SCOPE,
    }
    url = f"{sandbox.url}/{tenant or registration.tenant_id}/oauth2/v2.0/token"
    async with sandbox.session.post(url, data=own | form) as response:
        return Answer(response.status, await response.json(), response.headers)


@dataclass
class Graph:
    """Graph as the registered application calls it."""

    sandbox: SandboxHandle
    token: str

    async def get(self, path: str, **params: str) -> Answer:
        options = {f"${name}": value for name, value in params.items()}
        prefix = "" if path.startswith("http") else "/v1.0"
        return await call(self.sandbox, "GET", prefix + path, token=self.token, params=options or None)

    async def post(self, path: str, body: Any = None) -> Answer:
        return await call(self.sandbox, "POST", f"/v1.0{path}", body, token=self.token)

    async def batch(self, *requests: Any) -> Answer:
        return await self.post("/$batch", {"requests": list(requests)})


async def signed_in(sandbox: SandboxHandle) -> Graph:
    return Graph(sandbox, (await ask_entra(sandbox)).body["access_token"])


@dataclass
class CloudLink:
    """CloudLink as the account's client calls it."""

    sandbox: SandboxHandle
    token: str

    async def get(self, path: str) -> Answer:
        return await call(self.sandbox, "GET", path, token=self.token)

    async def post(self, path: str, body: Any) -> Answer:
        return await call(self.sandbox, "POST", path, body, token=self.token)

    async def delete(self, path: str) -> Answer:
        return await call(self.sandbox, "DELETE", path, token=self.token)

    async def subscribe(self, url: str, **differences: Any) -> Answer:
        body = {
            "applicationId": "test",
            "deviceId": url,
            "transport": "webhook",
            "topic": "platform-api-media",
            "subjectFilter": "/2017-09-01/endpoints/",
        }
        return await self.post("/notifications/2017-09-01/subscriptions", body | differences)


async def ask_cloudlink(sandbox: SandboxHandle, **differences: Any) -> Answer:
    """Ask for a CloudLink token with the account's own credentials, except for ``differences``."""
    account = sandbox.world.saved.account
    own = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "account_id": account.id,
    }
    return await call(sandbox, "POST", "/authentication/2017-09-01/token", own | differences)


async def connected(sandbox: SandboxHandle) -> CloudLink:
    return CloudLink(sandbox, (await ask_cloudlink(sandbox)).body["access_token"])
