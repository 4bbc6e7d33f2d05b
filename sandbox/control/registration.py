"""Controls of the credentials on both sides: the app registration and the CloudLink client."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.assertions import read_certificate
from sandbox.control.guard import PREFIX, ControlError, fields_sent, flag, number, text
from sandbox.control.view import secret_json
from sandbox.entra.registration import PERMISSIONS, FederatedCredential, Secret
from sandbox.http import WORLD, json_response
from sandbox.state import World


def _done(world: World) -> web.Response:
    world.changed()
    return json_response({})


def _secret(request: web.Request) -> Secret:
    secret = request.app[WORLD].saved.registration.secret(request.match_info["key"])
    if secret is None:
        raise ControlError(404, "There is no such secret.")
    return secret


async def _add_secret(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    fields = await fields_sent(request, "description", "days")
    description, days = text(fields, "description", "Client secret"), number(fields, "days", 180, 0.0001, 730)
    delay = world.saved.faults.secret_delay_seconds
    secret = world.saved.registration.add_secret(description, days, world.now(), world.random, delay)
    world.changed()
    return json_response(secret_json(secret, world.now()))


async def _expire_secret(request: web.Request) -> web.Response:
    await fields_sent(request)
    _secret(request).end = request.app[WORLD].now()
    return _done(request.app[WORLD])


async def _remove_secret(request: web.Request) -> web.Response:
    request.app[WORLD].saved.registration.secrets.remove(_secret(request))
    return _done(request.app[WORLD])


async def _add_certificate(request: web.Request) -> web.Response:
    """Upload the public part of a certificate, as the portal takes it."""
    world = request.app[WORLD]
    pem = text(await fields_sent(request, "pem"), "pem", longest=10_000)
    try:
        certificate = read_certificate(pem)
    except ValueError:
        raise ControlError(400, "That is not a certificate in PEM.") from None
    world.saved.registration.certificates.append(certificate)
    world.changed()
    return json_response({"thumbprint": certificate.thumbprint})


async def _remove_certificate(request: web.Request) -> web.Response:
    registration, thumbprint = request.app[WORLD].saved.registration, request.match_info["thumbprint"].lower()
    kept = [each for each in registration.certificates if each.thumbprint != thumbprint]
    if len(kept) == len(registration.certificates):
        raise ControlError(404, "There is no such certificate.")
    registration.certificates = kept
    return _done(request.app[WORLD])


async def _federate(request: web.Request) -> web.Response:
    """Accept an issuer's tokens in place of the application's secret."""
    fields = await fields_sent(request, "issuer", "subject", "audience", "publicKey")
    issuer, subject = text(fields, "issuer", longest=500), text(fields, "subject", longest=500)
    public_key = text(fields, "publicKey", longest=10_000)
    audience = text(fields, "audience", "api://AzureADTokenExchange")
    credential = FederatedCredential(issuer, subject, audience, public_key)
    request.app[WORLD].saved.registration.federated.append(credential)
    return _done(request.app[WORLD])


async def _permissions(request: web.Request) -> web.Response:
    fields = await fields_sent(request, *PERMISSIONS)
    changes = {name: flag(fields, name) for name in fields}
    request.app[WORLD].saved.registration.permissions.update(changes)
    return _done(request.app[WORLD])


def _switch(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def switch(request: web.Request) -> web.Response:
        setattr(request.app[WORLD].saved.registration, name, flag(await fields_sent(request, "on"), "on"))
        return _done(request.app[WORLD])

    return switch


async def _new_cloudlink_secret(request: web.Request) -> web.Response:
    """A new secret; the old one and every token issued with it stop working."""
    await fields_sent(request)
    world = request.app[WORLD]
    world.saved.account.client_secret = world.new_secret()
    world.saved.account.generation += 1
    world.changed()
    return json_response({"clientSecret": world.saved.account.client_secret})


def routes() -> list[web.RouteDef]:
    registration = f"{PREFIX}/registration"
    return [
        web.post(f"{registration}/secrets", _add_secret),
        web.post(f"{registration}/secrets/{{key}}/expire", _expire_secret),
        web.delete(f"{registration}/secrets/{{key}}", _remove_secret),
        web.post(f"{registration}/certificates", _add_certificate),
        web.delete(f"{registration}/certificates/{{thumbprint}}", _remove_certificate),
        web.post(f"{registration}/federated", _federate),
        web.post(f"{registration}/permissions", _permissions),
        web.post(f"{registration}/disabled", _switch("disabled")),
        web.post(f"{registration}/deleted", _switch("deleted")),
        web.post(f"{registration}/service-principal", _switch("service_principal")),
        web.post(f"{registration}/conditional-access", _switch("conditional_access")),
        web.post(f"{PREFIX}/cloudlink/secret", _new_cloudlink_secret),
    ]
