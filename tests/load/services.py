"""Entra ID, Microsoft Graph and CloudLink for a whole fleet, kept cheap: they share the machine.

They check what a load could break: a token is valid for its own tenant only, and no tenant gets more of Graph than
the quota. They accept any other request; the sandbox is the strict one.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import orjson
from aiohttp import web

from tests.load.fleet import SHOWN_IN_A_CALL, Phone, Tenant, all_phones

WINDOW = 30.0
VERSION = "2017-09-01"
FREE = ("Available", "Available")
ROLES = ["User.Read.All", "Presence.ReadWrite.All"]


class Services:
    """Serves the fleet; ``counts`` are the requests; ``latencies`` pair a time with its delay at Graph."""

    def __init__(self, fleet: list[Tenant], quota: int) -> None:
        self._quota = quota
        self._by_entra = {tenant.tenant_id: tenant for tenant in fleet}
        self._by_account = {tenant.account_id: tenant for tenant in fleet}
        self._by_token: dict[str, Tenant] = {}
        self._by_teams_id = {phone.teams_id: phone for phone in all_phones(fleet)}
        self.counts: Counter[str] = Counter()
        self.latencies: list[tuple[float, float]] = []

    def forget(self) -> None:
        """Reset the counts and measurements."""
        self.counts.clear()
        self.latencies.clear()

    # Entra ID

    async def discovery(self, request: web.Request) -> web.Response:
        base = f"https://{request.host}/{request.match_info['tenant']}"
        names = {"token_endpoint": "oauth2/v2.0/token", "authorization_endpoint": "oauth2/v2.0/authorize"}
        found = {name: f"{base}/{path}" for name, path in names.items()}
        return _json({**found, "issuer": f"{base}/v2.0", "jwks_uri": f"{base}/discovery/v2.0/keys"})

    async def entra_token(self, request: web.Request) -> web.Response:
        self.counts["tokens of Entra ID"] += 1
        form = await request.post()
        tenant = self._by_entra[request.match_info["tenant"]]
        if (form.get("client_id"), form.get("client_secret")) != (tenant.client_id, tenant.client_secret):
            self.counts["refused credentials"] += 1
            return _json({"error": "invalid_client", "error_description": "AADSTS7000215: wrong"}, 401)
        claims = {"tid": tenant.tenant_id, "roles": ROLES, "jti": self.counts["tokens of Entra ID"]}
        token = f"e30.{base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip('=')}.x"
        self._by_token[token] = tenant
        return _json({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _bearer(self, request: web.Request) -> Tenant:
        tenant = self._by_token.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if tenant is None:
            self.counts["refused tokens"] += 1
            raise web.HTTPUnauthorized
        return tenant

    # Microsoft Graph

    async def batch(self, request: web.Request) -> web.Response:
        tenant = self._bearer(request)
        inner = orjson.loads(await request.read())["requests"]
        self.counts["batches"] += 1
        self.counts["presence requests"] += len(inner)
        over = self._spend(tenant, len(inner))
        responses = [
            {"id": each["id"], "status": 429, "headers": {"Retry-After": "10"}}
            if over
            else {"id": each["id"], "status": self._presence(tenant, each)}
            for each in inner
        ]
        return _json({"responses": responses})

    def _spend(self, tenant: Tenant, requests: int) -> bool:
        """Whether the quota has no room for so many more."""
        now = monotonic()
        tenant.spent = [(at, number) for at, number in tenant.spent if at > now - WINDOW]
        if sum(number for _, number in tenant.spent) + requests > self._quota:
            self.counts["requests over the quota"] += requests
            return True
        tenant.spent.append((now, requests))
        return False

    def _presence(self, tenant: Tenant, each: dict[str, Any]) -> int:
        _, _, user, _, action = each["url"].split("/")
        phone = self._by_teams_id.get(user)
        if phone is None or phone.tenant is not tenant:
            self.counts["requests for another tenant"] += 1
            return 404
        body = each["body"]
        if action == "setStatusMessage":
            phone.message = body["statusMessage"]["message"]["content"]
            return 200
        phone.shown = (body["availability"], body["activity"]) if action == "setPresence" else None
        if phone.shown == phone.wanted and phone.wanted_since is not None:
            now = monotonic()
            self.latencies.append((now, now - phone.wanted_since))
            tenant.latencies.append(now - phone.wanted_since)
            phone.wanted_since = None
        elif phone.shown not in (None, SHOWN_IN_A_CALL):
            self.counts["unexpected presences"] += 1
        return 200

    async def presences(self, request: web.Request) -> web.Response:
        tenant = self._bearer(request)
        if self._spend(tenant, 1):
            return web.Response(status=429, headers={"Retry-After": "10"})
        self.counts["presences read"] += 1
        phones = [self._by_teams_id[each] for each in orjson.loads(await request.read())["ids"]]
        return _json(
            {
                "value": [
                    {
                        "id": phone.teams_id,
                        **dict(zip(("availability", "activity"), phone.shown or FREE, strict=True)),
                        "statusMessage": {"message": {"content": phone.message}},
                    }
                    for phone in phones
                ]
            }
        )

    async def organisation(self, request: web.Request) -> web.Response:
        return _json({"value": [{"id": self._bearer(request).tenant_id, "displayName": "Tenant"}]})

    async def directory(self, request: web.Request) -> web.Response:
        """Everybody, and later that nobody has changed."""
        self.counts["directories read"] += 1
        tenant = self._bearer(request)
        link = {"@odata.deltaLink": f"http://{request.host}{request.path}?$deltatoken=latest"}
        if "$deltatoken" in request.query:
            return _json({"value": [], **link})
        users = [
            {
                "id": phone.teams_id,
                "userPrincipalName": phone.address,
                "mail": phone.address,
                "accountEnabled": True,
            }
            for phone in tenant.phones
        ]
        return _json({"value": users, **link})

    # CloudLink

    async def cloudlink_token(self, request: web.Request) -> web.Response:
        self.counts["tokens of CloudLink"] += 1
        body = orjson.loads(await request.read())
        tenant = self._by_account.get(body.get("account_id", ""))
        if tenant is None or body.get("client_secret") != tenant.cloudlink_secret:
            self.counts["refused credentials"] += 1
            return _json({"error": "invalid_client"}, 401)
        token = f"cloudlink {tenant.number} {self.counts['tokens of CloudLink']}"
        self._by_token[token] = tenant
        return _json({"token_type": "Bearer", "expires_in": 3747, "access_token": token})

    async def users(self, request: web.Request) -> web.Response:
        tenant = self._bearer(request)
        return _collection(
            {"userId": phone.user_id, "email": phone.address, "extension": phone.extension}
            for phone in tenant.phones
        )

    def _phone(self, request: web.Request) -> Phone:
        return self._bearer(request).phones[int(request.match_info["extension"]) - 2000]

    async def endpoint(self, request: web.Request) -> web.Response:
        self.counts["phones polled"] += 1
        phone = self._phone(request)
        await asyncio.sleep(phone.tenant.answer_seconds)
        changed = {"timestamp": phone.changed_ms} if phone.changed_ms else {}
        return _json({"endpointId": phone.extension, "userId": phone.user_id, **changed})

    async def calls(self, request: web.Request) -> web.Response:
        phone = self._phone(request)
        if not phone.state:
            return _collection([])
        return _collection([{"callId": phone.call_id, "state": phone.state, "timestamp": phone.changed_ms}])

    async def subscriptions(self, request: web.Request) -> web.Response:
        self.counts["subscriptions looked up"] += 1
        return _collection({"subscriptionId": each} for each in self._bearer(request).subscriptions)

    async def subscribe(self, request: web.Request) -> web.Response:
        self.counts["subscriptions renewed"] += 1
        tenant = self._bearer(request)
        name = f"{tenant.number}-{self.counts['subscriptions renewed']}"
        tenant.subscriptions[name] = orjson.loads(await request.read())["deviceId"]
        return _json({"subscriptionId": name}, 201)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        self._bearer(request).subscriptions.pop(request.match_info["subscription"], None)
        return web.Response(status=204)

    def routes(self) -> list[web.RouteDef]:
        endpoint = f"/media/{VERSION}/endpoints/{{extension}}"
        subscriptions = f"/notifications/{VERSION}/subscriptions"
        return [
            web.post("/v1.0/$batch", self.batch),
            web.post("/v1.0/communications/getPresencesByUserId", self.presences),
            web.get(endpoint, self.endpoint),
            web.get(endpoint + "/calls", self.calls),
            web.get("/v1.0/users/delta()", self.directory),
            web.get("/v1.0/organization", self.organisation),
            web.post(f"/authentication/{VERSION}/token", self.cloudlink_token),
            web.get(f"/admin/{VERSION}/accounts/{{account}}/users", self.users),
            web.get(subscriptions, self.subscriptions),
            web.post(subscriptions, self.subscribe),
            web.delete(subscriptions + "/{subscription}", self.unsubscribe),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self.discovery),
            web.post("/{tenant}/oauth2/v2.0/token", self.entra_token),
        ]


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[str]:
    """The services on a free port of this machine; yields their address."""
    application = web.Application()
    application.add_routes(services.routes())
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _collection(items: Iterable[Any]) -> web.Response:
    listed = list(items)
    return _json({"count": len(listed), "_links": {}, "_embedded": {"items": listed}})
