"""Every path of a presence, from a phone of the sandbox's CloudLink to its Graph."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from sqlmodel import SQLModel, select

from storage.tables.integrations import Integration
from storage.tables.people import Person
from sync.domain.errors import Fault
from sync.domain.model import Freshness, Service, UnknownIntegration
from sync.scheduling.scheduler import Intervals
from tests.support.clocks import FakeClock
from tests.support.engines import ADMIN, QUICK, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import (
    AVAILABLE,
    CONFERENCE,
    IN_A_CALL,
    PRESENTING,
    answer_call,
    connected_engine,
    person_by_extension,
    polls_are_over,
    presence_requests,
)
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import on_sqlite

pytestmark = pytest.mark.usefixtures("each_database")


async def quiet(running: RunningEngine) -> None:
    """Wait long enough for an unwanted push to happen."""
    await asyncio.sleep(0.3)
    await running.wait_until_sent()


async def test_a_call_shows_as_in_a_call_and_hanging_up_clears_it(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        assert (await running.status()).in_a_call == 1
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)
        assert [call["status"] for call in await presence_requests(sandbox)] == [200, 200]


@on_sqlite
async def test_ringing_changes_nothing(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.ring("2001")
        await eventually(lambda: has_state(running, "ringing"))
        await quiet(running)
        assert await presence_requests(sandbox) == []
        await sandbox.hangup("2001")
        await quiet(running)
        assert await presence_requests(sandbox) == []


async def has_state(running: RunningEngine, state: str, extension: str = "2001") -> bool:
    return (await person_by_extension(running, extension)).line == state


@on_sqlite
async def test_a_conference_shows_as_in_a_conference_call(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await sandbox.conference("2001")
        await running.wait_until_shown("2001", *CONFERENCE)


@on_sqlite
async def test_do_not_disturb_shows_as_presenting_and_outlasts_a_call(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.dnd("2001")
        await running.wait_until_shown("2001", *PRESENTING)
        await answer_call(sandbox, "2001")
        await eventually(lambda: calls_known(running, 1))
        assert await sandbox.shown("2001") == PRESENTING
        await sandbox.dnd("2001", on=False)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)


async def calls_known(running: RunningEngine, count: int) -> bool:
    return running.metric("events_total", verdict="applied") >= count + 1


async def test_of_two_overlapping_calls_the_last_to_end_clears(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        first = await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        second = await answer_call(sandbox, "2001")
        await sandbox.hangup("2001", first)
        await eventually(lambda: taken(running, 5))
        await quiet(running)
        assert await sandbox.shown("2001") == IN_A_CALL
        assert len(await presence_requests(sandbox)) == 1
        await sandbox.hangup("2001", second)
        await running.wait_until_shown("2001", *AVAILABLE)


async def taken(running: RunningEngine, count: float) -> bool:
    return running.metric("events_total", verdict="applied") >= count


@on_sqlite
async def test_an_unknown_state_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.publish_state("2001", "levitating")
        await eventually(lambda: counted(running))
        await quiet(running)
        assert (await running.status()).unknown_states == (("levitating", 1),)
        assert await presence_requests(sandbox) == []


async def counted(running: RunningEngine) -> bool:
    return bool((await running.status()).unknown_states)


async def test_duplicate_webhooks_are_applied_once(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.set_faults(doubleWebhooks=True)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: doubled(running, 2))
        await quiet(running)
        assert running.metric("events_total", verdict="applied") == 2
        assert len(await presence_requests(sandbox)) == 1


async def doubled(running: RunningEngine, count: int) -> bool:
    return running.metric("events_total", verdict="duplicate") == count


async def test_a_webhook_that_comes_late_does_not_undo_the_hang_up(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        call_id = await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)
        assert await post_late(running, call_id) == 202
        await eventually(lambda: late(running))
        await quiet(running)
        assert len(await presence_requests(sandbox)) == 2


async def post_late(running: RunningEngine, call_id: str) -> int:
    """Post an event, as CloudLink does, that the call was connected a second before it ended."""
    account = running.sandbox.world.saved.account
    [subscription] = running.sandbox.world.saved.subscriptions.values()
    body = {
        "subject": f"/2017-09-01/endpoints/2001/calls/{call_id}",
        "content": {
            "state": "connected",
            "endpointId": "2001",
            "callId": call_id,
            "accountId": account.id,
            "timestamp": running.sandbox.world.saved.newest_ms - 1000,
            "eventId": "a late one",
            "eventType": "CallStateNotification",
        },
        "subscription": {"subscriptionId": subscription.id},
    }
    async with running.http.post(subscription.url, json=body) as response:
        return response.status


async def late(running: RunningEngine) -> bool:
    return running.metric("events_total", verdict="late") == 1


async def test_a_poll_finds_what_lost_webhooks_missed(tmp_path: Path) -> None:
    intervals = replace(QUICK, poll_with_webhooks=0.2)
    async with connected_engine(tmp_path, intervals=intervals) as (sandbox, running):
        await sandbox.set_faults(loseWebhooks=True)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.hangup("2001")
        await running.wait_until_shown("2001", *AVAILABLE)
        assert running.metric("events_total", verdict="applied") == 0


@on_sqlite
async def test_without_a_public_url_it_polls(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, webhooks=False) as (sandbox, running):
        status = await running.status()
        assert (status.freshness, status.worst_age) == (Freshness.NO_URL, int(QUICK.poll))
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.dnd("2002")
        await running.wait_until_shown("2002", *PRESENTING)


async def test_a_throttled_change_is_sent_again_alone_when_graph_said_so(tmp_path: Path) -> None:
    clock = FakeClock()
    extensions = ["2001", "2002", "2003", "2004"]
    async with connected_engine(tmp_path, clock=clock, intervals=SLOW_CLOCK) as (sandbox, running):
        clock.advance(seconds=60)
        await sandbox.set_faults(graphQuota=2)
        for extension in extensions:
            await answer_call(sandbox, extension)
        await eventually(lambda: throttled(running))
        clock.advance(seconds=3)
        await asyncio.sleep(0.2)
        assert await presences(sandbox, IN_A_CALL, extensions, 2)
        clock.advance(seconds=60)
        await eventually(lambda: presences(sandbox, IN_A_CALL, extensions, 4))
        accepted = [call["url"] for call in await presence_requests(sandbox) if call["status"] == 200]
        assert len(accepted) == len(set(accepted)) == 4


async def throttled(running: RunningEngine) -> bool:
    return running.metric("changes_total", kind="set", outcome="throttled") > 0


async def test_the_quota_is_never_exceeded(tmp_path: Path) -> None:
    clock = FakeClock()
    extensions = [f"20{number:02}" for number in range(1, 9)]
    async with connected_engine(tmp_path, clock=clock, quota=5, intervals=SLOW_CLOCK) as (sandbox, running):
        await sandbox.set_faults(graphQuota=5)
        clock.advance(seconds=60)
        for extension in extensions:
            await answer_call(sandbox, extension)
        await eventually(lambda: presences(sandbox, IN_A_CALL, extensions, 5))
        await eventually(lambda: waits_for_quota(running))
        assert len(await presence_requests(sandbox)) == 5
        clock.advance(seconds=33)
        await eventually(lambda: presences(sandbox, IN_A_CALL, extensions, 8))
        assert all(call["status"] == 200 for call in await presence_requests(sandbox))


async def waits_for_quota(running: RunningEngine) -> bool:
    return running.metric("quota_waits_total") > 0


async def presences(sandbox: SandboxHandle, what: tuple[str, str], extensions: list[str], count: int) -> bool:
    rows = {row["extension"]: row["teams"] for row in (await sandbox.state())["people"]}
    shown = [rows[extension]["shown"] for extension in extensions if rows[extension]]
    return [(each["availability"], each["activity"]) for each in shown].count(what) == count


async def test_an_outage_marks_the_service_unhealthy_until_it_ends(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.set_faults(graphOutage=True)
        await answer_call(sandbox, "2001")
        await eventually(lambda: fault_is(running, Service.GRAPH, Fault.GRAPH_UNREACHABLE))
        await sandbox.set_faults(graphOutage=False)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: fault_is(running, Service.GRAPH, None))


async def fault_is(running: RunningEngine, service: Service, fault: Fault | None) -> bool:
    health = next(health for health in (await running.status()).service_health if health.service is service)
    return (health.error.fault if health.error else None) == fault


async def test_revoked_consent_stops_pushes_and_the_newest_state_goes_out_once_it_is_back(tmp_path: Path) -> None:
    intervals = replace(QUICK, recheck_credentials=1.0)
    async with connected_engine(tmp_path, intervals=intervals) as (sandbox, running):
        await sandbox.permissions(Presence_ReadWrite_All=False)
        await sandbox.set_faults(graphForbidden=True)
        await answer_call(sandbox, "2001")
        await eventually(lambda: fault_is(running, Service.GRAPH, Fault.GRAPH_CONSENT_MISSING))
        await sandbox.clear_log()
        await sandbox.hangup("2001")
        await answer_call(sandbox, "2001")
        await sandbox.conference("2001")
        await eventually(lambda: wants(running, "2001", "Busy/InAConferenceCall"))
        assert await presence_requests(sandbox) == []
        await sandbox.set_faults(graphForbidden=False)
        await sandbox.permissions(Presence_ReadWrite_All=True)
        await running.wait_until_shown("2001", *CONFERENCE)
        assert [call["status"] for call in await presence_requests(sandbox)] == [200]
        await eventually(lambda: fault_is(running, Service.GRAPH, None))


async def wants(running: RunningEngine, extension: str, presence: str | None) -> bool:
    return (await person_by_extension(running, extension)).desired == presence


async def test_a_new_secret_is_needed_when_cloudlinks_is_refused_and_calls_are_found_after(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, webhooks=False) as (sandbox, running):
        await sandbox.new_cloudlink_secret()
        await eventually(lambda: fault_is(running, Service.CLOUDLINK, Fault.CLOUDLINK_REFUSED))


SLOW_CLOCK = Intervals(
    schedule=5, poll=3600, poll_with_webhooks=3600, match=36000, check_subscription=36000, tick=0.02
)
"""For a fixed clock: everything is due only when the test advances it."""

HALF_HOURLY = replace(SLOW_CLOCK, poll_with_webhooks=600, poll=600)


async def test_a_long_call_is_renewed_before_its_session_ends_and_rarely(tmp_path: Path) -> None:
    clock = FakeClock()
    async with connected_engine(tmp_path, clock=clock, intervals=HALF_HOURLY) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await eventually(lambda: accepted_at(running, "2001", clock()))
        [first] = await presence_requests(sandbox)
        assert first["body"]["expirationDuration"] == "PT4H"
        await poll_for(160, clock, running)
        await quiet(running)
        assert len(await presence_requests(sandbox)) == 1
        clock.advance(minutes=35)
        await eventually(lambda: accepted_at(running, "2001", clock()))
        await eventually(lambda: polled_at(running, clock()))
        assert len(await presence_requests(sandbox)) == 2
        await poll_for(160, clock, running)
        clock.advance(minutes=35)
        await eventually(lambda: sent_so_far(sandbox, 3))
        assert await sandbox.shown("2001") == IN_A_CALL


async def accepted_at(running: RunningEngine, extension: str, now: datetime) -> bool:
    """Whether Graph's acceptance of this presence is stored as of now: only then may a test move the clock."""
    return (await person_by_extension(running, extension)).applied_at == now


