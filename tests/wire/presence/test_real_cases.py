"""Phones as people use them: several devices, parked calls, hot desks, wrong clocks, lost and unusual events.

CloudLink's media service answers what a test sets, events are posted as CloudLink posts them, and what counts is
what Teams shows and what reached Microsoft Graph.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sandbox.world.people import TeamsUser
from sync.scheduling.scheduler import Intervals
from tests.support.clocks import FakeClock
from tests.support.engines import RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import (
    AVAILABLE,
    CONFERENCE,
    IN_A_CALL,
    PRESENTING,
    only_integration,
    presence_requests,
)
from tests.support.services.cloudlink_media import Media
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import on_sqlite

pytestmark = pytest.mark.usefixtures("each_database")

ANA, BRUNO = "2001", "2002"
SOFTPHONE = "3001"
POLL = 60
BY_THE_CLOCK = Intervals(
    schedule=5, poll=POLL, poll_with_webhooks=POLL, match=600, check_subscription=36000, tick=0.02
)
"""For a fixed clock: everything is due only when the test advances it."""

TEN_YEARS = 10 * 365 * 86400


@dataclass
class Case:
    """A running engine, CloudLink's media service, and events posted as CloudLink posts them."""

    sandbox: SandboxHandle
    running: RunningEngine
    media: Media
    clock: FakeClock
    numbers: "count[int]"

    def user_id(self, extension: str) -> str:
        person = self.sandbox.world.person(extension)
        assert person is not None
        return person.id

    async def call(self, extension: str, state: str | None, call_id: str = "33656066", **content: Any) -> None:
        """An event of a call. Each is a second later than the one before, unless it has a time of its own."""
        given = {"eventType": "CallStateNotification", "callId": call_id, "state": state}
        await self._post(extension, {**given, **content}, f"/calls/{call_id}")

    async def phone(self, extension: str, **content: Any) -> None:
        """An event of a phone."""
        await self._post(extension, {"eventType": "EndpointStateNotification", "state": "idle", **content})

    async def _post(self, extension: str, content: dict[str, Any], path: str = "") -> None:
        self.clock.advance(seconds=1)
        owner = self.sandbox.world.person(extension)
        account, [subscription] = (
            self.sandbox.world.saved.account,
            self.sandbox.world.saved.subscriptions.values(),
        )
        given = {
            "endpointId": extension,
            "userId": owner.id if owner else None,
            "accountId": account.id,
            "timestamp": self.milliseconds(),
            "eventId": f"event {next(self.numbers)}",
            **content,
        }
        body = {
            "subject": f"/2017-09-01/endpoints/{extension}{path}",
            "content": {name: value for name, value in given.items() if value is not None},
            "subscription": {"subscriptionId": subscription.id},
        }
        async with self.running.http.post(subscription.url, json=body) as response:
            assert response.status == 202

    def milliseconds(self, ahead: float = 0) -> int:
        """Our clock's time, or that of one which is so many seconds ahead, as CloudLink writes it."""
        return int((self.clock().timestamp() + ahead) * 1000)

    async def poll(self, seconds: float = POLL + 5) -> None:
        """Let time pass until a sample is polled, with everybody on the phone, and wait until it is."""
        self.clock.advance(seconds=seconds)
        now = self.clock()

        async def is_polled() -> bool:
            polled = (await only_integration(self.running)).polled_at
            return polled is not None and polled >= now

        await eventually(is_polled, meanwhile=self.go_on)

    def go_on(self) -> None:
        """Let a moment pass: what is planned for it must come."""
        self.clock.advance(seconds=0.1)

    async def poll_everybody(self) -> None:
        """After so long without a poll nobody is left out."""
        await self.poll(3 * POLL + 5)

    async def match(self) -> None:
        """Let time pass until the directories are read, and wait until they are."""
        self.clock.advance(seconds=605)
        now = self.clock()

        async def is_matched() -> bool:
            matched_at = (await only_integration(self.running)).matched_at
            return matched_at is not None and matched_at >= now

        await eventually(is_matched, meanwhile=self.go_on)

    async def shows(self, who: str, presence: tuple[str, str]) -> None:
        await self.running.wait_until_shown(who, *presence)
        await self.running.wait_until_sent()

    async def shows_still(self, who: str, presence: tuple[str, str]) -> None:
        """Nothing was sent that would change it, and nothing is waiting to be sent."""
        await asyncio.sleep(0.2)
        await self.shows(who, presence)

    async def sent(self) -> list[tuple[str, str]]:
        """Whom and what Graph was asked for, in order, since the beginning."""
        names = {user.id: user.name for user in self.sandbox.world.saved.teams}
        parts = [str(call["url"]).strip("/").split("/") for call in await presence_requests(self.sandbox)]
        return [(names[path[1]].split()[0], path[-1]) for path in parts]

    def teams_user(self, extension: str) -> TeamsUser:
        person = self.sandbox.world.person(extension)
        assert person is not None
        return next(user for user in self.sandbox.world.saved.teams if user.id == person.teams_id)


