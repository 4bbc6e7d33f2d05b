"""A year in the life of one integration, on the wire: each notice exactly once, no presence lost.

Ada reads English; Ben Portuguese, with quiet hours at night in Lisbon; Cleo has muted the integration; Dan has
blocked the bot; Eve is no administrator. People call and hang up all through the year, and whenever the
credentials are good Teams comes to show what phones say.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot.languages import Texts
from storage.encryption import Encryption
from storage.queries import integrations
from storage.queries.health import alerts
from storage.queries.health.notices import State
from storage.tables.conversations import Conversation
from storage.tables.history import HistoryEntry
from storage.tables.notices import Notice
from storage.tables.rotations import Rotation
from sync.credentials.store import CredentialStore
from sync.domain.errors import CredentialsWrong, Fault
from sync.domain.features import NEWEST
from sync.domain.model import Actor
from sync.domain.rotation import NewSecret, RotationStep
from tests.scenarios.year import ADMINS, CALLERS, LEASE, Year, chat_of, start_year
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN, PT, problem_summary
from tests.support.engines import KEY, TENANT, account_of, app_of
from tests.support.storage.stores import read_integration, stored

ADA = Actor("ada", "Ada Example")
STEPS = (RotationStep.WAIT, RotationStep.SWAP, RotationStep.PROVE, RotationStep.REMOVE, RotationStep.DONE)
"""The next step after each step of a rotation: the power is cut between them."""


def soon(*days: int, texts: Texts = EN) -> list[str]:
    return [texts.plural("notice.expiry.soon", n, what=texts("notice.what.secret")) for n in days]


def over(texts: Texts) -> list[str]:
    """The titles on the last day of the secret and on the two days after it."""
    secret = texts("notice.what.secret")
    expired = [texts.plural("notice.expiry.past", days, what=secret) for days in (1, 2)]
    return [texts("notice.expiry.today", what=secret), *expired]


def closed(how: str, texts: Texts, **facts: str) -> str:
    """What a closed notice says, up to the time."""
    return texts(f"notice.closed.{how}", when="|", **facts).partition("|")[0]


async def meet(year: Year, name: str, **changed: Any) -> None:
    given: dict[str, Any] = {
        "tenant_id": TENANT,
        "user_object_id": name,
        "service_url": year.bot.connector.url,
        "conversation_id": f"a:{name}",
        "user_id": f"29:{name}",
        "bot_id": "28:bot",
        "channel_id": "msteams",
        "locale": "en-GB",
        "admin_as": name if name in ADMINS else "",
        "name": name.title(),
        "seen_at": year.bot.clock(),
    }
    await stored(year.engine.database, Conversation(**{**given, **changed}))


async def connect(year: Year, days: int) -> str:
    """The integration at work, whose secret expires in so many days, and everyone who may get its notices."""
    await year.sandbox.new_secret(days=days)
    account, app = account_of(year.sandbox), app_of(year.sandbox)
    running = year.engine
    expires = await year.in_days(days)
    view = await running.engine.integrations.add(TENANT, "Vale Verde", account, app, expires, ADA)
    await running.engine.overview.preview(TENANT, view.id)
    await running.engine.integrations.enable(TENANT, view.id, ADA)
    async with running.database.writing() as session:
        row = await integrations.get(session, view.id)
        assert row is not None
        row.feature_version = NEWEST
        session.add(row)
    for name in ("ada", "cleo", "dan", "eve"):
        await meet(year, name)
    await meet(year, "ben", locale="pt-PT", time_zone="Europe/Lisbon")
    year.bot.connector.blocking.add("a:dan")
    async with year.engine.database.writing() as session:
        await alerts.set_muted(session, TENANT, "cleo", view.id, True)
        await alerts.set_quiet_hours(session, TENANT, "ben", "22:00", "07:00", "Europe/Lisbon")
    return view.id


async def rotated(year: Year, integration_id: str, days: int, spare: int = 0) -> None:
    """Ada replaces the secret by hand: she enters an expiry in so many days; it really lasts longer."""
    secret = await year.sandbox.new_secret(days=days + spare)
    expires = await year.in_days(days)
    await year.engine.engine.credentials.replace_secret(
        TENANT, integration_id, NewSecret(secret["value"], expires), ADA
    )
    await year.settle()


async def changed_cards(year: Year, before: int, **expected: str) -> list[str]:
    """The people whose cards were updated since, each with the expected text, once a card.

    A process that is killed between an update and its record leaves it to the next, which updates the card again.
    """
    changes = year.bot.connector.sent("PUT")[before:]
    for call in changes:
        assert expected[chat_of(call)] in words(call.card)
    return sorted(chat_of(call) for call in {call.path: call for call in changes}.values())


async def the_first_secret(year: Year, integration_id: str) -> None:
    """Notices at every threshold; no process runs at some of them; replaced by hand on its last day."""
    await year.skip_days(30)
    await year.pass_days(9)
    assert await year.arrived() == {}

    # A day begins at midnight (UTC): Ben has quiet hours then and is notified in the morning.
    await year.half_a_day()
    assert await year.arrived() == {"ada": soon(60), "dan": soon(60)}
    await year.half_a_day()
    assert await year.arrived() == {"ben": soon(60, texts=PT)}

    await year.skip_days(25)
    await year.pass_days(7)
    await year.skip_days(12)
    await year.pass_days(2)
    assert await year.arrived() == {"ada": soon(30, 14), "ben": soon(30, 14, texts=PT)}

    # No process runs while the threshold of seven days passes, and the next one: only the latest is sent.
    await year.stop()
    for _ in range(6):
        year.bot.clock.advance(days=2)
        await year.change_a_call()
    assert await year.wrong_presence() != []
    await year.start()
    await year.settle()
    await year.pass_days(1)
    assert await year.arrived() == {"ada": soon(2, 1), "ben": soon(2, 1, texts=PT)}

    # The clock is set back by two months, then corrected: no notice is repeated.
    year.time.set_clock_back(timedelta(days=60))
    await year.change_a_call()
    await year.settle()
    year.time.set_clock_right()
    await year.settle()
    assert await year.arrived() == {}

    # A rotation by hand, from the card: every card that was sent says who did it.
    await rotated(year, integration_id, days=180, spare=7)
    english, portuguese = (closed("replaced_by", texts, by=ADA.name) for texts in (EN, PT))
    assert await changed_cards(year, 0, ada=english, ben=portuguese) == ["ada"] * 5 + ["ben"] * 5
    assert await year.arrived() == {}


async def the_second_secret(year: Year, integration_id: str) -> None:
    """Dan unblocks the bot, Cleo unmutes the integration; this secret expires."""
    year.bot.connector.blocking.clear()
    await meet(year, "fay", admin_as="dan")
    async with year.engine.database.writing() as session:
        await alerts.set_muted(session, TENANT, "cleo", integration_id, False)
    await year.skip_days(118)
    assert await year.arrived() == {}
    await year.pass_days(4)
    await year.skip_days(26)
    await year.pass_days(3)
    await year.skip_days(13)
    await year.pass_days(18)
    english, portuguese = ([*soon(60, 30, 14, 7, 3, 1, texts=texts), *over(texts)] for texts in (EN, PT))
    titles = await year.arrived()
    assert titles["ada"] == titles["cleo"] == titles["fay"] == english
    assert titles["ben"] == portuguese
    assert "dan" not in titles
    assert "eve" not in titles
    await it_is_refused(year)

    # Replaced: the phones' changes since are shown; one all-clear each.
    await year.change_a_call()
    assert await year.wrong_presence() != []
    await rotated(year, integration_id, days=75)
    year.bot.clock.advance(minutes=3)
    await year.settle()
    await year.pass_days(2)
    clear = await year.arrived()
    assert clear["ada"] == clear["cleo"] == [EN("notice.clear.refusal", service="Microsoft Entra ID")]
    assert clear["ben"] == [PT("notice.clear.refusal", service="Microsoft Entra ID")]


async def it_is_refused(year: Year) -> None:
    """Entra refuses the secret at night: one immediate notice each, even in quiet hours. Calls continue."""
    await year.half_a_day()
    assert "ben" not in await year.arrived()
    for extension in CALLERS:
        await year.sandbox.hangup_all(extension)
    await year.converge()
    for secret in list(year.sandbox.world.saved.registration.secrets):
        await year.sandbox.expire_secret(secret.key_id)
    year.bot.clock.advance(minutes=61)  # earlier tokens are no longer valid
    for extension in CALLERS:
        await year.sandbox.call(extension)
    await year.pass_time(5, lambda: is_refused(year))
    year.bot.clock.advance(minutes=1)
    await year.send_due_notices()
    await year.send_due_notices()
    urgent = await year.arrived()
    assert urgent["ada"] == [problem_summary("entra.secret_expired")]
    assert urgent["ben"] == [problem_summary("entra.secret_expired", PT)]
    assert len(await year.wrong_presence()) == len(CALLERS)


async def is_refused(year: Year) -> bool:
    """Whether the refusal is lasting: a second one has confirmed it."""
    errors = [health.error for health in (await year.engine.status()).service_health]
    return Fault.ENTRA_SECRET_EXPIRED in {error.fault for error in errors if isinstance(error, CredentialsWrong)}


async def the_third_secret(year: Year, integration_id: str) -> None:
    """Rotated by the bot itself, thirty days before expiry, with a power cut after each step."""
    await year.sandbox.permissions(Application_ReadWrite_OwnedBy=True)
    await year.engine.engine.credentials.set_auto_rotate(TENANT, integration_id, True, ADA)
    await year.pass_days(15)
    await year.skip_days(25)
    await year.pass_days(3)
    titles = await year.arrived()
    assert titles == {"ada": soon(60), "ben": soon(60, texts=PT), "cleo": soon(60), "fay": soon(60)}
    before, old = len(year.bot.connector.sent("PUT")), await secret_of(year, integration_id)

    year.advance_to_hour(12)
    year.power.at = STEPS[0]
    for step, following in zip(STEPS, (*STEPS[1:], None), strict=True):
        await year.die()
        await year.change_a_call()
        await year.start()
        year.power.at = following
        assert await step_of(year, integration_id) == step
        await year.change_a_call()
        await year.converge()
        year.bot.clock.advance(seconds=LEASE.total_seconds())
    await year.settle()

    used = await secret_of(year, integration_id)
    assert used != old
    assert live_secrets(year) == [used]
    english, portuguese = ([*soon(30, texts=texts), texts("notice.rotation.done")] for texts in (EN, PT))
    assert await year.arrived() == {"ada": english, "ben": portuguese, "cleo": english, "fay": english}
    said, dito = (closed("by_itself", texts) for texts in (EN, PT))
    changed = await changed_cards(year, before, ada=said, ben=dito, cleo=said, fay=said)
    assert changed == ["ada"] * 2 + ["ben"] * 2 + ["cleo"] * 2 + ["fay"] * 2


async def step_of(year: Year, integration_id: str) -> str:
    rotation = await year.engine.engine.credentials.rotation(TENANT, integration_id)
    assert rotation is not None
    return rotation.step


async def secret_of(year: Year, integration_id: str) -> str:
    return (
        CredentialStore(Encryption([KEY]))
        .app(await read_integration(year.engine.database, integration_id))
        .client_secret
    )


def live_secrets(year: Year) -> list[str]:
    now = year.bot.clock()
    return [secret.value for secret in year.sandbox.world.saved.registration.secrets if secret.end > now]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_year(tmp_path: Path) -> None:
    async with start_year(tmp_path) as year:
        first_day = year.bot.clock()
        integration_id = await connect(year, days=100)
        await the_first_secret(year, integration_id)
        await the_second_secret(year, integration_id)
        await the_third_secret(year, integration_id)
        await year.skip_days(35)
        assert await year.arrived() == {}
        assert 360 <= (year.bot.clock() - first_day).days <= 370

        async with year.engine.database.session() as session:
            states = (await session.exec(select(Notice.state))).all()
            kinds = (await session.exec(select(Rotation.kind, Rotation.step))).all()
            acts = (await session.exec(select(HistoryEntry.act).where(HistoryEntry.actor_id == "bot"))).all()
        assert set(states) <= {State.SENT, State.CLOSED, State.UNREACHABLE, State.DROPPED}
        assert sorted(kinds) == [("automatic", "done"), ("by_hand", "done"), ("by_hand", "done")]
        assert sorted(acts) == ["entra_tenant_used", "rotate", "rotate_begun", "rotate_proven"]
        assert min(year.begun, year.ended) > 30
