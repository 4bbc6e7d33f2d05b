"""Notices over the wire: recipients, timing, retries, and updates of their cards."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from bot.cards.field_errors import Links
from bot.chat.bot_context import BotContext
from bot.proactive.notifier import Notifier
from bot.roles.admins_setting import AdminsSetting
from storage.queries import clock
from storage.queries.chat import conversations, roles
from storage.queries.health import alerts, notices, problems
from storage.queries.health.notices import State
from storage.tables.notices import AlertPreference, Notice
from storage.tables.problems import Problem
from storage.tables.rotations import Rotation
from sync.domain.roles import Role
from tests.support.bot.fakes import buttons, link_urls, words
from tests.support.bot.hosting import TENANT
from tests.support.bot.notices import NoticeHarness, chat_of, open_notice_harness, title
from tests.support.bot.texts import EN, PT, problem_summary
from tests.support.storage.stores import each_database as each_database
from tests.support.storage.stores import stored

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[NoticeHarness]:
    async with open_notice_harness(tmp_path) as opened:
        yield opened


async def quiet(world: NoticeHarness, who: str = "ada", zone: str = "UTC") -> None:
    """From an hour before the harness's noon until an hour after it."""
    async with world.database.writing() as session:
        await alerts.set_quiet_hours(session, TENANT, who, "11:00", "13:00", zone)


async def refused(world: NoticeHarness) -> None:
    async with world.database.writing() as session:
        await problems.upsert_open(session, "i1", "entra", "entra.secret_expired", {}, True, world.now)
    world.bot.clock.advance(seconds=31)


