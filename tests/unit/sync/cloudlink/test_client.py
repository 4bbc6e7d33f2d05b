"""The CloudLink client over the wire: what it sends, and how it handles every kind of response."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
import pytest_asyncio
import structlog

from sync.cloudlink.client import CloudLink
from sync.cloudlink.tables import WireTables
from sync.cloudlink.transport import APP, Transport
from sync.domain.errors import CredentialsWrong, Fault, ServiceUnavailable, SyncError
from sync.domain.phone_events import CallState
from tests.support.sync.cloudlink import (
    ACCOUNT,
    ACCOUNT_ROUTE,
    OWNER,
    SECRET,
    SUBSCRIPTIONS,
    TOKEN,
    USERS,
    ClientHarness,
    cloudlink_harness,
    endpoint,
    page,
    throttled,
    token_reply,
)
from tests.support.sync.error_output import error_output
from tests.support.sync.stub_server import BY_ANOTHER_CLOCK, Reply
from tests.support.tools import ROOT


@pytest_asyncio.fixture
async def harness() -> AsyncIterator[ClientHarness]:
    async with cloudlink_harness() as harness:
        yield harness


async def fault_of(call: Awaitable[Any]) -> SyncError:
    with pytest.raises(SyncError) as caught:
        await call
    return caught.value


# The token


async def test_one_grant_serves_all_calls(harness: ClientHarness) -> None:
    client = harness.client()
    await asyncio.gather(*(client.users() for _ in range(10)))
    grant, *others = harness.server.asked(TOKEN)
    assert not others
    assert grant.json == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": SECRET,
        "account_id": "acc 1",
    }
    assert grant.headers["content-type"].startswith("application/json")
    assert "authorization" not in grant.headers


@pytest.mark.parametrize("status", [400, 415])
async def test_a_grant_that_is_refused_as_json_is_sent_as_a_form(harness: ClientHarness, status: int) -> None:
    harness.server.on(TOKEN, Reply({}, status), Reply(token_reply()), Reply(token_reply("token-2")))
    client = harness.client()
    await client.users()
    harness.advance(4000)
    await client.users()
    _, grant, refresh = harness.server.asked(TOKEN)
    assert grant.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(grant.body.decode()))["client_secret"] == SECRET
    assert refresh.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_a_refusal_of_both_formats_does_not_decide_between_them(harness: ClientHarness) -> None:
    """CloudLink refused the credentials with 400 for a while; it reads JSON alone."""
    harness.server.on(TOKEN, Reply({}, 400), Reply({}, 400), Reply(token_reply()))
    client = harness.client()
    assert (await fault_of(client.users())).fault is Fault.CLOUDLINK_REFUSED
    await client.users()
    assert harness.server.asked(TOKEN)[-1].headers["content-type"].startswith("application/json")


async def test_a_service_that_no_longer_reads_forms_gets_json_again(harness: ClientHarness) -> None:
    replies = (
        Reply({}, 415),
        Reply({**token_reply(), "refresh_token": None}),
        Reply({}, 415),
        Reply(token_reply()),
    )
    harness.server.on(TOKEN, *replies)
    client = harness.client()
    await client.users()
    harness.advance(4000)
    await client.users()
    assert harness.server.asked(TOKEN)[-1].headers["content-type"].startswith("application/json")


async def test_the_region_that_is_set_goes_before_the_tokens(harness: ClientHarness) -> None:
    assert await harness.client(replace(ACCOUNT, region=" EU ")).region() == "eu"
    assert not harness.server.seen
    assert await harness.client().region() == ""


async def test_every_request_names_our_application(harness: ClientHarness) -> None:
    client = harness.client()
    await client.users()
    await client.account_name()
    apps = {seen.headers["x-mitel-app"] for seen in harness.server.seen}
    assert len(apps) == 1
    assert apps.pop().startswith(f"{APP};platform=python;session=")
    assert {seen.headers["authorization"] for seen in harness.server.asked(USERS)} == {"Bearer token-1"}


def test_the_version_sent_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"{project['name']}/{project['version']}" == APP


@pytest.mark.parametrize("field", ["refresh_token", "token"])
async def test_a_token_is_renewed_before_it_expires(harness: ClientHarness, field: str) -> None:
    harness.server.on(TOKEN, {**token_reply(), "refresh_token": None, field: "again"}, token_reply("token-2"))
    client = harness.client()
    await client.users()
    harness.advance(3747 - 61)
    await client.users()
    assert len(harness.server.asked(TOKEN)) == 1
    harness.advance(2)
    await asyncio.gather(client.users(), client.users())
    grants = harness.server.asked(TOKEN)
    assert [grant.json["grant_type"] for grant in grants] == ["client_credentials", "refresh_token"]
    assert grants[1].json["refresh_token"] == "again"
    assert harness.server.asked(USERS)[-1].headers["authorization"] == "Bearer token-2"


async def test_the_refresh_fields_name_can_be_corrected(harness: ClientHarness) -> None:
    client = harness.client(tables=WireTables(refresh_field="token"))
    await client.users()
    harness.advance(4000)
    await client.users()
    assert harness.server.asked(TOKEN)[1].json == {"grant_type": "refresh_token", "token": "refresh-1"}


@pytest.mark.parametrize("refused", [Reply({}, 400), Reply({}, 401), Reply({"odd": 1})])
async def test_a_refresh_that_fails_becomes_a_fresh_grant(harness: ClientHarness, refused: Reply) -> None:
    harness.server.on(TOKEN, Reply(token_reply()), refused, Reply(token_reply("token-3")))
    client = harness.client()
    await client.users()
    harness.advance(4000)
    await client.users()
    kinds = [grant.json["grant_type"] for grant in harness.server.asked(TOKEN)]
    assert kinds == ["client_credentials", "refresh_token", "client_credentials"]


async def test_a_401_of_concurrent_calls_leads_to_one_fresh_grant_for_all(harness: ClientHarness) -> None:
    client = harness.client()
    await client.users()
    harness.server.on(TOKEN, token_reply("token-2"))
    harness.server.on(USERS, Reply({}, 401), Reply({}, 401), Reply({}, 401), Reply(page()))
    await asyncio.gather(client.users(), client.users(), client.users())
    assert [grant.json["grant_type"] for grant in harness.server.asked(TOKEN)] == ["client_credentials"] * 2


async def test_a_second_401_is_a_refusal(harness: ClientHarness) -> None:
    harness.server.on(USERS, Reply({}, 401))
    error = await fault_of(harness.client().users())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.CLOUDLINK_REFUSED)
    assert len(harness.server.asked(USERS)) == 2
    assert len(harness.server.asked(TOKEN)) == 2


@pytest.mark.parametrize(
    ("reply", "kind", "fault"),
    [
        (Reply({"error": "invalid_client"}, 401), CredentialsWrong, Fault.CLOUDLINK_REFUSED),
        (Reply({"error": "invalid_grant"}, 400), CredentialsWrong, Fault.CLOUDLINK_REFUSED),
        (Reply({}, 404), CredentialsWrong, Fault.CLOUDLINK_ACCOUNT_UNKNOWN),
        (Reply({}, 503), ServiceUnavailable, Fault.CLOUDLINK_UNREACHABLE),
        (Reply(b"<html>"), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply([]), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply({"access_token": "line\nbreak"}), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply(hang_up=True), ServiceUnavailable, Fault.CLOUDLINK_UNREACHABLE),
    ],
)
async def test_grants_that_fail(harness: ClientHarness, reply: Reply, kind: type[SyncError], fault: Fault) -> None:
    harness.server.on(TOKEN, reply)
    error = await fault_of(harness.client().users())
    assert (type(error), error.fault) == (kind, fault)


# The account and its people


async def test_the_accounts_name(harness: ClientHarness) -> None:
    assert await harness.client().account_name() == "Acme"


@pytest.mark.parametrize(
    ("owner", "fault"),
    [
        ({"accountId": "another", "role": "ACCOUNT_ADMIN"}, Fault.CLOUDLINK_ACCOUNT_UNKNOWN),
        ({"accountId": "acc 1", "role": "USER"}, Fault.CLOUDLINK_FORBIDDEN),
    ],
)
async def test_a_token_of_another_account_or_role_is_refused(
    harness: ClientHarness, owner: dict[str, str], fault: Fault
) -> None:
    harness.server.on(OWNER, owner)
    error = await fault_of(harness.client().account_name())
    assert (type(error), error.fault) == (CredentialsWrong, fault)


async def test_an_owner_without_account_or_role_is_accepted(harness: ClientHarness) -> None:
    harness.server.on(OWNER, {})
    harness.server.on(ACCOUNT_ROUTE, {})
    assert await harness.client().account_name() == "acc 1"


@pytest.mark.parametrize(
    ("reply", "kind", "fault"),
    [
        (Reply({}, 403), CredentialsWrong, Fault.CLOUDLINK_FORBIDDEN),
        (Reply({}, 404), CredentialsWrong, Fault.CLOUDLINK_ACCOUNT_UNKNOWN),
        (Reply({}, 500), ServiceUnavailable, Fault.CLOUDLINK_UNREACHABLE),
        (Reply({}, 418), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply("nonsense"), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply({}, 302, {"Location": "https://evil.example/"}), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply(b"[" * 100_000), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
        (Reply(b" " * 5_000_001), ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE),
    ],
)
async def test_responses_that_are_no_account(
    harness: ClientHarness, reply: Reply, kind: type[SyncError], fault: Fault
) -> None:
    harness.server.on(ACCOUNT_ROUTE, reply)
    error = await fault_of(harness.client().account_name())
    assert (type(error), error.fault) == (kind, fault)


async def test_no_server_at_the_address() -> None:
    async with aiohttp.ClientSession() as http, cloudlink_harness() as harness:
        transport = Transport(http, lambda: harness.now, Random(1))
        gone = CloudLink(transport, "http://127.0.0.1:9/{service}", ACCOUNT, WireTables(), lambda: harness.now)
        error = await fault_of(gone.users())
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.CLOUDLINK_UNREACHABLE)


async def test_an_invalid_region_is_refused_before_anything_is_sent(harness: ClientHarness) -> None:
    error = await fault_of(harness.client(replace(ACCOUNT, region="eu/../evil")).users())
    assert (type(error), error.fault) == (CredentialsWrong, Fault.CLOUDLINK_REGION_INVALID)
    assert not harness.server.seen


async def test_people_of_all_pages_without_their_sip_passwords(harness: ClientHarness) -> None:
    first = {
        "userId": "u1",
        "name": "Ana",
        "email": "ana@example.com",
        "extension": "2001",
        "sipPassword": "hunter2",
    }
    route = USERS.removeprefix("GET ")
    harness.server.on(
        USERS,
        page(first, {"no": "user"}, following=f"{route}?$skip=2"),
        page({"userId": "u2"}, following={"href": f"{harness.server.url}{route}?$skip=3"}),
        page({"userId": "u3"}),
    )
    people = await harness.client().users()
    assert [person.user_id for person in people] == ["u1", "u2", "u3"]
    assert people[0].address == "ana@example.com"
    assert "hunter2" not in repr(people)
    assert [seen.path.partition("?")[2] for seen in harness.server.asked(USERS)] == ["", "$skip=2", "$skip=3"]


async def test_someone_who_is_on_two_pages_is_one_person(harness: ClientHarness) -> None:
    """As when a person is added while the pages are read; one page is empty."""
    route = USERS.removeprefix("GET ")
    harness.server.on(
        USERS,
        page({"userId": "u1", "extension": "2001"}, {"userId": "u2"}, following=f"{route}?$skip=2"),
        page(following=f"{route}?$skip=3"),
        page({"userId": "users/u1", "extension": "2009"}, {"userId": "u3"}),
    )
    people = await harness.client().users()
    assert [(person.user_id, person.extension) for person in people] == [("u1", "2009"), ("u2", None), ("u3", None)]


@pytest.mark.parametrize("name", [b"Jo\xe3o", rb"Ana \ud83d", b"Ana\tMartins"])
async def test_a_name_that_is_no_proper_text_makes_no_list_unreadable(harness: ClientHarness, name: bytes) -> None:
    """As in another encoding, or cut off within a character."""
    people = b'{"_embedded":{"items":[{"userId":"u1","name":"%s","extension":"2001"},{"userId":"u2"}]}}' % name
    harness.server.on(USERS, Reply(people))
    assert [(user.user_id, user.extension) for user in await harness.client().users()] == [
        *(("u1", "2001"), ("u2", None))
    ]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/users",
        "//evil.example/users",
        "http://127.0.0.1:1/users",
        "ftp://127.0.0.1/",
        "http://[",
        "/a b",
        "?$skip=1",
    ],
)
async def test_a_link_to_another_host_or_to_itself_is_not_followed(harness: ClientHarness, link: str) -> None:
    harness.server.on(USERS, page({"userId": "u1"}, following=link))
    error = await fault_of(harness.client().users())
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE)
    assert len(harness.server.asked(USERS)) <= 2


# Lines


async def test_a_line_is_a_phone_and_its_calls(harness: ClientHarness) -> None:
    phone = {"endpointId": "2001", "userId": "u1", "state": "busy", "doNotDisturb": True, "timestamp": 5}
    harness.server.on(endpoint("2001"), phone)
    harness.server.on(f"{endpoint('2001')}/calls", page({"callId": "c1", "state": "active", "timestamp": 7}))
    line = await harness.client().line("2001")
    assert line is not None
    assert (line.extension, line.user_id, line.do_not_disturb, line.at) == ("2001", "u1", True, 7)
    assert [(call.call_id, call.state) for call in line.calls] == [("c1", CallState.CONNECTED)]


async def test_a_line_without_a_time_has_none_of_ours(harness: ClientHarness) -> None:
    harness.server.on(endpoint("2001"), {"state": "idle"})
    line = await harness.client().line("2001")
    assert line is not None
    assert (line.extension, line.calls, line.at) == ("2001", (), 0)


async def test_an_unknown_extension_is_no_line(harness: ClientHarness) -> None:
    assert await harness.client().line("../../accounts") is None
    assert harness.server.seen[-1].path == "/media/2017-09-01/endpoints/..%2F..%2Faccounts"


async def test_lines_keep_their_order_and_four_are_read_concurrently(harness: ClientHarness) -> None:
    numbers = [str(2000 + n) for n in range(12)]
    for number in numbers[:-1]:
        harness.server.on(endpoint(number), {"endpointId": number, "state": "idle"})
        harness.server.on(f"{endpoint(number)}/calls", page())
    harness.server.delay = 0.02
    read = await harness.client().lines(numbers)
    assert ([line.extension for line in read.found], read.refused) == (numbers[:-1], {})
    assert 1 < harness.server.max_concurrent <= 4


@pytest.mark.parametrize("reply", [Reply({}, 400), Reply({}, 403), Reply({}, 500), Reply(b"{"), Reply([])])
async def test_a_phone_about_which_cloudlink_does_not_answer_stops_no_other(
    harness: ClientHarness, reply: Reply
) -> None:
    for number in ("2001", "2003"):
        harness.server.on(endpoint(number), {"state": "idle"})
    harness.server.on(endpoint("2002"), reply)
    read = await harness.client().lines(["2001", "2002", "2003", "no-such"])
    assert ([line.extension for line in read.found], [*read.refused]) == (["2001", "2003"], ["2002"])


async def test_when_no_phone_can_be_read_few_are_tried(harness: ClientHarness) -> None:
    numbers = [str(2000 + n) for n in range(25)]
    for number in numbers:
        harness.server.on(endpoint(number), Reply({}, 403))
    assert (await fault_of(harness.client().lines(numbers))).fault is Fault.CLOUDLINK_FORBIDDEN
    assert len([seen for seen in harness.server.seen if "/endpoints/" in seen.path]) < 20


async def test_the_first_failure_cancels_the_others(harness: ClientHarness) -> None:
    harness.server.on(endpoint("2001"), Reply({}, 503))
    numbers = ["2001", *(str(3000 + n) for n in range(200))]
    error = await fault_of(harness.client().lines(numbers))
    assert error.fault is Fault.CLOUDLINK_UNREACHABLE
    assert len(harness.server.seen) < 50


# Subscriptions


async def test_a_subscription_as_documented(harness: ClientHarness) -> None:
    harness.server.on(f"POST {SUBSCRIPTIONS}", Reply({"subscriptionId": "s1"}, 201))
    tables = WireTables(publication_filter="$.content")
    assert await harness.client(tables=tables).subscribe("https://bot.example/webhooks/cloudlink/t") == "s1"
    assert harness.server.seen[-1].json == {
        "applicationId": "client-1",
        "deviceId": "https://bot.example/webhooks/cloudlink/t",
        "transport": "webhook",
        "topic": "platform-api-media",
        "subjectFilter": "/2017-09-01/endpoints/",
        "publicationFilter": "$.content",
    }


async def test_a_subscription_without_an_id_is_unreadable(harness: ClientHarness) -> None:
    harness.server.on(f"POST {SUBSCRIPTIONS}", {})
    assert (await fault_of(harness.client().subscribe("https://x.example"))).fault is Fault.CLOUDLINK_UNREADABLE


SUBSCRIBED = [{"subscriptionId": "s1"}, {"id": "subscriptions/s2"}, {"subscriptionId": None}, "noise"]


@pytest.mark.parametrize("body", [page(*SUBSCRIBED), SUBSCRIBED, {"items": SUBSCRIBED}])
async def test_current_subscriptions(harness: ClientHarness, body: Any) -> None:
    harness.server.on(f"GET {SUBSCRIPTIONS}", body)
    assert await harness.client().subscriptions() == frozenset({"s1", "s2"})


async def test_a_subscription_may_be_named_by_its_id(harness: ClientHarness) -> None:
    harness.server.on(f"POST {SUBSCRIPTIONS}", Reply({"id": "s1"}, 201))
    assert await harness.client().subscribe("https://bot.example/webhooks/cloudlink/t") == "s1"


@pytest.mark.parametrize("status", [204, 404])
async def test_unsubscribing_is_idempotent(harness: ClientHarness, status: int) -> None:
    harness.server.on(f"DELETE {SUBSCRIPTIONS}/s%2F1", Reply(None, status))
    await harness.client().unsubscribe("s/1")
    assert harness.server.seen[-1].method == "DELETE"


async def test_unsubscribing_may_be_forbidden(harness: ClientHarness) -> None:
    harness.server.on(f"DELETE {SUBSCRIPTIONS}/s1", Reply({}, 403))
    assert (await fault_of(harness.client().unsubscribe("s1"))).fault is Fault.CLOUDLINK_FORBIDDEN


# Throttling and failures


async def test_a_throttled_call_is_retried_after_retry_after(harness: ClientHarness) -> None:
    harness.server.on(USERS, throttled("4"), throttled(), Reply(page({"userId": "u1"})))
    assert len(await harness.client().users()) == 1
    first, second = harness.slept
    assert 4 <= first <= 5
    assert 2 <= second <= 3


async def test_after_three_tries_the_error_holds_the_retry_after(harness: ClientHarness) -> None:
    harness.server.on(USERS, throttled("7"))
    error = await fault_of(harness.client().users())
    assert isinstance(error, ServiceUnavailable)
    assert (error.fault, error.retry_after) == (Fault.CLOUDLINK_THROTTLED, 7.0)
    assert len(harness.server.asked(USERS)) == 3
    assert len(harness.slept) == 2


async def test_a_long_retry_after_is_left_to_the_caller(harness: ClientHarness) -> None:
    harness.server.on(TOKEN, throttled("120"))
    error = await fault_of(harness.client().users())
    assert isinstance(error, ServiceUnavailable)
    assert (error.fault, error.retry_after, harness.slept) == (Fault.CLOUDLINK_THROTTLED, 120.0, [])


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "30"}, 30.0), (BY_ANOTHER_CLOCK, 9.0)])
async def test_the_error_of_an_outage_holds_its_retry_after(
    harness: ClientHarness, headers: dict[str, str], wait: float
) -> None:
    harness.server.on(USERS, Reply({}, 503, headers))
    error = await fault_of(harness.client().users())
    assert isinstance(error, ServiceUnavailable)
    assert (error.retry_after, error.context) == (wait, {"status": 503})


async def test_the_correlation_id_of_a_refusal_is_logged_sanitized(harness: ClientHarness) -> None:
    harness.server.on(USERS, Reply({}, 403, {"x-mitel-correlation-id": "corr-7\u202e-" + "x" * 200}))
    with structlog.testing.capture_logs() as logs:
        await fault_of(harness.client().users())
    (entry,) = logs
    assert (entry["event"], entry["log_level"], entry["status"]) == ("cloudlink_refused", "warning", 403)
    assert entry["correlation_id"].startswith("corr-7-xx")
    assert len(entry["correlation_id"]) <= 100


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error": "invalid_client", "error_description": f"bad secret {SECRET}"}, 401),
        Reply({"echo": SECRET}, 500),
        Reply({"echo": SECRET}, 429),
        Reply(SECRET.encode()),
        Reply(hang_up=True),
        Reply({}, 307, {"Location": f"https://evil.example/?{SECRET}", "x-mitel-correlation-id": "c"}),
    ],
)
async def test_no_failure_reveals_the_secret(
    harness: ClientHarness, reply: Reply, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.server.on(TOKEN, reply)
    caplog.set_level("DEBUG")
    error = await fault_of(harness.client().users())
    assert SECRET not in error_output(error, caplog, capsys)
    assert SECRET not in repr(harness.client().__dict__)


async def test_a_later_page_of_calls_that_is_missing_is_not_the_end_of_the_list(harness: ClientHarness) -> None:
    route = f"{endpoint('2001')}/calls"
    path = route.removeprefix("GET ")
    harness.server.on(endpoint("2001"), {"endpointId": "2001", "state": "busy"})
    harness.server.on(route, page(following=f"{path}?$skip=1"), Reply({}, 404))
    error = await fault_of(harness.client().line("2001"))
    assert (type(error), error.fault) == (ServiceUnavailable, Fault.CLOUDLINK_UNREADABLE)
