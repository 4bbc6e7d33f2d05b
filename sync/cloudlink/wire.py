"""Tolerant parsing of what CloudLink sends into our own values. Pure: no I/O.

The webhook's envelope is documented (CloudLink developer site, "Subscriptions"), users and collections are
seen in client code, and the shapes of endpoints and of do-not-disturb are assumed. Unknown fields are ignored;
a missing one that nothing can replace is ``Malformed``. Ids may be paths (``endpoints/2001/calls/33656066`` in
Mitel's sample notification): the last segment is the id.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from core.errors import CloudLinkPresenceError
from core.text import visible
from sync.cloudlink.tables import WireTables
from sync.domain.phone_events import (
    CallEvent,
    CallSnapshot,
    CallState,
    CloudLinkUser,
    EndpointEvent,
    LineSnapshot,
    Notification,
)

LONGEST_TEXT = 200
LATEST_TIME = 253_402_300_800_000
"""The year 10000, in milliseconds: later times are invalid."""

Fields = Mapping[str, Any]


class Malformed(CloudLinkPresenceError, ValueError):
    """CloudLink's JSON lacks an indispensable value; ``field`` says which and where."""

    def __init__(self, field: str) -> None:
        super().__init__(f"missing or unreadable: {field}")
        self.field = field


def parse_notification(body: object, tables: WireTables) -> Notification:
    """A webhook's decoded JSON body, validated. Raises ``Malformed``, and nothing else, whatever ``body`` is."""
    envelope = _object(body, "body")
    content = _object(envelope.get("content"), "content")
    publisher = _optional_object(envelope.get("publisher"))
    subscription = _optional_object(envelope.get("subscription"))
    notification = _optional_object(envelope.get("notification"))
    account_id = text_of(content.get("accountId")) or text_of(publisher.get("accountId"))
    return Notification(
        account_id=_required(account_id, "content.accountId"),
        subscription_id=_required(subscription_id_of(subscription), "subscription.subscriptionId"),
        correlation_id=text_of(notification.get("correlationId")),
        event=_event(envelope, content, tables),
    )


def _event(envelope: Fields, content: Fields, tables: WireTables) -> CallEvent | EndpointEvent:
    """The event type decides the kind; without one, whether a call is named.

    An event of an unknown type changes nothing, unless it is CSTA's: its type is stored as the name of the state.
    """
    subject = _path_of(text_of(content.get("callId"))) | _path_of(text_of(envelope.get("subject")))
    call_id = id_of(content.get("callId")) or subject.get("calls", "")
    kind = text_of(content.get("eventType"))
    known = not kind or tables.is_call_event(kind) or tables.is_endpoint_event(kind)
    common: dict[str, Any] = {
        "event_id": _required(
            text_of(content.get("eventId")) or text_of(envelope.get("publicationId")), "content.eventId"
        ),
        "extension": _required(
            id_of(content.get("endpointId")) or subject.get("endpoints", ""), "content.endpointId"
        ),
        "user_id": _first_id(content, tables.user_fields),
        "site_id": _first_id(content, tables.site_fields),
        "at": _notified_at(envelope, content),
    }
    if tables.is_call_event(kind) or (call_id and not tables.is_endpoint_event(kind)):
        name = text_of(content.get("state")) if known else kind
        state, doubtful = _call_state(content, tables) if known else (tables.call_state(kind), True)
        return CallEvent(
            **common,
            call_id=_required(call_id, "content.callId"),
            state=state,
            state_name=name or _csta_event(content),
            conference=_in_conference(content, state, tables),
            doubtful=doubtful and state is CallState.ENDED,
        )
    return EndpointEvent(
        **common,
        do_not_disturb=_flag(content, tables.do_not_disturb_fields) if known else None,
        state_name=tables.endpoint_state(text_of(content.get("state"))) if known else kind,
    )


def _path_of(path: str) -> dict[str, str]:
    """Ids by what they identify, from ``/2017-09-01/endpoints/2001/calls/{callId}`` or a part of it."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    start = len(parts) % 2
    return dict(zip(parts[start::2], parts[start + 1 :: 2], strict=True))


def _first_id(fields: Fields, names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := id_of(fields.get(name)))), "")


def _call_state(fields: Fields, tables: WireTables) -> tuple[CallState | None, bool]:
    """A call's state, and whether it is doubtful: not named by ``state`` but by the CSTA event, or only guessed.

    Ends are believed generously: a missed one leaves a person "In a call".
    """
    name, event = text_of(fields.get("state")), _csta_event(fields)
    if state := tables.call_state(name):
        return state, False
    if state := tables.call_state(event):
        return state, True
    is_over = tables.sounds_ended(name) or tables.sounds_ended(event)
    return (CallState.ENDED if is_over else None), True


def _csta_event(fields: Fields) -> str:
    return text_of(_optional_object(fields.get("extraPbxData")).get("eventType"))


def _notified_at(envelope: Fields, content: Fields) -> int:
    created = _optional_object(envelope.get("notification")).get("createdOn")
    return _milliseconds(content.get("timestamp")) or _milliseconds(created) or 0


def parse_user(item: object) -> CloudLinkUser | None:
    """One item of an account's users; None when it is not one. Its SIP password is dropped here."""
    if not isinstance(item, Mapping) or not (user_id := id_of(item.get("userId"))):
        return None
    address = _visible(item.get("email"), 320).replace(" ", "")
    name = _visible(item.get("displayName")) or _visible(item.get("name")) or address or user_id
    site_id = id_of(item.get("siteId"))
    return CloudLinkUser(user_id, name, address, _visible(item.get("extension")) or None, site_id)


