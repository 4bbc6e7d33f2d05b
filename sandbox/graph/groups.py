"""Groups and who is in them (Graph reference: group: list, group: get, group: list transitiveMembers)."""

import re
from re import Match
from typing import Any
from uuid import UUID

from sandbox.entra import tokens
from sandbox.graph.directory import check_query, link, page_size, read_position, selection
from sandbox.graph.responses import GraphCall, GraphResponse, bad_request, not_found
from sandbox.state import World
from sandbox.world.people import Group

_BY_NAME = re.compile(r"displayName eq '((?:[^']|'')*)'")
_DEFAULT = ("id", "displayName", "visibility")


def _properties(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "displayName": group.name,
        "visibility": "HiddenMembership" if group.hidden else None,
        "securityEnabled": True,
        "groupTypes": [],
    }


def _group_json(call: GraphCall, group: Group) -> dict[str, Any]:
    properties = _properties(group)
    return {name: properties[name] for name in selection(call, properties, _DEFAULT, "microsoft.graph.group")}


def list_groups(world: World, call: GraphCall, _: Match[str]) -> GraphResponse:
    """All groups, or with ``$filter`` those of a name, whose letter case does not count."""
    check_query(call, "$filter", "$select", "$top")
    wanted = call.query.get("$filter")
    found = _BY_NAME.fullmatch(wanted) if wanted else None
    if wanted and found is None:
        raise bad_request("Invalid filter clause.", "Request_UnsupportedQuery")
    name = found[1].replace("''", "'").lower() if found else None
    groups = [group for group in world.saved.groups if name is None or group.name.lower() == name]
    values = [_group_json(call, group) for group in groups[: page_size(world, call)]]
    return GraphResponse(body={"@odata.context": f"{call.base}/$metadata#groups", "value": values})


def get_group(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    check_query(call, "$select")
    return GraphResponse(body=_group_json(call, _found(world, found["id"])))


def transitive_members(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    """A page of the users and groups in a group, directly or through another, each once.

    Those of a group with hidden members are not listed.
    """
    check_query(call, "$select", "$top", "$skiptoken")
    group, size = _found(world, found["id"]), page_size(world, call)
    selection(call, {"id": ""}, ("id",), "microsoft.graph.directoryObject")
    place = read_position(world, call, "$skiptoken", group.id)["from"] if "$skiptoken" in call.query else 0
    members = [] if group.hidden else _members(world, group)
    answer: dict[str, Any] = {
        "@odata.context": f"{call.base}/$metadata#directoryObjects",
        "value": [{"@odata.type": kind, "id": name} for name, kind in members[place : place + size]],
    }
    if place + size < len(members):
        kept = {name: call.query[name] for name in ("$top", "$select") if name in call.query}
        position = tokens.sign_position(world, group.id, {"from": place + size})
        path = f"groups/{group.id}/transitiveMembers"
        answer["@odata.nextLink"] = link(call, path, kept | {"$skiptoken": position})
    return GraphResponse(body=answer)


def _found(world: World, group_id: str) -> Group:
    try:
        UUID(group_id)
    except ValueError:
        raise bad_request(f"Invalid object identifier '{group_id[:80]}'.", "Request_BadRequest") from None
    group = world.group(group_id)
    if group is None:
        raise not_found(group_id)
    return group


def _members(world: World, group: Group) -> list[tuple[str, str]]:
    """The members with their types, in a fixed order; groups that contain each other are no trap."""
    seen: dict[str, str] = {}
    waiting = list(group.members)
    while waiting:
        name = waiting.pop(0)
        inner = world.group(name)
        if name in seen or name == group.id or (inner is None and world.teams_user(name) is None):
            continue
        seen[name] = "#microsoft.graph.group" if inner else "#microsoft.graph.user"
        waiting += inner.members if inner else []
    return list(seen.items())
