from typing import Any

import pytest

from sandbox.cloudlink.notifications import is_loopback
from tests.sandbox.callers import CloudLink, call
from tests.support.services.sandboxes import SandboxHandle

SUBSCRIPTIONS = "/notifications/2017-09-01/subscriptions"
HERE = "http://127.0.0.1:9/webhooks/cloudlink/token"


async def test_a_subscription_comes_and_goes(cloudlink: CloudLink) -> None:
    made = await cloudlink.subscribe(HERE)
    assert made.status == 201
    (listed,) = (await cloudlink.get(SUBSCRIPTIONS)).body["_embedded"]["items"]
    assert (listed["subscriptionId"], listed["deviceId"]) == (made.body["subscriptionId"], HERE)
    gone = await cloudlink.delete(f"{SUBSCRIPTIONS}/{made.body['subscriptionId']}")
    assert (gone.status, gone.body) == (204, None)
    assert (await cloudlink.get(SUBSCRIPTIONS)).body["count"] == 0
    assert (await cloudlink.delete(f"{SUBSCRIPTIONS}/{made.body['subscriptionId']}")).status == 404


@pytest.mark.parametrize(
    "differences",
    [
        {"deviceId": "https://example.com/hook"},
        {"deviceId": "http://10.0.0.1/hook"},
        {"deviceId": "file:///etc/passwd"},
        {"deviceId": "x" * 3000},
        {"deviceId": None},
        {"transport": "email"},
        {"topic": "platform-api-presence"},
        {"subjectFilter": ""},
        {"applicationId": 5},
    ],
)
async def test_wrong_subscriptions(cloudlink: CloudLink, differences: dict[str, Any]) -> None:
    assert (await cloudlink.subscribe(HERE, **differences)).status == 400
    assert (await cloudlink.get(SUBSCRIPTIONS)).body["count"] == 0


async def test_the_number_of_subscriptions_is_limited(cloudlink: CloudLink) -> None:
    for _ in range(50):
        assert (await cloudlink.subscribe(HERE)).status == 201
    assert (await cloudlink.subscribe(HERE)).status == 400


async def test_without_a_token(sandbox: SandboxHandle) -> None:
    assert (await call(sandbox, "POST", SUBSCRIPTIONS, {})).status == 401
    assert (await call(sandbox, "GET", SUBSCRIPTIONS)).status == 401
    assert (await call(sandbox, "DELETE", f"{SUBSCRIPTIONS}/x")).status == 401


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://127.0.0.1:1/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:1/x", True),
        ("https://127.0.0.1/x", False),
        ("http://127.0.0.1.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("http://169.254.169.254/", False),
        ("http://[::1/x", False),
        ("", False),
    ],
)
def test_loopback_urls_are_recognised(url: str, ours: bool) -> None:
    assert is_loopback(url) is ours
