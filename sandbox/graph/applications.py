"""The app registration and its secrets (Graph reference: application: get, addPassword, removePassword)."""

from datetime import datetime
from re import Match
from typing import Any

from sandbox.entra.registration import Registration, Secret
from sandbox.graph.directory import check_query
from sandbox.graph.responses import GraphCall, GraphResponse, bad_request, body_object, iso, not_found
from sandbox.state import World

_DEFAULT_DAYS = 730
_LONGEST_NAME = 120


def _credential(secret: Secret) -> dict[str, Any]:
    return {
        "customKeyIdentifier": None,
        "displayName": secret.description,
        "endDateTime": iso(secret.end),
        "hint": secret.hint,
        "keyId": secret.key_id,
        "secretText": None,
        "startDateTime": iso(secret.start),
    }


def _found(world: World, found: Match[str]) -> Registration:
    registration = world.saved.registration
    ids = {"object": registration.object_id, "app": registration.client_id}
    if registration.deleted or ids[found.lastgroup or ""] != found[found.lastgroup or ""].lower():
        raise not_found(found[found.lastgroup or ""])
    return registration


def get_application(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    check_query(call, "$select")
    registration = _found(world, found)
    properties = {
        "id": registration.object_id,
        "appId": registration.client_id,
        "displayName": registration.name,
        "signInAudience": "AzureADMyOrg",
        "passwordCredentials": [_credential(secret) for secret in registration.secrets],
    }
    names = [name for name in call.query.get("$select", "").split(",") if name] or list(properties)
    if unknown := set(names) - properties.keys():
        raise bad_request(
            f"Could not find a property named '{min(unknown)[:80]}' on type 'microsoft.graph.application'."
        )
    return GraphResponse(body={name: properties[name] for name in names})


def add_password(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    """A new secret; this response is the only one with its text."""
    registration = _found(world, found)
    requested = body_object(call).get("passwordCredential") or {}
    if not isinstance(requested, dict):
        raise bad_request("Invalid value specified for property 'passwordCredential'.", "Request_BadRequest")
    name = requested.get("displayName") or ""
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise bad_request("Invalid value specified for property 'displayName'.", "Request_BadRequest")
    days, delay = _days(world, requested.get("endDateTime")), world.saved.faults.secret_delay_seconds
    _check_policy(world, days)
    secret = registration.add_secret(name, days, world.now(), world.random, delay)
    world.changed()
    return GraphResponse(body={**_credential(secret), "secretText": secret.value})


def _check_policy(world: World, days: float) -> None:
    """The tenant's app management policy (Graph reference: appManagementConfiguration)."""
    faults = world.saved.faults
    if faults.secrets_forbidden:
        message = "Credential type not allowed as per assigned policy."
        raise bad_request(message, "CredentialTypeNotAllowedAsPerAppPolicy")
    if 0 < faults.longest_secret_days < days:
        message = "Credential lifetime exceeds the max value allowed as per assigned policy."
        raise bad_request(message, "CredentialInvalidLifetimeAsPerAppPolicy")


def _days(world: World, end: Any) -> float:
    if end is None:
        return _DEFAULT_DAYS
    try:
        days = (datetime.fromisoformat(end) - world.now()).total_seconds() / 86400
    except (TypeError, ValueError):
        days = 0.0
    if days <= 0:
        raise bad_request("Invalid value specified for property 'endDateTime'.", "Request_BadRequest")
    return days


def remove_password(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    registration = _found(world, found)
    key_id = body_object(call).get("keyId")
    secret = registration.secret(key_id) if isinstance(key_id, str) else None
    if secret is None:
        raise bad_request("No password credential found with keyId.", "Request_BadRequest")
    registration.secrets.remove(secret)
    world.changed()
    return GraphResponse(204)
