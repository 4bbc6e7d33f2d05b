"""Entra ID: discovery as msal asks for it, and the token endpoint for client credentials.

Microsoft identity platform: OAuth 2.0 client credentials flow; authentication and authorization error codes.
"""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox import assertions
from sandbox.entra import tokens
from sandbox.entra.registration import SecretVerdict
from sandbox.http import WORLD, json_response, origin
from sandbox.state import World

GRAPH = "https://graph.microsoft.com"
TOKEN_LIFETIME = 3599
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)


@dataclass(eq=False)
class EntraError(Exception):
    """A refused token request, in Entra's words."""

    code: int
    error: str
    status: int
    text: str

    def as_json(self, world: World) -> dict[str, Any]:
        trace, correlation = world.new_id(), world.new_id()
        stamp = f"{world.now():%Y-%m-%d %H:%M:%SZ}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


def check_tenant(world: World, tenant: str) -> None:
    """Raises ``EntraError`` for a tenant that is malformed or unknown."""
    if not _TENANT.fullmatch(tenant):
        raise EntraError(
            900023,
            "invalid_request",
            400,
            f"Specified tenant identifier '{tenant[:80]}' is neither a valid DNS name, nor a valid external "
            "domain.",
        )
    if not world.saved.registration.knows_tenant(tenant):
        raise EntraError(
            90002,
            "invalid_tenant",
            400,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
            "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )


def _check_client(world: World, client_id: str) -> None:
    registration = world.saved.registration
    if client_id.lower() != registration.client_id or registration.deleted:
        text = (
            f"Application with identifier '{client_id[:80]}' was not found in the directory "
            f"'{registration.organisation}'."
        )
        raise EntraError(700016, "unauthorized_client", 400, text)
    if not registration.service_principal:
        tenant_id = registration.tenant_id
        text = f"The client application {client_id} is missing service principal in the tenant {tenant_id}."
        raise EntraError(7000229, "invalid_client", 401, text)
    if registration.disabled:
        text = f"Application '{client_id}'({registration.name}) is disabled."
        raise EntraError(7000112, "unauthorized_client", 400, text)


def _check_secret(world: World, client_id: str, value: str) -> None:
    verdict = world.saved.registration.check_secret(value, world.now())
    if verdict is SecretVerdict.WRONG:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
            f"value, not the client secret ID, for a secret added to app '{client_id}'."
        )
        raise EntraError(7000215, "invalid_client", 401, text)
    if verdict is SecretVerdict.EXPIRED:
        text = f"The provided client secret keys for app '{client_id}' are expired."
        raise EntraError(7000222, "invalid_client", 401, text)


def _check_proof(world: World, form: dict[str, str]) -> None:
    """A secret, or a signed assertion instead of it."""
    if form.get("client_assertion") and form.get("client_assertion_type") == assertions.TYPE:
        try:
            assertions.check(world.saved.registration, form["client_assertion"], world.now())
        except assertions.BadAssertion as error:
            raise EntraError(error.code, "invalid_client", 401, error.text) from None
    elif form.get("client_secret"):
        _check_secret(world, form["client_id"], form["client_secret"])
    else:
        text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        raise EntraError(7000218, "invalid_client", 401, text)


def _check_scope(scope: str, own_origin: str) -> str:
    """The requested resource."""
    resource, _, suffix = scope.rpartition("/")
    if suffix != ".default":
        text = (
            f"The provided value for scope {scope[:80]} is not valid. Client credential flows must have a scope "
            "value with /.default suffixed to the resource identifier (application ID URI)."
        )
        raise EntraError(1002012, "invalid_scope", 400, text)
    if resource.rstrip("/") not in (GRAPH, own_origin):
        text = f"The resource principal named {resource[:80]} was not found in the tenant."
        raise EntraError(500011, "invalid_resource", 400, text)
    return resource.rstrip("/")


def grant(world: World, tenant: str, form: dict[str, str], own_origin: str) -> dict[str, Any]:
    """The token response to a form. Raises ``EntraError``."""
    check_tenant(world, tenant)
    for name in ("grant_type", "client_id", "scope"):
        if not form.get(name):
            text = f"The request body must contain the following parameter: '{name}'."
            raise EntraError(900144, "invalid_request", 400, text)
    if form["grant_type"] != "client_credentials":
        text = "The app requested an unsupported grant type."
        raise EntraError(70003, "unsupported_grant_type", 400, text)
    _check_client(world, form["client_id"])
    _check_proof(world, form)
    audience = _check_scope(form["scope"], own_origin)
    if world.saved.registration.conditional_access:
        text = (
            "Access has been blocked by Conditional Access policies. "
            "The access policy does not allow token issuance."
        )
        raise EntraError(53003, "invalid_grant", 400, text)
    return _token(world, audience)


def _token(world: World, audience: str) -> dict[str, Any]:
    registration = world.saved.registration
    access_token = tokens.issue(
        world,
        TOKEN_LIFETIME,
        aud=audience,
        iss=f"https://sts.windows.net/{registration.tenant_id}/",
        appid=registration.client_id,
        app_displayname=registration.name,
        idtyp="app",
        tid=registration.tenant_id,
        ver="1.0",
        uti=world.new_id(),
        **({"roles": registration.roles} if registration.roles else {}),
    )
    return {
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME,
        "ext_expires_in": TOKEN_LIFETIME,
        "access_token": access_token,
    }


def _outage() -> web.Response:
    return web.Response(status=503, text="<html><body>Service Unavailable</body></html>", content_type="text/html")


async def token(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    if world.saved.faults.entra_outage:
        return _outage()
    try:
        if world.saved.faults.entra_transient:
            text = "A transient error has occurred. Please try again."
            raise EntraError(90033, "temporarily_unavailable", 503, text)
        if world.takes_refusal("entra"):
            raise EntraError(7000215, "invalid_client", 401, "Invalid client secret provided.")
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        return json_response(grant(world, request.match_info["tenant"], form, origin(request)))
    except EntraError as error:
        return json_response(error.as_json(world), error.status)


async def openid_configuration(request: web.Request) -> web.Response:
    """The tenant's discovery document. Its addresses use https, as msal requires."""
    world = request.app[WORLD]
    if world.saved.faults.entra_outage:
        return _outage()
    try:
        check_tenant(world, request.match_info["tenant"])
    except EntraError as error:
        return json_response(error.as_json(world), error.status)
    tenant_id = world.saved.registration.tenant_id
    base = f"https://{request.host}/{tenant_id}"
    return json_response(
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{base}/v2.0",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }
    )


async def instance_discovery(request: web.Request) -> web.Response:
    """Which login hosts belong together: this one has no aliases."""
    asked = request.query.get("authorization_endpoint", "")
    tenant = asked.split("/")[3] if asked.count("/") > 3 else "common"
    return json_response(
        {
            "tenant_discovery_endpoint": f"https://{request.host}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [
                {"preferred_network": request.host, "preferred_cache": request.host, "aliases": [request.host]}
            ],
        }
    )


def routes() -> list[web.RouteDef]:
    return [
        web.get("/common/discovery/instance", instance_discovery),
        web.get("/{tenant}/v2.0/.well-known/openid-configuration", openid_configuration),
        web.post("/{tenant}/oauth2/v2.0/token", token),
    ]
