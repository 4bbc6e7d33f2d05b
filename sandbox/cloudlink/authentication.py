"""CloudLink's tokens: client credentials, refresh, and a token's owner."""

from typing import Any

from aiohttp import web

from sandbox.cloudlink.responses import CloudLinkError, bad_request, refused, respond
from sandbox.entra import tokens
from sandbox.http import WORLD, BadJson, json_body
from sandbox.state import World

LIFETIME = 3747
_REFRESH_LIFETIME = 30 * 86400
_AUDIENCE, _REFRESH = "mitel.io", "mitel.io/refresh"
_REGION, _ISSUING_REGION = "eu", "eu-central-1"


async def token(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    try:
        body = await json_body(request)
    except BadJson as error:
        raise bad_request(str(error)) from None
    if not isinstance(body, dict):
        raise bad_request("The body must be an object.")
    grants = {"client_credentials": _check_credentials, "refresh_token": _check_refresh}
    check = grants.get(str(body.get("grant_type")))
    if check is None:
        raise CloudLinkError(400, "unsupported_grant_type", "The grant type is not supported.")
    check(world, body)
    return respond(request, _granted(world))


def _check_credentials(world: World, body: dict[str, Any]) -> None:
    account = world.saved.account
    expected = {"client_id": account.client_id, "client_secret": account.client_secret, "account_id": account.id}
    if any(body.get(name) != value for name, value in expected.items()):
        raise refused()


def _check_refresh(world: World, body: dict[str, Any]) -> None:
    claims = tokens.read(world, f"Bearer {body.get('refresh_token') or body.get('token')}")
    if (
        claims is None
        or claims.get("aud") != _REFRESH
        or claims.get("generation") != world.saved.account.generation
    ):
        raise CloudLinkError(401, "invalid_grant", "The refresh token is not valid.")


def _granted(world: World) -> dict[str, Any]:
    """As in Mitel's sample, the claims ``domain`` and ``iss`` name the account's region."""
    claims = {
        "accountId": world.saved.account.id,
        "domain": f"{world.saved.account.id}.{world.saved.account.region or _REGION}.api.mitel.io",
        "iss": f"https://authentication.{_ISSUING_REGION}.api.mitel.io",
        "generation": world.saved.account.generation,
        "jti": world.new_id(),
    }
    return {
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "access_token": tokens.issue(world, LIFETIME, aud=_AUDIENCE, **claims),
        "refresh_token": tokens.issue(world, _REFRESH_LIFETIME, aud=_REFRESH, **claims),
        "scope": "",
    }


def check_bearer(request: web.Request) -> None:
    """Raises ``CloudLinkError`` unless the request carries a valid access token of this account."""
    world = request.app[WORLD]
    claims = tokens.read(world, request.headers.get("Authorization"))
    if (
        claims is None
        or claims.get("aud") != _AUDIENCE
        or claims.get("generation") != world.saved.account.generation
    ):
        raise CloudLinkError(401, "invalid_token", "The access token is missing, expired or not valid.")


async def who_am_i(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    check_bearer(request)
    return respond(
        request,
        {"accountId": world.saved.account.id, "role": role(world), "clientId": world.saved.account.client_id},
    )


def role(world: World) -> str:
    return "USER" if world.saved.faults.cloudlink_not_admin else "ACCOUNT_ADMIN"