async def poll_for(minutes: int, clock: FakeClock, running: RunningEngine) -> None:
    """Let time pass while the phones are polled: a state without news for an hour is cleared."""
    for _ in range(minutes // 40):
        await eventually(lambda: polls_are_over(running))
        clock.advance(minutes=40)
        await eventually(lambda: polled_at(running, clock()))


async def polled_at(running: RunningEngine, now: datetime) -> bool:
    async with running.database.session() as session:
        return (await session.exec(select(Integration))).one().polled_at == now


async def sent_so_far(sandbox: SandboxHandle, count: int) -> bool:
    return len(await presence_requests(sandbox)) == count


@on_sqlite
async def test_a_presence_chosen_by_hand_wins(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await sandbox.chosen("2001", "Away")
        await answer_call(sandbox, "2001")
        await eventually(lambda: sent_so_far(sandbox, 1))
        assert (await sandbox.shown("2001"))[0] == "Away"
        await sandbox.chosen("2001", None)
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_a_restart_during_a_call_sends_nothing_again_and_receives_the_hang_up(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        async with running_engine(sandbox, tmp_path) as running:
            await running.connect()
            await answer_call(sandbox, "2001")
            await running.wait_until_shown("2001", *IN_A_CALL)
            await running.wait_until_sent()
        await sandbox.clear_log()
        async with running_engine(sandbox, tmp_path) as running:
            await eventually(lambda: polled(sandbox))
            await quiet(running)
            assert await presence_requests(sandbox) == []
            await sandbox.hangup("2001")
            await running.wait_until_shown("2001", *AVAILABLE)


async def polled(sandbox: SandboxHandle) -> bool:
    return any("/endpoints/2001" in entry["path"] for entry in await sandbox.log())


async def test_a_call_that_ended_while_we_were_down_is_cleared_at_the_start(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        async with running_engine(sandbox, tmp_path) as running:
            await running.connect()
            await answer_call(sandbox, "2001")
            await running.wait_until_shown("2001", *IN_A_CALL)
            await running.wait_until_sent()
        await sandbox.hangup("2001")
        assert await sandbox.shown("2001") == IN_A_CALL
        async with running_engine(sandbox, tmp_path) as running:
            await running.wait_until_shown("2001", *AVAILABLE)


async def test_disabling_clears_what_we_set_and_enabling_sets_it_again(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await sandbox.dnd("2002")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await running.wait_until_shown("2002", *PRESENTING)
        integration = await running.integration_id()
        assert await running.engine.integrations.disable(TENANT, integration, ADMIN) == 2
        await running.wait_until_shown("2001", *AVAILABLE)
        await running.wait_until_shown("2002", *AVAILABLE)
        await eventually(lambda: subscriptions(sandbox, 0))
        await running.engine.integrations.enable(TENANT, integration, ADMIN)
        await running.wait_until_shown("2001", *IN_A_CALL)
        await eventually(lambda: subscriptions(sandbox, 1))


async def subscriptions(sandbox: SandboxHandle, count: int) -> bool:
    return len(sandbox.world.saved.subscriptions) == count


async def test_removing_clears_unsubscribes_and_deletes(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        integration = await running.integration_id()
        await running.engine.integrations.remove(TENANT, integration, ADMIN)
        with pytest.raises(UnknownIntegration):
            await running.engine.overview.status(TENANT, integration)
        await running.wait_until_shown("2001", *AVAILABLE)
        await eventually(lambda: forgotten(running))
        assert await subscriptions(sandbox, 0)


async def forgotten(running: RunningEngine) -> bool:
    async with running.database.session() as session:
        rows = [*(await session.exec(select(Integration))).all(), *(await session.exec(select(Person))).all()]
    return not rows


async def test_a_removal_continues_after_a_restart(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        async with running_engine(sandbox, tmp_path) as running:
            await running.connect()
            await answer_call(sandbox, "2001")
            await running.wait_until_shown("2001", *IN_A_CALL)
            await sandbox.set_faults(graphOutage=True)
            await running.engine.integrations.remove(TENANT, await running.integration_id(), ADMIN)
        await sandbox.set_faults(graphOutage=False)
        async with running_engine(sandbox, tmp_path) as running:
            await running.wait_until_shown("2001", *AVAILABLE)
            await eventually(lambda: forgotten(running))


async def test_a_removal_that_graph_prevents_still_deletes_the_secrets(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, intervals=replace(QUICK, removal_timeout=0.5)) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.set_faults(graphOutage=True)
        await running.engine.integrations.remove(TENANT, await running.integration_id(), ADMIN)
        await eventually(lambda: forgotten(running))


async def test_a_missing_subscription_is_created_again(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, intervals=replace(QUICK, check_subscription=0.2)) as (sandbox, running):
        sandbox.world.saved.subscriptions.clear()
        await eventually(lambda: subscriptions(sandbox, 1))
        await quiet(running)
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)


async def test_a_subscription_is_renewed_on_schedule_and_the_old_one_deleted(tmp_path: Path) -> None:
    intervals = replace(QUICK, check_subscription=0.2, renew_subscription=0.2)
    async with connected_engine(tmp_path, intervals=intervals) as (sandbox, _running):
        before = set(sandbox.world.saved.subscriptions)

        async def renewed() -> bool:
            now = set(sandbox.world.saved.subscriptions)
            return len(now) == 1 and not now & before

        await eventually(renewed)


async def test_a_person_who_leaves_cloudlink_is_cleared_and_deleted(tmp_path: Path) -> None:
    async with connected_engine(tmp_path, intervals=replace(QUICK, match=0.3)) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        teams_name = (await sandbox.teams("2001"))["upn"]
        gone = sandbox.world.person("2001")
        assert gone is not None
        user_id = gone.teams_id
        sandbox.world.saved.people.remove(gone)

        async def cleared() -> bool:
            user = next(user for user in sandbox.world.saved.teams if user.id == user_id)
            return user.session is None

        await eventually(cleared)
        assert teams_name

        async def deleted() -> bool:
            async with running.database.session() as session:
                return not (await session.exec(select(Person).where(Person.cloudlink_user_id == gone.id))).all()

        await eventually(deleted)


async def test_the_preview_shows_matched_and_unmatched_people_and_what_would_be_sent(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox, running_engine(sandbox, tmp_path) as running:
        await sandbox.dnd("2003")
        view = await running.connect(enabled=False)
        preview = await running.engine.overview.preview(TENANT, view.id)
        assert preview.people == len(sandbox.world.saved.people)
        assert {one.reason.value for one in preview.unmatched} == {
            "no_address",
            "not_found",
            "ambiguous",
            "disabled",
            "guest",
            "no_extension",
        }
        assert [(one.name, one.presence.value) for one in preview.would_send] == [
            ("Catarina Lopes", "DoNotDisturb/Presenting")
        ]
        assert await presence_requests(sandbox) == []


@on_sqlite
async def test_the_connection_test_names_its_steps_and_what_fails(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        integration = await running.integration_id()
        probes = await running.engine.connection_test.test(TENANT, integration, ADMIN)
        assert [probe.step for probe in probes] == ["account", "users", "way_in", "token", "directory", "presence"]
        assert not any(probe.error for probe in probes)
        await sandbox.permissions(Presence_ReadWrite_All=False)
        probes = await running.engine.connection_test.test(TENANT, integration, ADMIN)
        assert [probe.error.fault for probe in probes if probe.error] == [Fault.GRAPH_CONSENT_MISSING]
        assert await fault_is(running, Service.GRAPH, Fault.GRAPH_CONSENT_MISSING)
        await sandbox.permissions(Presence_ReadWrite_All=True)
        await running.engine.connection_test.test(TENANT, integration, ADMIN)
        assert await fault_is(running, Service.GRAPH, None)


async def test_another_tenant_sees_nothing_of_it(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (_, running):
        integration = await running.integration_id()
        engine = running.engine
        assert await engine.integrations.list("another-tenant") == []
        for read in (engine.overview.status, engine.overview.preview):
            with pytest.raises(UnknownIntegration):
                await read("another-tenant", integration)
        changes = (engine.integrations.enable, engine.integrations.disable, engine.integrations.remove)
        for act in (*changes, engine.connection_test.test):
            with pytest.raises(UnknownIntegration):
                await act("another-tenant", integration, ADMIN)
        assert (await running.status()).integration.enabled


async def test_no_secret_is_readable_in_the_store_the_log_or_the_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        await sandbox.set_faults(graphForbidden=True)
        await sandbox.hangup("2001")
        await eventually(lambda: fault_is(running, Service.GRAPH, Fault.GRAPH_FORBIDDEN))
        [subscription] = sandbox.world.saved.subscriptions.values()
        secrets = [
            sandbox.world.saved.account.client_secret,
            sandbox.world.saved.registration.secrets[-1].value,
            subscription.url.rpartition("/")[2],
        ]
        captured = capsys.readouterr()
        everything = (
            captured.out
            + captured.err
            + await all_stored_values(running)
            + generate_latest(running.registry).decode()
        )
        assert "service_unhealthy" in everything
        assert not [secret for secret in secrets if secret in everything]


async def all_stored_values(running: RunningEngine) -> str:
    """Every value of every row, and of an SQLite file every byte."""
    async with running.database.engine.connect() as connection:
        tables = [await connection.execute(table.select()) for table in SQLModel.metadata.sorted_tables]
        rows = " ".join(str(tuple(row)) for table in tables for row in table)
    file = running.database.engine.url.database or ""
    return rows + b"".join(path.read_bytes() for path in Path(file).parent.glob("presence.db*")).decode(
        errors="replace"
    )