def parse_snapshot(endpoint: object, calls: object, tables: WireTables) -> LineSnapshot:
    """An endpoint and its calls (the collection, or its items). Ended calls are left out.

    ``at`` is the newest time in either, 0 without one, for CloudLink need not give any. Raises ``Malformed``.
    """
    phone = _object(endpoint, "endpoint")
    items = calls if isinstance(calls, list | tuple) else page_items(calls)
    ongoing = [_call(item, index, tables) for index, item in enumerate(items) if isinstance(item, Mapping)]
    times = [_milliseconds(phone.get("timestamp")) or 0, *(call.at for call in ongoing)]
    return LineSnapshot(
        extension=_required(id_of(phone.get("endpointId")), "endpoint.endpointId"),
        user_id=_first_id(phone, tables.user_fields),
        site_id=_first_id(phone, tables.site_fields),
        state_name=tables.endpoint_state(text_of(phone.get("state"))),
        do_not_disturb=_flag(phone, tables.do_not_disturb_fields),
        calls=tuple(call for call in ongoing if call.state is not CallState.ENDED),
        at=max(times),
    )


def _call(item: Fields, index: int, tables: WireTables) -> CallSnapshot:
    state, _ = _call_state(item, tables)
    return CallSnapshot(
        call_id=_call_id(item) or f"unnamed-{index}",
        state=state,
        state_name=text_of(item.get("state")) or _csta_event(item),
        conference=_in_conference(item, state, tables),
        at=_milliseconds(item.get("timestamp")) or 0,
    )


def _call_id(item: Fields) -> str:
    own = _optional_object(item.get("_links")).get("self")
    return id_of(item.get("callId")) or id_of(item.get("id")) or id_of(_optional_object(own).get("href") or own)


def subscription_id_of(item: object) -> str:
    """The id of a subscription, which one public client reads from ``id``; empty without one."""
    fields = _optional_object(item)
    return id_of(fields.get("subscriptionId")) or id_of(fields.get("id"))


def page_items(page: object) -> list[Any]:
    """The items of ``{"count": N, "_links": {...}, "_embedded": {"items": [...]}}``; raises ``Malformed``.

    One public client reads a list as bare, or as ``{"items": [...]}``. An empty collection may lack its items. An
    object with neither items nor a count of 0 is no collection: read as an empty one, an account would seem to have
    lost all its people.
    """
    if isinstance(page, list):
        return page
    collection = _object(page, "collection")
    embedded = collection.get("_embedded")
    is_empty = isinstance(embedded, Mapping) or collection.get("count") == 0
    items = _optional_object(embedded).get("items", collection.get("items", [] if is_empty else None))
    if not isinstance(items, list):
        raise Malformed("_embedded.items")
    return items


def next_link(page: object) -> str:
    """The link to the next page, empty on the last; a link is a string or ``{"href": ...}``. A bare list has none.

    Raises ``Malformed`` for a link that cannot be read: without it the list would seem to end here.
    """
    if isinstance(page, list):
        return ""
    link = _optional_object(_object(page, "collection").get("_links")).get("next")
    if isinstance(link, Mapping):
        link = link.get("href")
    address = text_of(link, 4000)
    if link and not address:
        raise Malformed("_links.next")
    return address


def text_of(value: object, limit: int = LONGEST_TEXT) -> str:
    """A string or a whole number as text; empty for anything else, and for what is too long or unprintable."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    if not isinstance(value, str):
        return ""
    text = value.strip()
    return text if len(text) <= limit and text.isprintable() else ""


def id_of(value: object) -> str:
    """An id: of a path its last segment."""
    _, slash, last = text_of(value, 1000).rstrip("/").rpartition("/")
    return text_of(unquote(last) if slash else last)


def _visible(value: object, limit: int = LONGEST_TEXT) -> str:
    """As ``text_of``, without the invisible characters that come with pasted text."""
    return text_of(visible(value) if isinstance(value, str) else value, limit)


def _in_conference(fields: Fields, state: CallState | None, tables: WireTables) -> bool:
    extra = _optional_object(fields.get("extraPbxData"))
    flags = (_flag(fields, tables.conference_fields), _flag(extra, tables.conference_fields))
    return state is CallState.CONFERENCED or any(flags)


def _flag(fields: Fields, names: tuple[str, ...]) -> bool | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
    return None


def _milliseconds(value: object) -> int | None:
    """Milliseconds since the epoch, as a number, digits or an ISO 8601 time."""
    if isinstance(value, str):
        value = _from_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value < LATEST_TIME else None


def _from_text(text: str) -> float | None:
    try:
        if text.isdecimal() and len(text) <= 20:
            return int(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
    except (ValueError, OverflowError):
        return None


def _required(value: str, field: str) -> str:
    if not value:
        raise Malformed(field)
    return value


def _object(value: object, field: str) -> Fields:
    if not isinstance(value, Mapping):
        raise Malformed(field)
    return value


def _optional_object(value: object) -> Fields:
    return value if isinstance(value, Mapping) else {}
