"""Presence calls (Graph reference: presence: setPresence, clearPresence, setUserPreferredPresence, ...)."""

from datetime import UTC, datetime, timedelta
from re import Match
from typing import Any

from sandbox.graph.responses import GraphCall, GraphError, GraphResponse, bad_request, body_object, not_found
from sandbox.state import World
from sandbox.world.people import TeamsUser
from sandbox.world.presence import (
    CHOSEN_PAIRS,
    LONGEST_SESSION,
    SESSION_PAIRS,
    SHORTEST_SESSION,
    Chosen,
    Session,
    StatusMessage,
    live_message,
    live_session,
    parse_duration,
    shown,
)

MOST_IDS = 650
_LONGEST_MESSAGE = 280


def _user(world: World, found: Match[str]) -> TeamsUser:
    user = world.teams_user(found["id"])
    if user is None:
        raise not_found(found["id"])
    if user.refusal:
        raise GraphError(user.refusal, "Forbidden", "The user has no licence for Microsoft Teams.")
    return user


def _text(call: GraphCall, name: str) -> str:
    value = body_object(call).get(name)
    if not isinstance(value, str) or not value:
        raise bad_request(f"The {name} field is required.")
    return value


def _check_session(world: World, call: GraphCall) -> None:
    if _text(call, "sessionId").lower() != world.saved.registration.client_id:
        raise bad_request("Invalid sessionId: it must be the ID of the calling application.")


def _pair(call: GraphCall, allowed: frozenset[tuple[str, str]]) -> tuple[str, str]:
    pair = _text(call, "availability"), _text(call, "activity")
    if pair not in allowed:
        raise bad_request(
            f"The combination of availability '{pair[0][:40]}' and activity '{pair[1][:40]}' is not supported."
        )
    return pair


def _duration(call: GraphCall, default: timedelta) -> timedelta:
    given = body_object(call).get("expirationDuration")
    if given is None:
        return default
    duration = parse_duration(given) if isinstance(given, str) else None
    if duration is None:
        raise bad_request("expirationDuration is not a valid ISO 8601 duration.")
    return duration


def set_presence(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    _check_session(world, call)
    availability, activity = _pair(call, SESSION_PAIRS)
    duration = _duration(call, SHORTEST_SESSION)
    if not SHORTEST_SESSION <= duration <= LONGEST_SESSION:
        raise bad_request("expirationDuration must be between PT5M and PT4H.")
    now = world.now()
    user = _user(world, found)
    if not world.saved.faults.graph_hides:
        user.session = Session(availability, activity, now, now + duration)
    return _written(world)


def clear_presence(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    _check_session(world, call)
    user = _user(world, found)
    if live_session(user.session, world.now()) is None:
        raise GraphError(404, "NotFound", "The presence session was not found.")
    user.session = None
    return _written(world)


def set_preferred(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    availability, activity = _pair(call, CHOSEN_PAIRS)
    short = availability in ("Busy", "DoNotDisturb")
    duration = _duration(call, timedelta(days=1 if short else 7))
    if not timedelta(0) < duration <= timedelta(days=7):
        raise bad_request("expirationDuration is out of range.")
    _user(world, found).chosen = Chosen(availability, activity, world.now() + duration)
    return _written(world)


def clear_preferred(world: World, _: GraphCall, found: Match[str]) -> GraphResponse:
    _user(world, found).chosen = None
    return _written(world)


def set_status_message(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    status = body_object(call).get("statusMessage")
    message = status.get("message") if isinstance(status, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if (
        not isinstance(status, dict)
        or not isinstance(message, dict)
        or not isinstance(content, str)
        or len(content) > _LONGEST_MESSAGE
    ):
        raise bad_request("The statusMessage field is required.")
    if message.get("contentType", "text") != "text":
        raise bad_request("Only the text content type is supported.")
    expires_at = _expiry(status.get("expiryDateTime"))
    _user(world, found).status_message = StatusMessage(content, expires_at) if content else None
    return _written(world)


def _expiry(given: Any) -> datetime | None:
    """The time in a ``dateTimeTimeZone``; the sandbox supports UTC only."""
    if given is None:
        return None
    try:
        if given["timeZone"] != "UTC":
            raise ValueError(given["timeZone"])
        return datetime.fromisoformat(given["dateTime"]).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        raise bad_request("expiryDateTime is not a valid dateTimeTimeZone.") from None


def _written(world: World) -> GraphResponse:
    world.journal.counts.presence_writes += 1
    world.changed()
    return GraphResponse(200)


def presence_json(world: World, user: TeamsUser) -> dict[str, Any]:
    seen = shown(user.client, user.session, user.chosen, world.now())
    drifts, is_call = world.saved.faults.graph_drift, seen.activity.startswith("InA")
    message = live_message(user.status_message, world.now())
    return {
        "id": user.id,
        "availability": _spelled(world, seen.activity if drifts and is_call else seen.availability),
        "activity": _spelled(world, seen.activity),
        "outOfOfficeSettings": {"message": None, "isOutOfOffice": False},
        "statusMessage": {"message": {"content": message, "contentType": "text"}} if message else None,
    }


def _spelled(world: World, value: str) -> str:
    """Graph sometimes returns the values in camelCase, and the activity of a call as availability too."""
    return value[0].lower() + value[1:] if world.saved.faults.graph_drift else value


def _check_readable(world: World) -> None:
    if world.saved.faults.graph_unreadable:
        raise GraphError(403, "Forbidden", "The application may not read presence.")


def get_presence(world: World, call: GraphCall, found: Match[str]) -> GraphResponse:
    _check_readable(world)
    context = f"{call.base}/$metadata#users('{found['id']}')/presence/$entity"
    return GraphResponse(body={"@odata.context": context, **presence_json(world, _user(world, found))})


def get_presences(world: World, call: GraphCall, _: Match[str]) -> GraphResponse:
    _check_readable(world)
    ids = body_object(call).get("ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) for each in ids):
        raise bad_request("The ids field is required.")
    if len(ids) > MOST_IDS:
        raise bad_request(f"The number of ids exceeds the maximum of {MOST_IDS}.")
    users = [user for each in ids if (user := world.teams_user(each))]
    value = [presence_json(world, user) for user in users]
    context = f"{call.base}/$metadata#Collection(microsoft.graph.presence)"
    return GraphResponse(body={"@odata.context": context, "value": value})