async def test_each_administrator_is_notified_once_in_their_own_language(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.admin("ben", locale="pt-PT")
    await world.integration(30)
    for _ in range(3):
        await world.schedule_and_send()
    assert world.said("ada") == ["The client secret expires in 30 days"]
    assert world.said("ben") == ["O segredo do cliente expira dentro de 30 dias"]
    assert await world.states() == {"ada": [State.SENT], "ben": [State.SENT]}
    assert await world.process.metric("notices", state="sent") == 2


async def test_a_chosen_language_overrides_the_clients(world: NoticeHarness) -> None:
    await world.admin("ada", language="pt")
    await world.integration(1)
    await world.schedule_and_send()
    assert world.said("ada") == ["O segredo do cliente expira dentro de 1 dia"]


async def test_a_notice_carries_its_remedy(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(7)
    await world.schedule_and_send()
    pressed = buttons(world.arrived("ada")[0].card)
    assert pressed["rotate.ask"]["data"] == {"integration": "i1"}
    (notice,) = await world.notices()
    assert pressed["alerts.told"]["data"] == {"notice": notice.id}
    assert pressed["alerts.remind"]["data"] == {"notice": notice.id, "press": notice.id}


async def test_missing_consent_offers_its_link_and_an_outage_a_test(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None, tenant_id="entra", client_id="app")
    async with world.database.writing() as session:
        facts = {"permissions": "User.Read.All"}
        await problems.upsert_open(session, "i1", "graph", "graph.consent_missing", facts, True, world.now)
        await problems.upsert_open(session, "i1", "cloudlink", "cloudlink.unreachable", {}, False, world.now)
    world.bot.clock.advance(minutes=16)
    await world.schedule_and_send()
    consent, outage = sorted((call.card for call in world.arrived("ada")), key=title)
    assert [title(consent), title(outage)] == [
        problem_summary("graph.consent_missing", permissions="User.Read.All"),
        problem_summary("cloudlink.unreachable", stopped=False),
    ]
    assert any("CallAnAPI/appId/app" in url for url in link_urls(consent))
    assert "User.Read.All" in words(consent)
    assert buttons(outage)["test.run"]["data"] == {"integration": "i1"}
    assert "rotate.ask" not in buttons(outage)


async def test_a_refusal_by_cloudlink_offers_to_edit_cloudlinks_values(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    async with world.database.writing() as session:
        await problems.upsert_open(session, "i1", "cloudlink", "cloudlink.refused", {}, True, world.now)
    world.bot.clock.advance(minutes=1)
    await world.schedule_and_send()
    assert buttons(world.arrived("ada")[0].card)["edit.cloudlink"]["data"] == {"integration": "i1"}


async def test_a_secret_that_cannot_be_decrypted_is_entered_again_on_its_own_side(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    async with world.database.writing() as session:
        for service in ("cloudlink", "entra"):
            context = {"service": service}
            await problems.upsert_open(session, "i1", service, "secret.unreadable", context, True, world.now)
    world.bot.clock.advance(seconds=31)
    await world.schedule_and_send()
    cloudlink, entra = sorted((call.card for call in world.arrived("ada")), key=title)
    assert [title(entra), title(cloudlink)] == [
        problem_summary("secret.unreadable"),
        problem_summary("secret.unreadable", stopped=False),
    ]
    remedies = ("edit.cloudlink", "rotate.ask")
    assert [verb for verb in remedies if verb in buttons(cloudlink)] == ["edit.cloudlink"]
    assert [verb for verb in remedies if verb in buttons(entra)] == ["rotate.ask"]
    assert all("Enter the secret again" in words(card) for card in (entra, cloudlink))


async def test_former_administrators_are_not_notified(world: NoticeHarness) -> None:
    await world.admin("ada", admin_as="")
    await world.admin("ben")
    await world.admin("eve", admin_as="eve")
    await world.integration(30)
    await world.process.notifier.start()
    await world.schedule_and_send()
    assert [chat_of(call) for call in world.arrived()] == ["a:ben"]


async def test_a_name_in_the_setting_means_nobody_in_a_tenant_that_is_the_home_no_more(
    world: NoticeHarness,
) -> None:
    await world.admin("ada", admin_as="ada@example.com")
    await world.integration(30)
    access = AdminsSetting(("ada@example.com",), home="another")
    context = BotContext(world.database, access, world.bot.clock, {}, Links())
    await Notifier(context, world.bot.host.messenger, Random(3)).start()
    await world.schedule_and_send()
    assert world.arrived() == []
    assert await world.process.metric("nobody_reachable") == 1


@pytest.mark.parametrize(
    ("role", "expected"), [(Role.OWNER, 1), (Role.ADMINISTRATOR, 1), (Role.VIEWER, 0), (Role.EVERYONE, 0)]
)
async def test_owners_and_administrators_are_notified_and_viewers_are_not(
    world: NoticeHarness, role: Role, expected: int
) -> None:
    await world.admin("cleo", admin_as="")
    if role is not Role.EVERYONE:
        await world.role("cleo", role)
    await world.integration(30)
    await world.schedule_and_send()
    assert len(world.arrived("cleo")) == expected


async def test_a_person_who_lost_the_role_before_sending_is_not_notified(world: NoticeHarness) -> None:
    await world.admin("cleo", admin_as="")
    await world.role("cleo", Role.ADMINISTRATOR)
    await quiet(world, "cleo")
    await world.integration(30)
    await world.schedule_and_send()
    assert await world.states() == {"cleo": [State.WAITING]}
    async with world.database.writing() as session:
        await roles.change_role(session, TENANT, "cleo", Role.ADMINISTRATOR, Role.VIEWER, "ada", ("ada",))
    world.bot.clock.advance(hours=2)
    await world.schedule_and_send()
    assert await world.states() == {"cleo": [State.DROPPED]}


async def test_a_role_in_another_tenant_does_not_count(world: NoticeHarness) -> None:
    await world.admin("cleo", admin_as="")
    await world.role("cleo", Role.OWNER, owner_tenant="another")
    await world.integration(30)
    await world.schedule_and_send()
    assert world.arrived() == []


async def test_another_tenants_administrator_is_not_notified(world: NoticeHarness) -> None:
    await world.admin("ada", tenant_id="another")
    await world.integration(30)
    await world.schedule_and_send()
    assert world.arrived() == []


async def test_muting_an_integration_stops_its_notices_only(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(30)
    await world.integration(30, id="i2", name="Porto")
    async with world.database.writing() as session:
        await alerts.set_muted(session, TENANT, "ada", "i1", True)
    await world.schedule_and_send()
    assert ["Porto" in words(call.card) for call in world.arrived("ada")] == [True]


async def test_a_warning_waits_for_the_end_of_quiet_hours(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.admin("ben")
    await world.integration(30)
    await quiet(world)
    await world.schedule_and_send()
    assert (len(world.arrived("ada")), len(world.arrived("ben"))) == (0, 1)
    world.bot.clock.advance(minutes=59)
    await world.schedule_and_send()
    assert world.arrived("ada") == []
    world.bot.clock.advance(minutes=1)
    await world.schedule_and_send()
    assert len(world.arrived("ada")) == 1


async def test_an_outage_that_pauses_in_quiet_hours_is_notified_at_their_end(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    await quiet(world)
    for minutes in (16, 1):
        async with world.database.writing() as session:
            await problems.upsert_open(session, "i1", "graph", "graph.unreachable", {}, False, world.now)
        world.bot.clock.advance(minutes=minutes)
        await world.schedule_and_send()
        if minutes == 16:
            async with world.database.writing() as session:
                await problems.close_open(session, "i1", ["graph"], world.now)
            await world.schedule_and_send()
    assert world.arrived() == []
    world.bot.clock.advance(hours=1)
    await world.schedule_and_send()
    assert world.said("ada") == [problem_summary("graph.unreachable", stopped=False)]


async def test_quiet_hours_are_those_of_the_persons_own_zone(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(30)
    await quiet(world, zone="Asia/Tokyo")
    await world.schedule_and_send()
    assert len(world.arrived("ada")) == 1


async def test_a_refused_secret_does_not_wait(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    await quiet(world)
    await refused(world)
    await world.schedule_and_send()
    assert world.said("ada") == [problem_summary("entra.secret_expired")]


async def test_muting_drops_a_waiting_notice(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(30)
    await quiet(world)
    await world.schedule_and_send()
    await world.change(AlertPreference(owner_tenant=TENANT, user_object_id="ada", integration_id="i1"), muted=True)
    world.bot.clock.advance(hours=2)
    await world.schedule_and_send()
    assert world.arrived() == []
    assert await world.states() == {"ada": [State.DROPPED]}


@pytest.mark.parametrize("processes", [2, 5])
async def test_racing_processes_send_a_notice_once(world: NoticeHarness, processes: int) -> None:
    for name in ("ada", "ben"):
        await world.admin(name)
    await world.integration(30)
    running = [world.process, *[await world.another() for _ in range(processes - 1)]]
    await asyncio.gather(*(process.notice_scheduler.run("all") for process in running))
    for process in running:
        process.jobs.deferred.append(("notify", "i1"))
    await asyncio.gather(*(process.send_due() for process in running))
    assert sorted(chat_of(call) for call in world.arrived()) == ["a:ada", "a:ben"]


async def test_a_temporary_refusal_is_retried_with_growing_pauses(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(30)
    for _ in range(3):
        world.bot.connector.answer(500)
    pauses = []
    while not await world.states() or await world.states() == {"ada": [State.WAITING]}:
        await world.schedule_and_send()
        (notice,) = await world.notices()
        if notice.state == State.WAITING and notice.due_at:
            pauses.append((notice.due_at - world.now).total_seconds())
            await world.schedule_and_send()
            world.bot.clock.now = notice.due_at
    assert len(world.arrived("ada")) == 4
    assert 15 <= pauses[0] <= 30 < pauses[2] <= 120
    assert (await world.notices())[0].attempts == 3


@pytest.mark.parametrize("status", [403, 404])
async def test_a_blocked_or_deleted_chat_is_not_retried_until_the_person_writes(
    world: NoticeHarness, status: int
) -> None:
    await world.admin("ada")
    await world.integration(30)
    world.bot.connector.answer(status)
    with capture_logs() as logs:
        for _ in range(3):
            await world.schedule_and_send()
    assert len(world.arrived("ada")) == 1
    assert await world.states() == {"ada": [State.UNREACHABLE]}
    assert [entry["event"] for entry in logs].count("no_recipient_reachable") == 1
    assert [entry["log_level"] for entry in logs if entry["event"] == "no_recipient_reachable"] == ["error"]
    assert await world.process.metric("unreachable_admins") == 1
    assert await world.process.metric("nobody_reachable") == 1
    async with world.database.writing() as session:
        known = await conversations.find(session, TENANT, "ada")
        assert known is not None
        known.unreachable = False
        session.add(known)
    await world.schedule_and_send()
    assert len(world.arrived("ada")) == 2
    assert await world.process.metric("nobody_reachable") == 0


async def test_a_crash_while_sending_never_sends_twice_but_notifies_a_day_later(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(60)
    await world.process.notice_scheduler.run("all")
    async with world.database.writing() as session:
        (notice,) = await notices.list_due(session, "i1", world.now)
        assert await notices.claim(session, notice.id, world.now)
    for _ in range(5):
        await world.schedule_and_send()
        world.bot.clock.advance(hours=4)
    assert world.arrived() == []
    assert await world.process.metric("notices", state="sending") == 1
    world.bot.clock.advance(hours=4)
    await world.schedule_and_send()
    await world.schedule_and_send()
    assert world.said("ada") == ["The client secret expires in 59 days"]


async def test_a_lost_response_counts_as_possibly_sent(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(60)
    world.bot.connector.body = b"{"
    await world.schedule_and_send()
    world.bot.connector.body = None
    world.bot.clock.advance(hours=2)
    await world.schedule_and_send()
    assert len(world.arrived()) == 1


async def test_a_closed_notice_shows_by_whom_and_when_on_every_card(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.admin("ben", locale="pt-PT", time_zone="Europe/Lisbon")
    row = await world.integration(60)
    await world.schedule_and_send()
    world.bot.clock.advance(days=30)
    await world.schedule_and_send()
    assert len(world.arrived()) == 4
    done = Rotation(
        integration_id="i1",
        owner_tenant=TENANT,
        kind="by_hand",
        step="done",
        started_by="ada",
        started_by_name="Ada Example",
        started_at=world.now,
        finished_at=world.now,
    )
    await world.change(done)
    await world.change(row, secret_expires_on=world.now.date() + timedelta(days=365))
    world.bot.clock.advance(minutes=1)
    for _ in range(3):
        await world.schedule_and_send()
    assert len(world.arrived()) == 4
    assert sorted(
        "Ada Example replaced the secret on 31 March 2026 at 12:00" in said for said in world.changed()
    ) == [
        False,
        False,
        True,
        True,
    ]
    assert any(
        "Ada Example substituiu o segredo a 31 de março de 2026 às 13:00" in said for said in world.changed()
    )
    assert {notice.state for notice in await world.notices()} == {State.CLOSED}
    posted = {notice.activity_id for notice in await world.notices()}
    assert {call.path.rpartition("/")[2] for call in world.bot.connector.sent("PUT")} == posted


async def test_a_card_that_cannot_be_changed_now_is_changed_later(world: NoticeHarness) -> None:
    await world.admin("ada")
    row = await world.integration(60)
    await world.schedule_and_send()
    await world.change(row, secret_expires_on=None)
    world.bot.connector.update_status = 500
    await world.schedule_and_send()
    world.bot.connector.update_status = 200
    assert await world.states() == {"ada": [State.CLOSING]}
    world.bot.clock.advance(minutes=5)
    await world.schedule_and_send()
    assert await world.states() == {"ada": [State.CLOSED]}


async def test_a_problem_ends_with_one_all_clear_and_a_changed_card(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    await refused(world)
    await world.schedule_and_send()
    async with world.database.writing() as session:
        await problems.close_open(session, "i1", ["entra"], world.now)
    world.bot.clock.advance(minutes=3)
    for _ in range(3):
        await world.schedule_and_send()
    assert world.said("ada") == [
        problem_summary("entra.secret_expired"),
        EN("notice.clear.refusal", service="Microsoft Entra ID"),
    ]
    assert len(world.changed()) == 1


async def test_while_the_secret_is_refused_no_notice_calls_it_valid(world: NoticeHarness) -> None:
    """Neither to who waits for the end of quiet hours or asked for a reminder, nor to who comes new."""
    for name in ("ada", "ben"):
        await world.admin(name)
    await quiet(world)
    await world.integration(3)
    await world.schedule_and_send()
    (seen,) = [notice for notice in await world.notices() if notice.audience == "ben"]
    later = {"stage": f"{seen.stage}~2026-03-02", "due_at": world.now + timedelta(hours=1), "state": State.WAITING}
    await stored(world.database, Notice(**{**seen.model_dump(exclude={"id"}), **later}))
    await refused(world)
    await world.admin("cleo", admin_as="", locale="pt-PT")
    await world.role("cleo", Role.OWNER)
    world.bot.clock.advance(hours=2)
    for _ in range(2):
        await world.schedule_and_send()
    assert world.said("ada") == [problem_summary("entra.secret_expired")]
    assert [len(world.said(name)) for name in ("ben", "cleo")] == [2, 1]
    async with world.database.writing() as session:
        await problems.close_open(session, "i1", ["entra"], world.now)
    world.bot.clock.advance(minutes=6)
    await world.schedule_and_send()
    assert [len(world.said(name)) for name in ("ada", "ben", "cleo")] == [3, 4, 3], "the date, and the all-clear"


async def test_a_channel_receives_notices_without_buttons(world: NoticeHarness) -> None:
    await world.integration(7)
    async with world.database.writing() as session:
        await alerts.add_channel(
            session,
            owner_tenant=TENANT,
            conversation_id="19:channel@thread.tacv2",
            service_url=world.bot.connector.url,
            bot_id="28:bot",
            channel_id="msteams",
            language="pt",
            added_by="ada",
            now=world.now,
        )
    await world.schedule_and_send()
    (call,) = world.arrived()
    assert chat_of(call) == "19:channel@thread.tacv2"
    assert title(call.card) == "O segredo do cliente expira dentro de 7 dias"
    assert buttons(call.card) == {}
    assert len(link_urls(call.card)) == 1
    world.bot.connector.answer(403)
    world.bot.clock.advance(days=4)
    await world.schedule_and_send()
    assert await world.process.metric("nobody_reachable") == 1


async def test_a_wrong_clock_is_notified_once_per_tenant(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    await world.integration(None, id="i2", created_at=world.now + timedelta(seconds=1))
    world.process.skew = 540.0
    await world.schedule_and_send()
    world.bot.clock.advance(minutes=16)
    for _ in range(2):
        await world.schedule_and_send()
    assert world.said("ada") == [EN("notice.problem.clock")]
    assert "9 minutes" in words(world.arrived("ada")[0].card)
    world.process.skew = 1.0
    await world.schedule_and_send()
    world.bot.clock.advance(minutes=3)
    await world.schedule_and_send()
    assert world.said("ada")[1:] == [EN("notice.clear.clock")]


async def test_an_update_is_offered(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    world.process.update = 2
    for _ in range(2):
        await world.schedule_and_send()
    assert world.said("ada") == ["A feature update is available"]


async def test_an_integration_being_removed_sends_no_notices(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(7, removing_since=world.now)
    await world.schedule_and_send()
    assert world.arrived() == []


async def test_what_waited_when_the_removal_began_is_not_sent(world: NoticeHarness) -> None:
    await world.admin("ada")
    row = await world.integration(7)
    await quiet(world)
    await world.schedule_and_send()
    await world.change(row, removing_since=world.now)
    world.bot.clock.advance(hours=2)
    await world.schedule_and_send()
    assert world.arrived() == []


async def test_a_hostile_name_stays_a_name(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(7, name="[Click](https://evil.example)" + "x" * 5_000)
    await world.schedule_and_send()
    card = world.arrived("ada")[0].card
    assert link_urls(card) == []
    assert not any(part.get("type") == "TextBlock" and "evil" in part["text"] for part in card["body"])


async def test_an_outage_that_lasts_for_more_than_a_week_is_not_called_over_nor_notified_again(
    world: NoticeHarness,
) -> None:
    """It paused for a minute on its first day: what ended then is no longer among the recent problems."""
    await world.admin("ada")
    await world.integration(None, credential="federated")
    for minutes in (16, 8 * 24 * 60):
        async with world.database.writing() as session:
            await problems.close_open(session, "i1", ["graph"], world.now - timedelta(minutes=1))
            await problems.upsert_open(session, "i1", "graph", "graph.unreachable", {}, False, world.now)
        world.bot.clock.advance(minutes=minutes)
        await world.schedule_and_send()
    assert world.said("ada") == [problem_summary("graph.unreachable", stopped=False)]
    await world.schedule_and_send()
    assert world.changed() == []


async def test_old_problems_are_not_notified(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(None)
    old = world.now - timedelta(days=30)
    await world.change(
        Problem(
            integration_id="i1",
            service="entra",
            fault="entra.secret_expired",
            lasting=True,
            since=old,
            checked_at=old,
            healed_at=old + timedelta(days=1),
        )
    )
    await world.schedule_and_send()
    assert world.arrived() == []


async def wants(world: NoticeHarness, who: str, digest: str = "daily") -> None:
    async with world.database.writing() as session:
        await alerts.set_digest(session, TENANT, who, digest, world.now - timedelta(days=9))


async def healed(world: NoticeHarness) -> None:
    """A fault of an hour, yesterday at noon."""
    since = world.now - timedelta(days=1)
    await stored(
        world.database,
        Problem(
            integration_id="i1",
            service="graph",
            fault="graph.unreachable",
            since=since,
            checked_at=since,
            healed_at=since + timedelta(hours=1),
        ),
    )


async def test_the_digest_is_sent_once_by_two_processes_to_who_wants_it(world: NoticeHarness) -> None:
    for name in ("ada", "ben", "eve"):
        await world.admin(name, locale="pt-PT" if name == "ben" else "en-US")
    await world.integration(300)
    await healed(world)
    await wants(world, "ada")
    await wants(world, "ben", "weekly")
    other = await world.another()
    for _ in range(2):
        await asyncio.gather(world.schedule_and_send(), other.schedule_and_send())
    assert world.said("ada") == [EN.plural("digest.title", 1)]
    assert (world.said("ben"), world.said("eve")) == ([], [])
    (card,) = [call.card for call in world.arrived("ada")]
    assert "Fixed after 60 minutes" in words(card)
    world.bot.clock.advance(hours=20)
    for _ in range(2):
        await asyncio.gather(world.schedule_and_send(), other.schedule_and_send())
    assert world.said("ben") == [PT.plural("digest.title", 7)]
    assert len(world.said("ada")) == 1


async def test_a_digest_that_was_chosen_while_the_clock_was_ahead_is_sent(world: NoticeHarness) -> None:
    await world.admin("ada")
    await world.integration(300)
    async with world.database.writing() as session:
        await alerts.set_digest(session, TENANT, "ada", "daily", world.now + timedelta(days=30))
        await clock.set_back(session, world.now)
    world.bot.clock.advance(days=1)
    await healed(world)
    await world.schedule_and_send()
    assert world.said("ada") == [EN.plural("digest.title", 1)]


async def test_the_digest_waits_for_the_end_of_quiet_hours(world: NoticeHarness) -> None:
    await world.admin("ada")
    await quiet(world)
    await wants(world, "ada")
    await world.integration(300)
    await healed(world)
    await world.schedule_and_send()
    assert world.said("ada") == []
    world.bot.clock.advance(minutes=61)
    await world.schedule_and_send()
    assert world.said("ada") == [EN.plural("digest.title", 1)]


@pytest.mark.parametrize("made", ["before", "while"])
async def test_the_digest_has_no_line_of_the_date_while_the_secret_is_refused(
    world: NoticeHarness, made: str
) -> None:
    await world.admin("ada")
    await quiet(world)
    await wants(world, "ada")
    await world.integration(3)
    await healed(world)
    if made == "before":
        await world.schedule_and_send()
    await refused(world)
    world.bot.clock.advance(hours=2)
    await world.schedule_and_send()
    (card,) = [call.card for call in world.arrived("ada") if title(call.card) == EN.plural("digest.title", 1)]
    assert "Fixed after 60 minutes" in words(card)
    assert "expires" not in words(card)


async def test_with_nothing_to_say_no_digest_is_sent(world: NoticeHarness) -> None:
    await world.admin("ada")
    await wants(world, "ada")
    await world.integration(300)
    for _ in range(3):
        await world.schedule_and_send()
    assert world.arrived() == []
    assert await world.states() == {"ada": [State.DROPPED]}


async def test_a_digest_that_was_being_sent_when_the_process_was_killed_is_not_sent_again(
    world: NoticeHarness,
) -> None:
    await world.admin("ada")
    await wants(world, "ada")
    await world.integration(300)
    await healed(world)
    await world.process.notice_scheduler.run("all")
    (row,) = await world.notices()
    async with world.database.writing() as session:
        assert await notices.claim(session, row.id, world.now)
    for _ in range(4):
        world.bot.clock.advance(hours=4)
        await world.schedule_and_send()
    assert world.arrived() == []
    assert await world.states() == {"ada": [State.SENDING]}
