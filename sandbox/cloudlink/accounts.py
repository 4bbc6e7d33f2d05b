"""CloudLink's admin service: the account and its users."""

from typing import Any

from aiohttp import web

from sandbox.cloudlink.authentication import check_bearer, role
from sandbox.cloudlink.responses import (
    VERSION,
    CloudLinkError,
    bad_request,
    collection,
    not_found,
    own_url,
    respond,
)
from sandbox.http import WORLD
from sandbox.state import World
from sandbox.world.people import DOMAIN, Person, stable_id


def _check_access(request: web.Request) -> World:
    world = request.app[WORLD]
    check_bearer(request)
    if role(world) != "ACCOUNT_ADMIN":
        raise CloudLinkError(403, "forbidden", "This needs the role ACCOUNT_ADMIN.")
    if request.match_info["account"] != world.saved.account.id:
        raise not_found()
    return world


async def account(request: web.Request) -> web.Response:
    saved = _check_access(request).saved.account
    return respond(request, {"accountId": saved.id, "name": saved.name, "region": saved.region, "status": "ACTIVE"})


def user_json(world: World, person: Person) -> dict[str, Any]:
    """A user as CloudLink returns it, including the SIP password, which the product must not store."""
    user = {
        "userId": person.id,
        "accountId": world.saved.account.id,
        "name": person.name,
        "displayName": person.name,
        "role": "USER",
        "siteId": stable_id(f"site/{person.site}"),
    }
    if person.address:
        user["email"] = person.address
    if person.extension:
        user["extension"] = person.extension
        user["sipAddress"] = f"sip:{person.extension}@{DOMAIN}"
        user["sipPassword"] = stable_id(f"sip/{person.id}").replace("-", "")[:16]
    return user


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal() or len(text) > 6:
        raise bad_request(f"{name} must be a number.")
    return int(text)


async def users(request: web.Request) -> web.Response:
    world = _check_access(request)
    if unknown := sorted(request.query.keys() - {"$top", "$skip", "$expand"}):
        raise bad_request(f"The option {unknown[0][:40]} is not supported.")
    skip, top = _number(request, "$skip", 0), _number(request, "$top", world.saved.page_size)
    end = skip + min(max(top, 1), world.saved.page_size)
    everybody = [] if world.saved.faults.cloudlink_empty_list else world.saved.people
    people = [user_json(world, person) for person in everybody[skip:end]]
    more = end < len(everybody)
    path = f"admin/{VERSION}/accounts/{world.saved.account.id}/users?$top={top}&$skip={end}"
    return respond(request, collection(people, own_url(request, path) if more else None))
