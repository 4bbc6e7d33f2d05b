"""One id from a cause to Graph: in the log, in the store, and in the header that Graph receives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.correlation import caused
from tests.support.captured_log import CapturedLog, captured_log
from tests.support.engines import ADMIN, QUICK, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import (
    AVAILABLE,
    IN_A_CALL,
    answer_call,
    connected_engine,
    end_polls,
    person_by_extension,
    polls_are_over,
    presence_requests,
)
from tests.support.services.sandboxes import SandboxHandle, running_sandbox


@asynccontextmanager
async def watched(
    folder: Path, *, polls: bool = False, **options: Any
) -> AsyncIterator[tuple[SandboxHandle, RunningEngine, CapturedLog]]:
    """After the first poll, phone events come only from webhooks, or from ``polls`` too."""
    async with connected_engine(folder, **{"intervals": replace(QUICK, schedule=3600, poll=3600), **options}) as (
        sandbox,
        running,
    ):
        await eventually(lambda: polls_are_over(running))
        if not polls:
            await end_polls(running)
        with captured_log() as log:
            yield sandbox, running, log


async def accepted(log: CapturedLog, count: int = 1) -> bool:
    return len([line for line in log.lines("presence_sent") if line["outcome"] == "done"]) >= count


async def received(log: CapturedLog) -> bool:
    """The two webhooks of a call are logged; the change that one causes may be sent and logged before."""
    return len(log.lines("webhook_received")) >= 2


async def causes_are_received(log: CapturedLog) -> bool:
    """Each change that was sent has a logged webhook as its cause."""
    return {line["cause"] for line in log.lines("presence_sent")} <= {
        line["cause"] for line in log.lines("webhook_received")
    }


async def test_a_webhook_is_followed_by_one_id_to_graph(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, running, log):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: accepted(log))
        await eventually(lambda: received(log))
        [line] = log.lines("presence_sent")
        known = await person_by_extension(running, "2001")
        [call] = await presence_requests(sandbox)
        causes = [each["cause"] for each in log.lines("webhook_received")]
        assert line["cause"] == known.desired_because == call["clientRequestId"] == causes[-1]
        assert len(set(causes)) == 2
        assert line["person"] == known.id
        assert (line["presence"], line["outcome"], line["level"]) == (known.desired, "done", "info")
        assert line["seconds"] >= 0


async def test_cloudlinks_own_id_is_logged_with_ours(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, running, log):
        [subscription] = sandbox.world.saved.subscriptions.values()
        body = {
            "subject": "/2017-09-01/endpoints/2001/calls/c1",
            "content": {
                "state": "ringing",
                "eventType": "CallStateNotification",
                "accountId": sandbox.world.saved.account.id,
                "timestamp": 1_795_000_000_000,
                "eventId": "e1",
            },
            "subscription": {"subscriptionId": subscription.id},
        }
        for correlation_id in ("mitels-own", "forged\nline", "x" * 5000):
            posted = body | {"notification": {"correlationId": correlation_id}}
            async with running.http.post(subscription.url, json=posted) as response:
                assert response.status == 202
        logged_ids = [line["correlation_id"] for line in log.lines("webhook_received")]
        assert logged_ids[0] == "mitels-own"
        assert all(each.isprintable() and len(each) <= 300 for each in logged_ids)
        assert subscription.url.rpartition("/")[2] not in log.text


async def test_what_cloudlink_refuses_is_logged_with_its_id(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, running, log):
        await sandbox.new_cloudlink_secret()
        await running.engine.connection_test.test(TENANT, await running.integration_id(), ADMIN)
        assert all(line["correlation_id"] for line in log.lines("cloudlink_refused"))
        assert {line["status"] for line in log.lines("cloudlink_refused")} == {401}


async def test_two_webhooks_stored_together_keep_their_own_ids(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, running, log):
        for extension in ("2001", "2002", "2003"):
            await sandbox.call(extension)
        for extension in ("2001", "2002", "2003"):
            await running.wait_until_shown(extension, *IN_A_CALL)
        await eventually(lambda: accepted(log, 3))
        await eventually(lambda: causes_are_received(log))
        causes = {line["person"]: line["cause"] for line in log.lines("presence_sent")}
        assert len(set(causes.values())) == 3
        assert {call["clientRequestId"] for call in await presence_requests(sandbox)} == set(causes.values())


async def test_another_process_pushes_under_the_id_of_what_caused_it(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        async with running_engine(sandbox, tmp_path, intervals=replace(QUICK, poll=3600)) as running:
            await running.connect()
            await eventually(lambda: polls_are_over(running))
            await end_polls(running)
            await sandbox.set_faults(graphOutage=True)
            with captured_log() as log:
                await sandbox.call("2001")
                await eventually(lambda: noted(log, "graph_refused"))
                await eventually(lambda: received(log))
            cause = (await person_by_extension(running, "2001")).desired_because
            assert cause in {line["cause"] for line in log.lines("webhook_received")}
            refused = log.lines("graph_refused")[0]
            assert refused["status"] == 503
            assert refused["request_id"]
            assert refused["client_request_id"] in {entry["client_request_id"] for entry in await sandbox.log()}
        await sandbox.set_faults(graphOutage=False)
        await sandbox.clear_log()
        intervals = replace(QUICK, poll=3600)
        with captured_log() as later:
            async with running_engine(sandbox, tmp_path, webhooks=False, intervals=intervals) as running:
                await running.wait_until_shown("2001", *IN_A_CALL)
                await eventually(lambda: accepted(later))
        assert {line["cause"] for line in later.lines("presence_sent")} == {cause}
        assert {call["clientRequestId"] for call in await presence_requests(sandbox)} == {cause}


async def noted(log: CapturedLog, event: str) -> bool:
    return bool(log.lines(event))


async def test_changes_found_by_a_poll_have_the_polls_id(tmp_path: Path) -> None:
    intervals = replace(QUICK, poll_with_webhooks=0.2)
    async with watched(tmp_path, polls=True, intervals=intervals) as (sandbox, running, log):
        await sandbox.set_faults(loseWebhooks=True)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: accepted(log))
        found = log.lines("changes_polled")[-1]
        assert found["job"] == "poll_chunk"
        assert found["people"] == 1
        assert [line["cause"] for line in log.lines("presence_sent")] == [found["cause"]]
        assert running.metric("missed_by_webhooks_total") == 1


async def test_disabling_is_logged_as_the_cause_of_the_clearing(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, running, _):
        await sandbox.call("2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_sent()
        await sandbox.clear_log()
        with caused() as turn:
            await running.engine.integrations.disable(TENANT, await running.integration_id(), ADMIN)
        await running.wait_until_shown("2001", *AVAILABLE)
        assert [call["clientRequestId"] for call in await presence_requests(sandbox)] == [turn]


async def test_what_graph_refuses_is_logged_with_the_id_its_support_asks_for(tmp_path: Path) -> None:
    async with watched(tmp_path) as (sandbox, _, log):
        await sandbox.refuse("2001")
        await sandbox.call("2001")
        await eventually(lambda: noted(log, "presence_sent"))
        line = log.lines("presence_sent")[0]
        assert (line["outcome"], line["status"], line["level"]) == ("refused", 403, "info")
        assert line["request_id"]
