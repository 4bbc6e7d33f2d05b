"""Batches of presence changes, and every response an inner request can get."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.changes import (
    Change,
    ClearMessage,
    ClearPresence,
    Done,
    Failed,
    Refused,
    SetMessage,
    SetPresence,
    Throttled,
)
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.presence import Presence
from sync.teams.batch import batch_of, iso_duration, outcomes_of
from tests.support.properties import unhurried

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SET = SetPresence("u1", Presence.IN_A_CALL, 3600)
CLEAR = ClearPresence("u2")


def inner(place: int, status: Any, **fields: Any) -> dict[str, Any]:
    return {"id": str(place), "status": status, **fields}


def outcome_of(change: Change, status: Any, **fields: Any) -> Any:
    (outcome,) = outcomes_of([change], {"responses": [inner(0, status, **fields)]}, NOW)
    return outcome


def test_a_batch_as_graph_accepts_it() -> None:
    assert batch_of([SET, CLEAR], "client-1") == {
        "requests": [
            {
                "id": "0",
                "method": "POST",
                "url": "/users/u1/presence/setPresence",
                "headers": {"Content-Type": "application/json"},
                "body": {
                    "sessionId": "client-1",
                    "availability": "Busy",
                    "activity": "InACall",
                    "expirationDuration": "PT1H",
                },
            },
            {
                "id": "1",
                "method": "POST",
                "url": "/users/u2/presence/clearPresence",
                "headers": {"Content-Type": "application/json"},
                "body": {"sessionId": "client-1"},
            },
        ]
    }


def test_a_user_id_is_one_path_segment() -> None:
    (request,) = batch_of([ClearPresence("../me?x#")], "c")["requests"]
    assert request["url"] == "/users/..%2Fme%3Fx%23/presence/clearPresence"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "PT5M"),
        (3600, "PT1H"),
        (14_400, "PT4H"),
        (5400, "PT1H30M"),
        (301, "PT5M1S"),
        (3601, "PT1H1S"),
        (0, "PT0S"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert iso_duration(seconds) == text


def test_outcomes_are_in_the_order_of_the_changes() -> None:
    answer = {"responses": [inner(2, 429), inner(0, 200), inner(1, 404)]}
    assert outcomes_of([SET, CLEAR, SET], answer, NOW) == [Done(), Done(), Throttled(10.0)]


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("change", [SET, CLEAR])
def test_accepted(change: Change, status: int) -> None:
    assert outcome_of(change, status) == Done()


def test_a_404_is_success_for_clearing_and_a_refusal_for_setting() -> None:
    body = {"error": {"code": "NotFound\n", "message": "gone"}}
    assert outcome_of(CLEAR, 404, body=body) == Done()
    assert outcome_of(SET, 404, body=body) == Refused(404, "NotFound")


@pytest.mark.parametrize("body", [None, "eyJ9", {"error": "x"}, {"error": {"code": None}}, []])
def test_a_refusal_without_a_readable_code(body: object) -> None:
    assert outcome_of(SET, 400, body=body) == Refused(400, "")


def test_all_throttled_changes_wait_for_the_longest_retry_after() -> None:
    answer = {
        "responses": [
            inner(0, 429, headers={"Retry-After": "2"}),
            inner(1, 429, headers={"retry-after": "17.5"}),
            inner(2, 429, headers={"Retry-After": "Sun, 22 Nov 2026 12:00:05 GMT"}),
            inner(3, 503, headers={"Retry-After": "60"}),
        ]
    }
    *throttled, failed = outcomes_of([SET, CLEAR, SET, SET], answer, NOW)
    assert throttled == [Throttled(17.5)] * 3
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ServiceUnavailable)
    assert failed.error.retry_after == 60.0


@pytest.mark.parametrize("headers", [None, "odd", {}, {"Retry-After": "soon"}, {"Retry-After": None}])
def test_a_429_without_a_readable_retry_after_waits_ten_seconds(headers: object) -> None:
    assert outcome_of(SET, 429, headers=headers) == Throttled(10.0)


def test_a_retry_after_of_zero_is_zero() -> None:
    assert outcome_of(SET, 429, headers={"Retry-After": 0}) == Throttled(0.0)


@pytest.mark.parametrize("change", [SET, CLEAR])
@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_what_is_refused_inside_a_batch_is_refused_for_one_person(change: Change, status: int) -> None:
    assert outcome_of(change, status) == Refused(status, "")


@pytest.mark.parametrize("status", [408, 409, 423, 500, 502, 503, 504, 302])
def test_a_transient_failure_of_one_person_is_to_be_retried(status: int) -> None:
    error = outcome_of(SET, status).error
    assert (type(error), error.fault, error.context) == (ServiceUnavailable, Fault.GRAPH_BUSY, {"status": status})


@pytest.mark.parametrize(
    "responses", [[], ["noise"], [{"id": "7", "status": 200}], [inner(0, "200")], [inner(0, None)]]
)
def test_a_missing_or_malformed_inner_response_is_unreadable(responses: list[Any]) -> None:
    (outcome,) = outcomes_of([SET], {"responses": responses}, NOW)
    assert isinstance(outcome, Failed)
    assert (type(outcome.error), outcome.error.fault) == (ServiceUnavailable, Fault.GRAPH_UNREADABLE)


@pytest.mark.parametrize("answer", [None, [], {}, {"responses": {}}, "x"])
def test_what_is_no_batch_response(answer: object) -> None:
    with pytest.raises(ServiceUnavailable) as caught:
        outcomes_of([SET], answer, NOW)
    assert caught.value.fault is Fault.GRAPH_UNREADABLE


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
)
odd_inners = st.fixed_dictionaries(
    {"id": st.sampled_from(["0", "1", 0, None]), "status": st.integers(100, 599) | values},
    optional={"headers": values, "body": values},
)


@unhurried
@given(st.lists(odd_inners | values, max_size=4))
def test_every_change_has_an_outcome_for_any_response(responses: list[Any]) -> None:
    outcomes = outcomes_of([SET, CLEAR], {"responses": responses}, NOW)
    assert len(outcomes) == 2
    assert all(isinstance(each, Done | Throttled | Failed | Refused) for each in outcomes)


def test_status_messages_as_graph_accepts_them() -> None:
    """The time is without its zone, which has its own field; removing is an empty message without an expiry."""
    lisbon = timezone(timedelta(hours=1))
    until = datetime(2026, 11, 22, 14, 0, 0, 250, tzinfo=lisbon)
    requests = batch_of([SetMessage("u/1", "On the phone", until), ClearMessage("u2")], "client-1")["requests"]
    assert [request["url"] for request in requests] == [
        "/users/u%2F1/presence/setStatusMessage",
        "/users/u2/presence/setStatusMessage",
    ]
    assert requests[0]["body"] == {
        "statusMessage": {
            "message": {"content": "On the phone", "contentType": "text"},
            "expiryDateTime": {"dateTime": "2026-11-22T13:00:00", "timeZone": "UTC"},
        }
    }
    assert requests[1]["body"] == {"statusMessage": {"message": {"content": "", "contentType": "text"}}}


def test_a_message_for_a_user_who_is_gone_is_refused() -> None:
    (outcome,) = outcomes_of([ClearMessage("u2")], {"responses": [inner(0, 404)]}, NOW)
    assert isinstance(outcome, Refused)
