"""CloudLink's JSON, as documented, as assumed, and as malformed as can be."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cloudlink.tables import WireTables
from sync.cloudlink.wire import (
    Malformed,
    next_link,
    page_items,
    parse_notification,
    parse_snapshot,
    parse_user,
)
from sync.domain.phone_events import CallEvent, CallSnapshot, CallState, CloudLinkUser, EndpointEvent, Notification
from tests.support.properties import unhurried

TABLES = WireTables()


def call_body(**content: Any) -> dict[str, Any]:
    """The documented webhook body; ``content`` overrides or adds, and None removes."""
    fields = {
        "state": "ringing",
        "cause": "normal",
        "direction": "incoming",
        "from": "2002",
        "to": "2001",
        "endpointId": "2001",
        "userId": "user-1",
        "accountId": "account-1",
        "callId": "call-1",
        "timestamp": 1_700_000_000_000,
        "eventId": "event-1",
        "eventType": "CallStateNotification",
        "extraPbxData": {},
        **content,
    }
    return {
        "publicationId": "publication-1",
        "topic": "platform-api-media",
        "method": "PUT",
        "subject": "/2017-09-01/endpoints/2001/calls/call-1",
        "content": {name: value for name, value in fields.items() if value is not None},
        "publisher": {"accountId": "account-1"},
        "subscription": {"subscriptionId": "subscription-1"},
        "notification": {"createdOn": "2023-11-14T22:13:21Z", "correlationId": "correlation-1"},
    }


def phone_body(**content: Any) -> dict[str, Any]:
    changes = {"eventType": "EndpointStateNotification", "callId": None, "state": "idle", **content}
    return {**call_body(**changes), "subject": "/2017-09-01/endpoints/2001"}


def call_in(body: dict[str, Any], tables: WireTables = TABLES) -> CallEvent:
    event = parse_notification(body, tables).event
    assert isinstance(event, CallEvent)
    return event


def phone_in(body: dict[str, Any], tables: WireTables = TABLES) -> EndpointEvent:
    event = parse_notification(body, tables).event
    assert isinstance(event, EndpointEvent)
    return event


def test_the_documented_body() -> None:
    assert parse_notification(call_body(), TABLES) == Notification(
        account_id="account-1",
        subscription_id="subscription-1",
        correlation_id="correlation-1",
        event=CallEvent(
            event_id="event-1",
            extension="2001",
            user_id="user-1",
            call_id="call-1",
            state=CallState.RINGING,
            state_name="ringing",
            conference=False,
            at=1_700_000_000_000,
        ),
    )


def test_an_unknown_state_keeps_its_name_and_changes_nothing() -> None:
    event = call_in(call_body(state="levitating"))
    assert (event.state, event.state_name) == (None, "levitating")


def test_mitels_own_sample() -> None:
    body = call_body(
        callId="endpoints/2001/calls/33656066",
        siteId="site-1",
        extraPbxData={
            "alertingDevice": "2001",
            "calledDevice": "2001",
            "eventType": "deliveredEvent",
            "callTrackingID": "7",
        },
    )
    event = call_in(body)
    assert (event.extension, event.site_id, event.call_id) == ("2001", "site-1", "33656066")
    assert (event.state, event.doubtful) == (CallState.RINGING, False)


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        ({"callId": "endpoints/2001/calls/33656066"}, ""),
        ({"callId": "/2017-09-01/endpoints/2001/calls/33656066/"}, ""),
        ({"callId": "33656066"}, "/2017-09-01/endpoints/2001/calls/33656066"),
        ({"callId": 33656066, "endpointId": "endpoints/2001"}, ""),
        ({"endpointId": None}, "/2017-09-01/endpoints/2001/calls/33656066"),
        ({"endpointId": None, "callId": "endpoints/2001/calls/33656066"}, ""),
        ({"endpointId": None, "callId": None}, "https://media.example/2017-09-01/endpoints/2001/calls/33656066"),
        ({"endpointId": "endpoints/%32001", "callId": "endpoints/2001/calls/3365%36066"}, ""),
        ({"callId": None}, "/2017-09-01/endpoints/2001/calls/33656066"),
    ],
)
def test_an_id_is_the_last_segment_of_a_path(content: dict[str, Any], subject: str) -> None:
    given = {"endpointId": "2001", "callId": "33656066", **content}
    event = call_in({**call_body(**given), "subject": subject})
    assert (event.extension, event.call_id) == ("2001", "33656066")


@pytest.mark.parametrize(
    ("state", "csta", "expected", "doubtful"),
    [
        ("ringing", "connectionClearedEvent", CallState.RINGING, False),
        ("levitating", "connectionClearedEvent", CallState.ENDED, True),
        ("levitating", "CallCleared", CallState.ENDED, True),
        (None, "DIVERTEDEVENT", CallState.ENDED, True),
        ("", "transfered", CallState.ENDED, True),
        ("xx", "transferredEvent", CallState.ENDED, True),
        ("xx", "failedEvent", CallState.ENDED, True),
        ("xx", "serviceInitiatedEvent", CallState.ORIGINATED, False),
        ("xx", "networkReached", CallState.ORIGINATED, False),
        ("xx", "delivered_event", CallState.RINGING, False),
        ("xx", "establishedEvent", CallState.CONNECTED, False),
        ("xx", "retrieved", CallState.CONNECTED, False),
        ("xx", "heldEvent", CallState.HELD, False),
        ("xx", "conferencedEvent", CallState.CONFERENCED, False),
        ("xx", "queuedEvent", CallState.UNCHANGED, False),
        ("null", "", CallState.ENDED, False),
        ("fail", "", CallState.ENDED, False),
        ("initiated", "", CallState.ORIGINATED, False),
        ("hold", "", CallState.HELD, False),
        ("queued", "", CallState.UNCHANGED, False),
        ("connectionClearedEvent", "", CallState.ENDED, False),
        ("partyHungUp", "", CallState.ENDED, True),
        ("xx", "callDisconnectedEvent", CallState.ENDED, True),
        ("xx", "yy", None, False),
        (None, None, None, False),
    ],
)
def test_csta_is_the_second_source_of_a_state_and_ends_are_believed_generously(
    state: str | None, csta: str | None, expected: CallState | None, doubtful: bool
) -> None:
    event = call_in(call_body(state=state, extraPbxData={"eventType": csta}))
    assert (event.state, event.doubtful) == (expected, doubtful)
    item = {"callId": "a", "state": state, "extraPbxData": {"eventType": csta}}
    found = parse_snapshot(ENDPOINT, [item], TABLES).calls
    assert [call.state for call in found] == ([] if expected is CallState.ENDED else [expected])


def test_an_event_type_of_csta_is_a_calls_state_too() -> None:
    event = call_in(call_body(state="levitating", eventType="ConnectionClearedEvent"))
    assert (event.state, event.doubtful) == (CallState.ENDED, True)


def test_an_unknown_event_type_changes_nothing() -> None:
    event = call_in(call_body(eventType="RecordingNotification", state="ended"))
    assert (event.state, event.state_name) == (None, "RecordingNotification")
    phone = phone_in(phone_body(eventType="BatteryNotification", state="offline", doNotDisturb=True))
    assert (phone.do_not_disturb, phone.state_name) == (None, "BatteryNotification")


@pytest.mark.parametrize(
    "content",
    [{"state": "conferenced"}, {"extraPbxData": {"conference": True}}, {"conference": "true"}],
)
def test_a_conference_in_its_three_forms(content: dict[str, Any]) -> None:
    assert call_in(call_body(**{"state": "connected", **content})).conference is True


def test_a_conference_flag_of_another_type_is_no_conference() -> None:
    assert call_in(call_body(state="connected", extraPbxData={"conference": "perhaps"})).conference is False
    assert call_in(call_body(state="connected", extraPbxData="conference")).conference is False


def test_a_subscription_may_be_named_by_its_id() -> None:
    body = {**call_body(), "subscription": {"id": "subscriptions/subscription-1"}}
    assert parse_notification(body, TABLES).subscription_id == "subscription-1"


def test_a_missing_field_has_a_second_source() -> None:
    event = call_in(call_body(endpointId=None, callId=None, eventId=None, eventType=None))
    assert (event.extension, event.call_id, event.event_id) == ("2001", "call-1", "publication-1")
    assert parse_notification(call_body(accountId=None), TABLES).account_id == "account-1"


@pytest.mark.parametrize("extension", [2001, " 2001 "])
def test_an_extension_may_be_a_number(extension: object) -> None:
    assert call_in(call_body(endpointId=extension)).extension == "2001"


@pytest.mark.parametrize(
    "timestamp",
    [
        *(1_700_000_000_000, 1_700_000_000_000.0, "1700000000000", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20"),
        *("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.0000000Z"),
    ],
)
def test_a_time_in_its_forms(timestamp: object) -> None:
    assert call_in(call_body(timestamp=timestamp)).at == 1_700_000_000_000


@pytest.mark.parametrize(
    "timestamp", [None, True, -1, 0, float("nan"), float("inf"), 10**400, "soon", [], "9" * 30]
)
def test_an_unreadable_time_falls_back_on_the_notifications(timestamp: object) -> None:
    body = call_body(timestamp=timestamp)
    assert call_in(body).at == 1_700_000_001_000
    del body["notification"]["createdOn"]
    assert call_in(body).at == 0


@pytest.mark.parametrize(
    ("content", "flag"),
    [
        ({"doNotDisturb": True, "state": "idle"}, True),
        ({"doNotDisturb": False, "state": "doNotDisturb"}, False),
        ({"doNotDisturb": "true"}, True),
        ({"doNotDisturb": 1}, None),
        ({"state": "doNotDisturb"}, None),
    ],
)
def test_the_flag_decides_and_not_the_state_name(content: dict[str, Any], flag: bool | None) -> None:
    assert phone_in(phone_body(**content)).do_not_disturb is flag


def test_an_unregistered_phone_is_offline_by_any_name() -> None:
    assert phone_in(phone_body(state="Unregistered")).state_name == "offline"


def test_corrected_tables_are_used() -> None:
    tables = WireTables(
        call_events=frozenset({"linechanged"}), do_not_disturb_fields=("dnd",), conference_fields=("isConf",)
    )
    assert call_in(call_body(eventType="LineChanged", state="held"), tables).state is CallState.HELD
    assert call_in(call_body(eventType="LineChanged", isConf=True), tables).conference is True
    assert phone_in(phone_body(doNotDisturb=True, dnd=False), tables).do_not_disturb is False
    owners = WireTables(user_fields=("ownerId", "userId"), site_fields=())
    event = call_in(call_body(ownerId="user-2", siteId="site-1"), owners)
    assert (event.user_id, event.site_id) == ("user-2", "")
    assert call_in(call_body(), WireTables(user_fields=())).user_id == ""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ([], "body"),
        ("{}", "body"),
        ({}, "content"),
        ({**call_body(), "content": []}, "content"),
        ({**call_body(), "subscription": None}, "subscription.subscriptionId"),
        ({**call_body(), "subscription": {"subscriptionId": "x" * 201}}, "subscription.subscriptionId"),
        ({**call_body(accountId=None), "publisher": "account-1"}, "content.accountId"),
        ({**call_body(endpointId=None), "subject": "/2017-09-01"}, "content.endpointId"),
        ({**call_body(eventId=None), "publicationId": None}, "content.eventId"),
        ({**call_body(callId=None), "subject": "/2017-09-01/endpoints/2001"}, "content.callId"),
        (call_body(endpointId="20\n01") | {"subject": 5}, "content.endpointId"),
    ],
)
def test_a_missing_indispensable_field_is_named(body: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_notification(body, TABLES)
    assert caught.value.field == field


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
    )


def bodies() -> st.SearchStrategy[Any]:
    """The documented body with some of its parts replaced by anything JSON can hold."""
    parts = st.sampled_from([*call_body(), *(f"content.{name}" for name in call_body()["content"])])
    return st.dictionaries(parts, json_values(), max_size=6)


@unhurried
@given(bodies())
def test_any_body_is_a_notification_or_malformed(changes: dict[str, Any]) -> None:
    body = call_body(
        **{key.removeprefix("content."): v for key, v in changes.items() if key.startswith("content.")}
    )
    body |= {key: value for key, value in changes.items() if not key.startswith("content.")}
    try:
        notification = parse_notification(body, TABLES)
    except Malformed:
        return
    assert notification.event.extension
    assert 0 <= notification.event.at < 10**15
    assert all(len(text) <= 200 for text in (notification.account_id, notification.event.state_name))
    json.dumps(notification.event.state_name).encode()


@unhurried
@given(json_values())
def test_no_json_value_breaks_the_parsers(value: Any) -> None:
    for parse in (
        lambda: parse_notification(value, TABLES),
        lambda: parse_snapshot(value, value, TABLES),
        lambda: page_items(value),
        lambda: next_link(value),
    ):
        try:
            parse()
        except Malformed:
            continue
    parse_user(value)


def test_a_user_is_parsed_without_the_sip_password() -> None:
    user = parse_user(
        {
            "userId": "user-1",
            "name": "ana",
            "displayName": "Ana",
            "email": " Ana@example.com ",
            "extension": 2001,
            "siteId": "site-1",
            "sipPassword": "hunter2",
        }
    )
    assert user == CloudLinkUser("user-1", "Ana", "Ana@example.com", "2001", "site-1")
    assert "hunter2" not in repr(user)


def test_a_user_needs_only_an_id() -> None:
    assert parse_user({"userId": "user-1"}) == CloudLinkUser("user-1", "user-1", "", None)
    assert parse_user({"userId": "user-1", "email": "a@b.example"}) == CloudLinkUser(
        "user-1", "a@b.example", "a@b.example", None
    )
    assert parse_user({"displayName": "no id"}) is None
    assert parse_user("user-1") is None


ENDPOINT = {"endpointId": "2001", "userId": "user-1", "state": "busy", "doNotDisturb": False, "timestamp": 1000}


def test_a_line_and_its_calls() -> None:
    calls = [
        {"callId": "a", "state": "connected", "timestamp": 3000},
        {"callId": "b", "state": "held", "conference": True, "timestamp": 2000},
        {"callId": "c", "state": "ended", "timestamp": 2500},
        {"state": "levitating"},
        "noise",
    ]
    line = parse_snapshot(ENDPOINT, {"_embedded": {"items": calls}}, TABLES)
    assert line.calls == (
        CallSnapshot("a", CallState.CONNECTED, "connected", False, 3000),
        CallSnapshot("b", CallState.HELD, "held", True, 2000),
        CallSnapshot("unnamed-3", None, "levitating", False, 0),
    )
    assert (line.extension, line.user_id, line.state_name, line.at) == ("2001", "user-1", "busy", 3000)


@pytest.mark.parametrize(
    "item",
    [
        {"callId": "endpoints/2001/calls/33656066"},
        {"callId": 33656066},
        {"id": "33656066"},
        {"_links": {"self": {"href": "https://media.example/2017-09-01/endpoints/2001/calls/33656066"}}},
        {"_links": {"self": "/2017-09-01/endpoints/2001/calls/33656066"}},
    ],
)
def test_a_polled_call_is_the_same_call_by_any_of_its_names(item: dict[str, Any]) -> None:
    calls = [{**item, "state": "connected", "createdOn": "2023-11-14T22:13:20Z", "sequenceNumber": 4}]
    line = parse_snapshot({**ENDPOINT, "timestamp": None}, calls, TABLES)
    assert line.calls == (CallSnapshot("33656066", CallState.CONNECTED, "connected", False, 0),)
    assert line.at == 0


def test_a_line_that_does_not_say_whose_or_whether_it_may_be_disturbed() -> None:
    line = parse_snapshot({"endpointId": "2001", "siteId": "sites/7"}, [], TABLES)
    assert (line.user_id, line.site_id, line.do_not_disturb) == ("", "7", None)


def test_a_line_without_calls() -> None:
    line = parse_snapshot({"endpointId": 2001, "state": "unregistered", "doNotDisturb": True}, [], TABLES)
    assert (line.extension, line.state_name, line.do_not_disturb, line.calls, line.at) == (
        "2001",
        "offline",
        True,
        (),
        0,
    )


def test_a_line_needs_its_extension() -> None:
    with pytest.raises(Malformed, match=r"endpoint\.endpointId"):
        parse_snapshot({"state": "idle"}, [], TABLES)


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ({}, ""),
        ({"_links": {"next": "/2017-09-01/users?$skip=50"}}, "/2017-09-01/users?$skip=50"),
        ({"_links": {"next": {"href": "https://x.example/2"}}}, "https://x.example/2"),
        ({"_links": {"next": None}}, ""),
        ({"_links": []}, ""),
    ],
)
def test_the_link_to_the_next_page(page: dict[str, Any], link: str) -> None:
    assert next_link(page) == link


@pytest.mark.parametrize("page", [{"_embedded": {"items": []}}, {"_embedded": {}}, {"count": 0}, {"items": []}, []])
def test_empty_collections(page: dict[str, Any]) -> None:
    assert page_items(page) == []


@pytest.mark.parametrize(
    "page",
    [
        {"_embedded": {"items": {"a": 1}}},
        {"items": {"a": 1}},
        {"_embedded": []},
        {},
        {"count": 3},
        {"error": "odd"},
    ],
)
def test_an_object_without_items_or_count_is_no_empty_collection(page: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=r"_embedded\.items"):
        page_items(page)
