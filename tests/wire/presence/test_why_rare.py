"""``why`` over the wire: the rarer reasons, one after the other in one sandbox."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from core.clock import utc_now
from sandbox.world.presence import Session
from storage.tables.people import Person
from sync.domain.people import Reason
from sync.domain.presence import LineState, Presence
from sync.presence.mapping import chosen_by
from tests.support.clocks import FakeClock
from tests.support.engines import ADMIN, QUICK, TENANT, account_of, app_of
from tests.support.eventually import eventually
from tests.support.presence import IN_A_CALL, answer_call, connected_engine, person_by_extension
from tests.support.storage.stores import on_sqlite, stored
from tests.wire.presence.test_why import ANA, NAME, Scene

pytestmark = [pytest.mark.usefixtures("each_database"), pytest.mark.long]


def set_session(scene: Scene, availability: str = "", activity: str = "") -> None:
    """What an application of the same id has set for Ana by other means, or without a state has cleared."""
    now = scene.sandbox.world.now()
    made = Session(availability, activity, now, now + timedelta(hours=1)) if availability else None
    next(user for user in scene.sandbox.world.saved.teams if user.name == NAME).session = made


async def test_what_teams_shows_and_we_did_not_want(tmp_path: Path) -> None:
    """Unread, stronger, overruled, not there yet, not ours, shared."""
    clock = FakeClock(utc_now())
    rarely = replace(QUICK, read_back=3600)
    async with connected_engine(tmp_path, clock=clock, intervals=rarely) as (sandbox, running):
        scene = Scene(sandbox, running)
        await scene.talks()
        await scene.was_just_read_back()
        await sandbox.set_faults(graph_unreadable=True)
        await scene.is_why(Reason.UNREAD)
        await sandbox.set_faults(graph_unreadable=False)
        await sandbox.client(NAME, "Presenting")
        await scene.is_why(Reason.STRONGER)
        await shares_the_application(scene)
        set_session(scene, "DoNotDisturb", "Presenting")
        named = {"presence": "Presenting", "integration": "Second"}
        assert (await scene.is_why(Reason.SHARED)).facts == named
        await running.engine.integrations.disable(TENANT, await other_integration(scene), ADMIN)
        await sandbox.client(NAME, "Available")
        clock.advance(minutes=2)
        set_session(scene)
        await scene.is_why(Reason.OVERRULED)
        await sandbox.hangup(ANA)
        await scene.is_why(Reason.NOTHING)
        set_session(scene, "Busy", "InACall")
        await scene.is_why(Reason.SETTLING)
        clock.advance(minutes=2)
        await scene.is_why(Reason.NOT_OURS)


async def shares_the_application(scene: Scene) -> None:
    """Another phone system of the customer, with the same application, in which Ana wants no calls."""
    running, ana = scene.running, await person_by_extension(scene.running, ANA)
    account = replace(account_of(scene.sandbox), account_id="another-account")
    view = await running.engine.integrations.add(TENANT, "Second", account, app_of(scene.sandbox), None, ADMIN)
    await running.engine.integrations.enable(TENANT, view.id, ADMIN)
    person = Person(integration_id=view.id, cloudlink_user_id="u2", name=NAME, teams_user_id=ana.teams_user_id)
    person.line, person.desired = "do_not_disturb", Presence.PRESENTING
    person.heard_at = person.desired_at = running.clock()
    await stored(running.database, person)


async def other_integration(scene: Scene) -> str:
    views = await scene.running.engine.integrations.list(TENANT)
    return next(view.id for view in views if view.name == "Second")


@on_sqlite
async def test_what_was_not_sent_and_what_was_not_heard(tmp_path: Path) -> None:
    """Pending, not heard, cleared, mapped, shared, old news, stale; and whether an event or a poll said it."""
    clock = FakeClock(utc_now())
    async with connected_engine(tmp_path, clock=clock) as (sandbox, running):
        scene = Scene(sandbox, running)
        await is_on_its_way(scene)
        assert (await scene.is_why(Reason.SHOWN)).rungs[0].key == "said"
        await is_never_heard_of(scene)
        await running.engine.people.clear(*await scene.person(), ADMIN)
        assert (await scene.is_why(Reason.CLEARED)).rungs[0].key == "cleared"
        await running.engine.people.resend(*await scene.person(), ADMIN)
        assert (await scene.is_why(Reason.SHOWN)).rungs[0].key == "read"
        await is_mapped(scene)
        await has_an_extension_of_two(scene)
        await is_not_asked_in_time(scene)
        await sandbox.set_faults(graph_outage=True)
        await sandbox.hangup(ANA)
        await eventually(lambda: is_wanted(scene, None))
        await answer_call(sandbox, ANA)
        await eventually(lambda: is_wanted(scene, Presence.IN_A_CALL))
        await sandbox.set_faults(cloudlink_outage=True)
        await scene.is_why(Reason.SERVICE_DOWN)
        clock.advance(hours=5)
        await scene.is_why(Reason.STALE)


async def is_on_its_way(scene: Scene) -> None:
    """Graph does not answer before the sandbox lets it."""
    scene.sandbox.takes_batches.clear()
    await answer_call(scene.sandbox, ANA)
    await scene.is_why(Reason.PENDING)
    scene.sandbox.takes_batches.set()
    await scene.running.wait_until_shown(ANA, *IN_A_CALL)


async def is_never_heard_of(scene: Scene) -> None:
    """The headquarters have the number of Nuno's phone, too: asked about it, CloudLink answers about theirs."""
    async with scene.running.database.session() as session:
        nuno = (await session.exec(select(Person).where(Person.name == "Nuno Vaz"))).one()
    ids = TENANT, nuno.integration_id, nuno.id
    await scene.running.engine.phones.ask(*ids)
    assert (await scene.running.engine.roster.explain(*ids)).reason is Reason.NOT_HEARD


async def is_mapped(scene: Scene) -> None:
    """An administrator has calls show nothing, and something again."""
    engine = scene.running.engine
    for chosen, reason in (({LineState.ON_CALL: None}, Reason.MAPPED), ({}, Reason.SHOWN)):
        (view,) = await engine.integrations.list(TENANT)
        await engine.mappings.save(TENANT, view.id, view.revision, {**chosen_by({}), **chosen}, ADMIN)
        await scene.is_why(reason)


async def has_an_extension_of_two(scene: Scene) -> None:
    """Nobody knows whose phone it is that Diogo and Emily have."""
    diogo = await person_by_extension(scene.running, "2004")
    for each in scene.sandbox.world.saved.people:
        if each.name in ("Diogo Ferreira", "Emily Carter"):
            each.extension = "2999"
    await scene.running.engine.overview.preview(TENANT, diogo.integration_id)
    found = await scene.running.engine.roster.explain(TENANT, diogo.integration_id, diogo.id)
    assert found.reason is Reason.SHARED_EXTENSION


async def is_not_asked_in_time(scene: Scene) -> None:
    """What Teams shows is what was known of the phone, which cannot be asked now."""
    engine, ids = scene.running.engine, await scene.person()
    await scene.sandbox.set_faults(cloudlink_outage=True)
    answered = await engine.phones.ask(*ids)
    assert (await engine.roster.explain(*ids, phone_answered=answered)).reason is Reason.OLD_NEWS
    await scene.sandbox.set_faults(cloudlink_outage=False)


async def is_wanted(scene: Scene, presence: Presence | None) -> bool:
    return (await person_by_extension(scene.running, ANA)).desired == presence