@asynccontextmanager
async def real_case(folder: Path, **webhook_options: Any) -> AsyncIterator[Case]:
    clock = FakeClock()
    async with running_sandbox(clock=clock) as sandbox:
        media = Media(sandbox)
        async with media.listen():
            url = f"{media.url}/{{service}}"
            options = {"clock": clock, "intervals": BY_THE_CLOCK, "cloudlink_url": url, **webhook_options}
            async with running_engine(sandbox, folder, **options) as running:
                await running.connect()
                await running.wait_until_sent()
                await sandbox.clear_log()
                yield Case(sandbox, running, media, clock, count(1))


SET, CLEAR = "setPresence", "clearPresence"


# Whose call it is


async def test_the_user_counts_where_user_and_extension_disagree_and_the_directory_is_read(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        matched_at = (await only_integration(case.running)).matched_at
        case.clock.advance(seconds=1)
        await case.call(ANA, "connected", userId=case.user_id(BRUNO))
        await case.shows(BRUNO, IN_A_CALL)
        await case.shows_still(ANA, AVAILABLE)
        assert await case.sent() == [("Bruno", SET)]

        async def is_matched_again() -> bool:
            return (await only_integration(case.running)).matched_at != matched_at

        await eventually(is_matched_again)
        await case.call(ANA, "ended", userId=case.user_id(BRUNO))
        await case.shows(BRUNO, AVAILABLE)
        assert await case.sent() == [("Bruno", SET), ("Bruno", CLEAR)]


@on_sqlite
async def test_a_poll_that_names_another_user_is_that_users(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        case.media.set_calls(ANA, {"callId": "c", "state": "connected"}, userId=case.user_id(BRUNO))
        await case.poll_everybody()
        await case.shows(BRUNO, IN_A_CALL)
        assert await case.sent() == [("Bruno", SET)]
        case.media.set_calls(ANA, userId=case.user_id(BRUNO))
        await case.poll()
        await case.shows(BRUNO, AVAILABLE)


@on_sqlite
async def test_an_event_of_someone_unknown_at_a_known_extension_is_nobodys(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected", userId="someone-new")
        await case.shows_still(ANA, AVAILABLE)
        assert case.running.metric("events_total", verdict="unknown_person") == 1
        await case.call(ANA, "connected", "c2", userId="")
        await case.shows(ANA, IN_A_CALL)


async def test_one_extension_at_two_sites_is_two_people_and_never_guessed(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        bruno = case.sandbox.world.person(BRUNO)
        assert bruno is not None
        bruno.extension = ANA
        await case.match()
        await case.call(ANA, "connected", "a", userId="")
        await case.shows_still(ANA, AVAILABLE)
        assert case.running.metric("events_total", verdict="ambiguous") == 1
        await case.call(ANA, "connected", "b", userId=bruno.id)
        await case.shows("Bruno Carvalho", IN_A_CALL)
        assert await case.sent() == [("Bruno", SET)]


async def test_someone_whose_extension_is_taken_away_during_a_call_is_cleared(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        ana = case.sandbox.world.person(ANA)
        assert ana is not None
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        ana.extension = None
        await case.match()
        await case.shows(ana.name, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


async def test_a_call_goes_on_at_the_former_extension_of_someone_who_got_another(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        ana = case.sandbox.world.person(ANA)
        assert ana is not None
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"}, userId=ana.id)
        ana.extension = "2099"
        await case.match()
        await eventually(lambda: {ANA, "2099"} <= set(case.media.asked), meanwhile=case.go_on)
        await case.shows_still(ana.name, IN_A_CALL)
        case.media.devices[ANA] = None
        await case.poll()
        await case.shows(ana.name, AVAILABLE)


@on_sqlite
async def test_of_two_who_swap_extensions_during_a_call_it_stays_with_whom_cloudlink_names(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        ana, bruno = case.sandbox.world.person(ANA), case.sandbox.world.person(BRUNO)
        assert ana
        assert bruno
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"}, userId=ana.id)
        ana.extension, bruno.extension = BRUNO, ANA
        await case.match()
        await case.poll()
        await case.shows_still(ana.name, IN_A_CALL)
        await case.call(ANA, "ended", userId=ana.id)
        await case.shows(ana.name, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


@pytest.mark.parametrize("change", ["disabled", "renamed", "guest"])
async def test_who_stops_matching_is_cleared_in_a_call_or_not(tmp_path: Path, change: str) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        user = case.teams_user(ANA)
        if change == "renamed":
            user.upn = user.mail = "a.silva@valeverde.example"
        else:
            user.enabled, user.guest = change == "guest", change == "guest"
        case.sandbox.world.saved.directory_version += 1
        user.changed = case.sandbox.world.saved.directory_version
        await case.match()
        await eventually(lambda: user.session is None, meanwhile=case.go_on)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]
        await case.call(ANA, "ended")
        await case.running.wait_until_sent()
        assert len(await case.sent()) == 2


# Several devices


@on_sqlite
async def test_a_call_on_a_softphone_outlasts_polls_of_the_idle_desk_phone(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        case.media.set_calls(SOFTPHONE, {"callId": "33656066", "state": "connected"})
        await case.call(SOFTPHONE, "connected", userId=case.user_id(ANA))
        await case.shows(ANA, IN_A_CALL)
        for _ in range(5):
            await case.poll()
        await case.shows_still(ANA, IN_A_CALL)
        assert {ANA, SOFTPHONE} <= set(case.media.asked)
        assert await case.sent() == [("Ana", SET)]
        case.media.set_calls(SOFTPHONE)
        await case.poll()
        await case.shows(ANA, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


async def test_a_call_ends_on_one_device_and_goes_on_on_the_other(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "ringing", "same-id")
        await case.call(SOFTPHONE, "ringing", "same-id", userId=case.user_id(ANA))
        await case.call(SOFTPHONE, "connected", "same-id", userId=case.user_id(ANA))
        await case.call(ANA, "ended", "same-id")
        await case.shows(ANA, IN_A_CALL)
        await case.call(SOFTPHONE, "ended", "same-id", userId=case.user_id(ANA))
        await case.shows(ANA, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


async def test_a_device_that_cloudlink_no_longer_knows_is_forgotten_with_its_calls(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(SOFTPHONE, "connected", userId=case.user_id(ANA))
        await case.shows(ANA, IN_A_CALL)
        await case.poll()
        await case.shows(ANA, AVAILABLE)
        case.media.asked.clear()
        await case.poll()
        assert SOFTPHONE not in case.media.asked


@on_sqlite
async def test_do_not_disturb_of_the_softphone_is_not_undone_by_a_poll_of_the_desk_phone(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        case.media.set_calls(SOFTPHONE, doNotDisturb=True)
        case.media.set_calls(ANA, doNotDisturb=False)
        await case.phone(SOFTPHONE, doNotDisturb=True, userId=case.user_id(ANA))
        await case.shows(ANA, PRESENTING)
        await case.poll()
        await case.shows_still(ANA, PRESENTING)
        assert await case.sent() == [("Ana", SET)]


async def test_a_hot_desk_that_someone_else_uses_now_holds_no_call_of_the_former(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call("5001", "connected", userId=case.user_id(ANA))
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls("5001", {"callId": "next", "state": "connected"}, userId=case.user_id(BRUNO))
        await case.poll()
        await case.shows(ANA, AVAILABLE)
        await case.shows(BRUNO, IN_A_CALL)


@on_sqlite
async def test_a_phone_of_which_cloudlink_refuses_to_answer_stops_nobodys_poll(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(BRUNO, "connected")
        await case.shows(BRUNO, IN_A_CALL)
        case.media.refused[BRUNO] = 403
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        await case.poll_everybody()
        await case.shows(ANA, IN_A_CALL)
        await case.shows_still(BRUNO, IN_A_CALL)
        assert all(health.error is None for health in (await case.running.status()).service_health)


# Which call it is


@on_sqlite
@pytest.mark.parametrize("in_webhook", [True, False])
async def test_a_call_whose_id_is_a_path_is_the_same_as_the_bare_one(tmp_path: Path, in_webhook: bool) -> None:
    path, bare = f"endpoints/{ANA}/calls/33656066", "33656066"
    named, polled = (path, bare) if in_webhook else (bare, path)
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected", named)
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls(ANA, {"callId": polled, "state": "connected"})
        await case.poll()
        await case.call(ANA, "ended", named)
        await case.shows(ANA, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


@on_sqlite
async def test_a_parked_call_that_is_taken_up_again_is_shown_again(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.call(ANA, "ended")
        await case.shows(ANA, AVAILABLE)
        await case.call(ANA, "ringing")
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)


async def test_a_poll_finds_that_a_parked_call_was_taken_up_again(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        await case.call(ANA, "ended")
        await case.shows(ANA, AVAILABLE)
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        await case.poll_everybody()
        await case.shows(ANA, IN_A_CALL)


# Which time it is


@pytest.mark.parametrize("ahead", [-300, 0, 240])
async def test_a_poll_asked_before_a_call_connected_does_not_end_it(tmp_path: Path, ahead: float) -> None:
    async with real_case(tmp_path) as case:
        case.media.held = asyncio.Event()
        case.media.asked.clear()
        case.clock.advance(seconds=3 * POLL + 5)
        await eventually(lambda: case.media.asked.count(ANA) >= 2, meanwhile=case.go_on)
        before = (await only_integration(case.running)).polled_at
        await case.call(ANA, "connected", timestamp=case.milliseconds(ahead))
        case.media.held.set()

        async def is_polled() -> bool:
            return (await only_integration(case.running)).polled_at != before

        await eventually(is_polled, meanwhile=case.go_on)
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        await case.poll()
        await case.shows_still(ANA, IN_A_CALL)
        assert await case.sent() == [("Ana", SET)]
        case.media.set_calls(ANA)
        await case.poll()
        await case.shows(ANA, AVAILABLE)


@on_sqlite
async def test_one_time_ten_years_ahead_does_not_make_do_not_disturb_deaf(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.phone(ANA, doNotDisturb=False, timestamp=case.milliseconds(TEN_YEARS))
        await case.phone(ANA, doNotDisturb=True)
        await case.shows(ANA, PRESENTING)
        await case.phone(ANA, doNotDisturb=False)
        await case.shows(ANA, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


@on_sqlite
async def test_a_call_that_connected_ten_years_ahead_ends_now(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected", timestamp=case.milliseconds(TEN_YEARS))
        await case.shows(ANA, IN_A_CALL)
        await case.call(ANA, "ended")
        await case.shows(ANA, AVAILABLE)


@on_sqlite
async def test_an_event_without_any_time_counts_as_of_its_arrival(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected", timestamp=None)
        await case.shows(ANA, IN_A_CALL)
        await case.call(ANA, "ended", timestamp=None)
        await case.shows(ANA, AVAILABLE)


@on_sqlite
@pytest.mark.parametrize("item", [{}, {"createdOn": "2026-11-23T11:59:00Z", "sequenceNumber": 2}])
async def test_a_polled_call_without_a_time_counts_as_of_the_moment_of_asking(
    tmp_path: Path, item: dict[str, Any]
) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "ringing")
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected", **item})
        await case.poll_everybody()
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls(ANA, {"callId": "33656066", "state": "conferenced", **item})
        await case.poll()
        await case.shows(ANA, CONFERENCE)


# What the state is


@on_sqlite
async def test_when_the_talk_ends_a_call_that_rings_beside_it_shows_nothing(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected", "a")
        await case.shows(ANA, IN_A_CALL)
        await case.call(ANA, "ringing", "b")
        await case.shows_still(ANA, IN_A_CALL)
        await case.call(ANA, "ended", "a")
        await case.shows(ANA, AVAILABLE)
        await case.call(ANA, "connected", "b")
        await case.shows(ANA, IN_A_CALL)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR), ("Ana", SET)]


@on_sqlite
async def test_do_not_disturb_that_ends_while_it_rings_shows_nothing(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.phone(ANA, doNotDisturb=True)
        await case.shows(ANA, PRESENTING)
        await case.call(SOFTPHONE, "ringing", userId=case.user_id(ANA))
        await case.phone(ANA, doNotDisturb=False)
        await case.shows(ANA, AVAILABLE)


@on_sqlite
@pytest.mark.parametrize(
    ("state", "csta"),
    [
        ("levitating", "connectionClearedEvent"),
        (None, "CallCleared"),
        ("xx", "TRANSFEREDEVENT"),
        ("null", "unheardOf"),
        ("farEndHungUp", None),
    ],
)
async def test_an_end_by_any_name_is_believed(tmp_path: Path, state: str | None, csta: str | None) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "levitating", extraPbxData={"eventType": "establishedEvent"})
        await case.shows(ANA, IN_A_CALL)
        await case.call(ANA, state, extraPbxData={"eventType": csta})
        await case.shows(ANA, AVAILABLE)
        assert await case.sent() == [("Ana", SET), ("Ana", CLEAR)]


async def test_an_unknown_word_has_the_phone_read_now(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        await case.call(ANA, "levitating")
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls(ANA)
        case.clock.advance(seconds=30)
        await case.call(ANA, "landing")
        await case.shows(ANA, AVAILABLE)
        assert set(case.media.asked[-2:]) == {ANA}
        assert (await case.running.status()).unknown_states == (("landing", 1), ("levitating", 1))


@on_sqlite
async def test_a_doubtful_end_that_is_none_is_corrected_now(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "connected")
        await case.shows(ANA, IN_A_CALL)
        case.media.set_calls(ANA, {"callId": "33656066", "state": "connected"})
        case.media.asked.clear()
        await case.call(ANA, "levitating", extraPbxData={"eventType": "transferredEvent"})
        await eventually(lambda: ANA in case.media.asked, meanwhile=case.go_on)
        await case.shows_still(ANA, IN_A_CALL)


@on_sqlite
async def test_a_phone_that_reports_the_state_of_its_call_says_nothing_unknown(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.phone(ANA, doNotDisturb=True)
        await case.phone(ANA, state="alerting")
        await case.shows(ANA, PRESENTING)
        assert case.running.metric("events_total", verdict="applied") == 2
        assert (await case.running.status()).unknown_states == ()


@on_sqlite
async def test_a_queued_call_changes_nothing(tmp_path: Path) -> None:
    async with real_case(tmp_path) as case:
        await case.call(ANA, "queued")
        await case.call(ANA, "connected", "b")
        await case.call(ANA, "queued", "b")
        await case.shows_still(ANA, IN_A_CALL)
        assert case.running.metric("events_total", verdict="unchanged") == 2
        assert (await case.running.status()).unknown_states == ()
