"""Users, their changes, and the organisation (Graph reference: user: list, user: delta, organization: list)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from re import Match
from typing import Any
from urllib.parse import quote

from sandbox.entra import tokens
from sandbox.graph.responses import GraphCall, GraphError, GraphResponse, bad_request, not_found
from sandbox.state import World
from sandbox.world.people import TeamsUser

LARGEST_PAGE = 999
DELTA_LIFETIME = timedelta(days=7)
_MORE = ("delta page", "$skiptoken", "@odata.nextLink")
_LAST = ("delta", "$deltatoken", "@odata.deltaLink")
_DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)


def _properties(user: TeamsUser) -> dict[str, Any]:
    given, _, surname = user.name.partition(" ")
    return {
        "id": user.id,
        "displayName": user.name,
        "givenName": given,
        "surname": surname,
        "userPrincipalName": user.upn,
        "mail": user.mail,
        "proxyAddresses": user.proxy_addresses,
        "accountEnabled": user.enabled,
        "userType": "Guest" if user.guest else "Member",
        "businessPhones": [],
        "mobilePhone": None,
        "jobTitle": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "otherMails": [],
        "department": None,
    }


def selection(call: GraphCall, known: Iterable[str], default: tuple[str, ...], kind: str) -> tuple[str, ...]:
    wanted = tuple(name.strip() for name in call.query.get("$select", "").split(",") if name.strip())
    if unknown := set(wanted) - set(known):
        name = sorted(unknown)[0][:80]
        raise bad_request(
            f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{kind}'."
        )
    return wanted or default


def check_query(call: GraphCall, *understood: str) -> None:
    """Raises ``GraphError`` for a query option that this call does not support."""
    if unknown := sorted(call.query.keys() - set(understood)):
        raise bad_request(f"Unsupported query option '{unknown[0][:40]}'.", "Request_UnsupportedQuery")


def _user_json(user: TeamsUser, names: tuple[str, ...]) -> dict[str, Any]:
    properties = _properties(user)
    return {name: properties[name] for name in names}


def _user_selection(call: GraphCall) -> tuple[str, ...]:
    known = _properties(TeamsUser("", "", "", None))
    return selection(call, known, _DEFAULT, "microsoft.graph.user")


def page_size(world: World, call: GraphCall) -> int:
    top = call.query.get("$top", "100")
    if not top.isdecimal() or not 1 <= int(top[:9]) <= LARGEST_PAGE:
        message = f"Invalid page size specified: '{top[:20]}'. Must be between 1 and {LARGEST_PAGE} inclusive."
        raise bad_request(message, "Request_UnsupportedQuery")
    return min(int(top), world.saved.page_size)


def read_position(world: World, call: GraphCall, option: str, kind: str) -> dict[str, Any]:
    content = tokens.read_position(world, kind, call.query[option])
    if content is None:
        raise bad_request(f"Parameter '{option[1:]}' value is invalid.", "Request_BadRequest")
    return content


def list_users(world: World, call: GraphCall, _: Match[str]) -> GraphResponse:
    check_query(call, "$top", "$select", "$skiptoken")
    names, size = _user_selection(call), page_size(world, call)
    start = read_position(world, call, "$skiptoken", "users")["from"] if "$skiptoken" in call.query else 0
    users = [user for user in world.saved.teams if not user.removed]
    answer: dict[str, Any] = {
        "@odata.context": f"{call.base}/$metadata#users({','.join(names)})",
        "value": [_user_json(user, names) for user in users[start : start + size]],
    }
    if start + size < len(users):
        kept = {name: call.query[name] for name in ("$top", "$select") if name in call.query}
        position = tokens.sign_position(world, "users", {"from": start + size})
        answer["@odata.nextLink"] = link(call, "users", kept | {"$skiptoken": position})
    return GraphResponse(body=answer)


def link(call: GraphCall, path: str, query: dict[str, str]) -> str:
    return f"{call.base}/{path}?" + "&".join(f"{name}={quote(value, safe=',')}" for name, value in query.items())


def get_user(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    check_query(call, "$select")
    user = world.teams_user(found["id"]) or _by_upn(world, found["id"])
    if user is None:
        raise not_found(found["id"])
    return GraphResponse(body=_user_json(user, _user_selection(call)))


def _by_upn(world: World, upn: str) -> TeamsUser | None:
    return next((user for user in world.saved.teams if user.upn.lower() == upn.lower() and not user.removed), None)


def delta(world: World, call: GraphCall, _: Match[str]) -> GraphResponse:
    """The users, then their changes. As in Graph, a page with a next one may be empty, and users may repeat."""
    check_query(call, "$select", "$skiptoken", "$deltatoken")
    if "$skiptoken" in call.query:
        place = read_position(world, call, "$skiptoken", "delta page")
    elif "$deltatoken" in call.query:
        place = _resume(world, call)
    else:
        place = {"since": -1, "select": ",".join(_user_selection(call))}
    return GraphResponse(body=_delta_page(world, call, place))


def _resume(world: World, call: GraphCall) -> dict[str, Any]:
    kept = read_position(world, call, "$deltatoken", "delta")
    if world.now().timestamp() - kept["at"] > DELTA_LIFETIME.total_seconds():
        message = "The specified sync state is not found. Perform a full resynchronization."
        raise GraphError(410, "syncStateNotFound", message)
    return {"since": kept["since"], "select": kept["select"]}


def _delta_page(world: World, call: GraphCall, place: dict[str, Any]) -> dict[str, Any]:
    """One page. Of several, the second is empty and the last repeats the first user."""
    names, size, start = tuple(place["select"].split(",")), world.saved.page_size, place.get("from", 0)
    users = _changed_since(world, place["since"])
    page = [] if place.get("empty") else users[start : start + size]
    end = start + len(page)
    if last := end >= len(users):
        page = page + users[:1] if start else page
        position = {"since": world.saved.directory_version, "at": world.now().timestamp()}
    else:
        position = {"since": place["since"], "from": end, "empty": start == 0}
    kind, option, name = _LAST if last else _MORE
    position_token = tokens.sign_position(world, kind, {"select": place["select"], **position})
    return {
        "@odata.context": f"{call.base}/$metadata#users({','.join(names)})",
        name: link(call, "users/delta", {option: position_token}),
        "value": [_changed_json(user, names) for user in page],
    }


def _changed_since(world: World, version: int) -> list[TeamsUser]:
    """A removed user is returned only to a caller that has seen the user before."""
    _note_changes(world)
    return [user for user in world.noted.values() if user.changed > version and (version >= 0 or not user.removed)]


def _note_changes(world: World) -> None:
    """Number what differs from the last time, by a control or not: users that are gone were removed."""
    found = {user.id: user for user in world.saved.teams}
    gone = {id_: replace(user, removed=True) for id_, user in world.noted.items() if id_ not in found}
    for id_, user in (found | gone).items():
        before = world.noted.get(id_)
        differs = before is None or before.removed != user.removed or _properties(before) != _properties(user)
        if world.noted and differs and user.changed <= (before.changed if before else 0):
            world.saved.directory_version += 1
            user.changed = world.saved.directory_version
    world.noted = {id_: replace(user) for id_, user in (found | gone).items()}


def _changed_json(user: TeamsUser, names: tuple[str, ...]) -> dict[str, Any]:
    if user.removed:
        return {"id": user.id, "@removed": {"reason": "changed"}}
    return {**_user_json(user, names), "id": user.id}


def organization(world: World, call: GraphCall, _: Match[str]) -> GraphResponse:
    registration = world.saved.registration
    properties = {
        "id": registration.tenant_id,
        "displayName": registration.organisation,
        "countryLetterCode": "PT",
        "tenantType": "AAD",
        "verifiedDomains": [
            {"name": name, "isDefault": place == 0, "isInitial": place == 1, "type": "Managed", "capabilities": ""}
            for place, name in enumerate(registration.domains)
        ],
    }
    check_query(call, "$select", "$top")
    names = selection(call, properties, tuple(properties), "microsoft.graph.organization")
    context = f"{call.base}/$metadata#organization"
    return GraphResponse(body={"@odata.context": context, "value": [{name: properties[name] for name in names}]})
