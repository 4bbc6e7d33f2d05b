"""``alerts``: what is saved, what a notice's buttons do, and the only command that works in a channel."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from bot.activity import Action, Card
from storage.queries.chat import conversations
from storage.queries.health import alerts
from storage.queries.health.alerts import MAX_CHANNELS
from storage.queries.health.notices import State
from storage.tables.notices import AlertChannel, Notice
from sync.domain.model import Actor, CloudLinkAccount, TeamsApp
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, buttons, inputs, link_urls, words
from tests.support.bot.texts import EN
from tests.support.storage.stores import integration, stored

OTHER_TENANT = "99999999-0000-4000-8000-000000000009"


async def connected(chat: Chat, name: str = "Head office", tenant: str = TENANT) -> str:
    """An integration in both the fake and the store; returns its id."""
    account, app = CloudLinkAccount("", "1", "c", "s"), TeamsApp(TENANT, "app", "s")
    view = await chat.integrations.add(tenant, name, account, app, date(2027, 5, 1), Actor(ADMIN))
    row = integration(id=view.id, owner_tenant=tenant, name=name, secret_expires_on=view.secret_expires_on)
    await stored(chat.database, row)
    return view.id


async def noticed(chat: Chat, integration_id: str, tenant: str = TENANT, audience: str = ADMIN) -> Notice:
    notice = Notice(
        integration_id=integration_id,
        owner_tenant=tenant,
        topic="expiry",
        stage="2027-05-01/30",
        audience=audience,
        facts={"expires_on": "2027-05-01"},
        state=State.SENT,
        created_at=chat.now,
    )
    await stored(chat.database, notice)
    return notice


async def waiting(chat: Chat, integration_id: str) -> list[tuple[str, str, timedelta]]:
    rows = await notices_of(chat, integration_id)
    return [
        (row.stage, row.audience, row.due_at - chat.now) for row in rows if row.state == "waiting" and row.due_at
    ]


async def notices_of(chat: Chat, integration_id: str) -> list[Notice]:
    query = select(Notice).where(Notice.integration_id == integration_id).order_by(col(Notice.created_at))
    async with chat.database.session() as session:
        return list((await session.exec(query)).all())


async def saved(chat: Chat, **typed: str) -> Card:
    return await chat.press(await chat.say("alerts"), "alerts.save", typed)


async def test_at_first_all_alerts_are_on_without_quiet_hours(chat: Chat) -> None:
    key = await connected(chat)
    fields = inputs(await chat.say("alertas"))
    assert fields[f"on_{key}"]["value"] == "true"
    assert "value" not in fields["quiet_from"]
    assert fields["time_zone"]["value"] == "UTC"


async def test_the_time_zone_offered_is_the_clients_or_that_of_the_language(chat: Chat) -> None:
    chat.locale = "pt-PT"
    assert inputs(await chat.say("alerts"))["time_zone"]["value"] == "Europe/Lisbon"
    async with chat.database.writing() as session:
        known = await conversations.find(session, TENANT, ADMIN)
        assert known is not None
        known.time_zone = "America/Argentina/Ushuaia"
        session.add(known)
    zone = inputs(await chat.say("alerts"))["time_zone"]
    assert zone["value"] == "America/Argentina/Ushuaia"
    assert zone["value"] in [choice["value"] for choice in zone["choices"]]


async def test_who_wants_the_report_gets_it_from_then_on_in_their_time_zone(chat: Chat) -> None:
    await connected(chat)
    assert inputs(await chat.say("alerts"))["digest"]["value"] == "never"
    await saved(chat, digest="weekly", time_zone="Asia/Tokyo")
    async with chat.database.session() as session:
        (row,) = (await alerts.digests(session, [TENANT])).values()
    assert (row.user_object_id, row.time_zone) == (ADMIN, "Asia/Tokyo")
    assert (row.digest, row.digest_at) == ("weekly", chat.now)
    chat.now += timedelta(days=1)
    await saved(chat, digest="weekly", time_zone="Asia/Tokyo", quiet_from="22:00", quiet_until="07:00")
    await saved(chat, digest="hourly", time_zone="Asia/Tokyo")
    async with chat.database.session() as session:
        (row,) = (await alerts.digests(session, [TENANT])).values()
    assert (row.digest, row.digest_at) == ("weekly", chat.now - timedelta(days=1))
    assert inputs(await saved(chat, digest="never", time_zone="UTC"))["digest"]["value"] == "never"
    async with chat.database.session() as session:
        assert await alerts.digests(session, [TENANT]) == {}


async def test_what_is_saved_is_there_the_next_time(chat: Chat) -> None:
    one, two = await connected(chat), await connected(chat, "Porto")
    card = await saved(
        chat, **{f"on_{one}": "false", "quiet_from": "22:00", "quiet_until": "07:30", "time_zone": "Asia/Tokyo"}
    )
    assert "Saved." in words(card)
    fields = inputs(await chat.say("alerts"))
    assert [fields[f"on_{key}"]["value"] for key in (one, two)] == ["false", "true"]
    given = [fields[name]["value"] for name in ("quiet_from", "quiet_until", "time_zone")]
    assert given == ["22:00", "07:30", "Asia/Tokyo"]
    async with chat.database.session() as session:
        assert await alerts.list_muted(session, TENANT, one) == {ADMIN}
        assert await alerts.list_muted(session, TENANT, two) == set()


async def test_a_muted_integration_can_be_unmuted(chat: Chat) -> None:
    key = await connected(chat)
    await saved(chat, **{f"on_{key}": "false"})
    await saved(chat, **{f"on_{key}": "true"})
    async with chat.database.session() as session:
        assert await alerts.list_muted(session, TENANT, key) == set()


@pytest.mark.parametrize(
    "typed",
    [
        {"quiet_from": "22:00", "quiet_until": ""},
        {"quiet_from": "25:00", "quiet_until": "07:00"},
        {"quiet_from": "now", "quiet_until": "later"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": ""},
    ],
)
async def test_an_invalid_form_saves_nothing(chat: Chat, typed: dict[str, str]) -> None:
    key = await connected(chat)
    card = await saved(chat, **{f"on_{key}": "false", **typed})
    assert "Nothing was saved" in words(card)
    async with chat.database.session() as session:
        assert await alerts.preferences_by_integration(session, TENANT, ADMIN) == {}


async def test_another_tenants_integration_cannot_be_muted(chat: Chat) -> None:
    theirs = await connected(chat, tenant=OTHER_TENANT)
    await chat.act("alerts.save", time_zone="UTC", quiet_from="", quiet_until="", **{f"on_{theirs}": "false"})
    async with chat.database.session() as session:
        assert await alerts.list_muted(session, OTHER_TENANT, theirs) == set()
        assert await alerts.list_muted(session, TENANT, theirs) == set()


async def test_a_reminder_comes_tomorrow_once_and_only_to_the_person_who_asked(chat: Chat) -> None:
    key = await connected(chat)
    notice = await noticed(chat, key, audience="somebody-else")
    for _ in range(2):
        card = await chat.act("alerts.remind", notice=notice.id)
    assert "23 November 2026" in words(card)
    assert await waiting(chat, key) == [("2027-05-01/30~2026-11-23", ADMIN, timedelta(days=1))]


async def test_a_reminder_of_a_reminder_is_one_reminder(chat: Chat) -> None:
    key = await connected(chat)
    notice = await noticed(chat, key)
    await chat.act("alerts.remind", notice=notice.id)
    again = next(row for row in await notices_of(chat, key) if row.id != notice.id)
    chat.now += timedelta(days=1)
    await chat.act("alerts.remind", notice=again.id)
    assert [stage for stage, _, _ in await waiting(chat, key)] == [
        "2027-05-01/30~2026-11-23",
        "2027-05-01/30~2026-11-24",
    ]


async def test_what_expires_today_has_no_reminder_tomorrow(chat: Chat) -> None:
    """Also from a card that was sent the day before."""
    key = await connected(chat)
    notice = await noticed(chat, key)
    chat.now = datetime(2027, 5, 1, 8, tzinfo=UTC)
    card = await chat.act("alerts.remind", notice=notice.id)
    assert "This button is out of date" in words(card)
    assert await waiting(chat, key) == []


@pytest.mark.parametrize("verb", ["alerts.remind", "alerts.told"])
@pytest.mark.parametrize("whose", ["theirs", "nobodys", ""])
async def test_a_notice_that_is_not_ours_does_not_exist(chat: Chat, verb: str, whose: str) -> None:
    theirs = await connected(chat, tenant=OTHER_TENANT)
    notice = await noticed(chat, theirs, tenant=OTHER_TENANT)
    card = await chat.act(verb, notice={"theirs": notice.id}.get(whose, whose))
    assert "Head office" not in words(card)
    assert await waiting(chat, theirs) == []


async def test_the_recipients_are_shown_in_a_card_of_their_own(chat: Chat) -> None:
    key = await connected(chat)
    notice = await noticed(chat, key)
    async with chat.database.writing() as session:
        for name in ("muted", "gone"):
            await conversations.upsert(
                session,
                tenant_id=TENANT,
                user_object_id=name,
                service_url="https://smba.example",
                conversation_id=name,
                user_id=name,
                bot_id="28:bot",
                channel_id="msteams",
                locale="",
                now=chat.now,
                name=f"The {name} one",
            )
            await conversations.set_admin(session, TENANT, name, name)
        await alerts.set_muted(session, TENANT, "muted", key, True)
        await conversations.mark_unreachable(session, TENANT, "gone")
    turn = await chat.turn(Action("alerts.told", {"notice": notice.id}, "card-x"))
    assert turn.replaced == []
    said = words(turn.answer)
    for words_expected in (
        f"Somebody\n{EN('alerts.state.told')}",
        f"The muted one\n{EN('alerts.state.muted')}",
        f"The gone one\n{EN('alerts.state.unreachable')}",
    ):
        assert words_expected in said


async def test_an_administrator_starts_and_stops_the_notices_of_a_channel(chat: Chat) -> None:
    chat.personal = False
    on = await chat.say("Alerts here!")
    assert buttons(on) == {}
    assert link_urls(on) == []
    async with chat.database.session() as session:
        (channel,) = await alerts.list_channels(session, TENANT)
    assert (channel.conversation_id, channel.language, channel.added_by) == (
        f"conversation-of-{ADMIN}",
        "en",
        ADMIN,
    )
    assert EN("channel.off") in words(await chat.say("alerts off here"))
    async with chat.database.session() as session:
        assert await alerts.list_channels(session, TENANT) == []


async def test_a_tenant_has_so_many_channels_that_can_be_reached(chat: Chat) -> None:
    address: dict[str, Any] = {"service_url": "https://smba.example", "bot_id": "28:bot", "channel_id": "msteams"}
    names = [f"19:{number}" for number in range(MAX_CHANNELS)]
    theirs = AlertChannel(owner_tenant=OTHER_TENANT, conversation_id="19:x", added_at=chat.now, **address)
    rows = [AlertChannel(owner_tenant=TENANT, conversation_id=name, added_at=chat.now, **address) for name in names]
    await stored(chat.database, theirs, *rows)
    chat.personal = False
    assert EN("channel.too_many", most=str(MAX_CHANNELS)) in words(await chat.say("alerts here"))
    async with chat.database.writing() as session:
        assert len(await alerts.list_channels(session, TENANT)) == MAX_CHANNELS
        await alerts.mark_channel_unreachable(session, TENANT, names[0])
    for _ in range(2):
        assert EN("channel.on") in words(await chat.say("alerts here"))
    async with chat.database.session() as session:
        left = [row.conversation_id for row in await alerts.list_channels(session, TENANT)]
    assert (len(left), names[0] in left) == (MAX_CHANNELS, False)


async def test_a_channel_is_answered_in_portuguese(chat: Chat) -> None:
    chat.personal, chat.locale = False, "pt-PT"
    await chat.say("alertas aqui")
    async with chat.database.session() as session:
        assert [channel.language for channel in await alerts.list_channels(session, TENANT)] == ["pt"]


async def test_a_user_without_a_role_cannot_turn_on_alerts_in_a_channel(chat: Chat) -> None:
    chat.personal, chat.person = False, STRANGER
    await chat.say("alerts here")
    async with chat.database.session() as session:
        assert await alerts.list_channels(session, TENANT) == []


async def test_nothing_else_is_answered_in_a_channel(chat: Chat) -> None:
    await connected(chat)
    chat.personal = False
    for said in ("alerts", "status", "alerts here please", "integrations"):
        assert "Head office" not in words(await chat.say(said))


async def test_an_admitted_user_is_an_administrator_until_refused(chat: Chat) -> None:
    await chat.say("help")
    async with chat.database.session() as session:
        assert [row.user_object_id for row in await conversations.list_administrators(session, TENANT)] == [ADMIN]
    chat.admins = ()
    chat.restart()
    await chat.say("help")
    async with chat.database.session() as session:
        assert await conversations.list_administrators(session, TENANT) == []
