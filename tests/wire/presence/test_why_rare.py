"""``why`` over the wire: the rarer reasons, one after the other in one sandbox."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import utc_now
from sandbox.world.presence import Session
from storage.tables.columns import UNSURE
from storage.tables.people import Person
from sync.domain.people import Reason
from sync.domain.presence import Presence
from tests.support.clocks import FakeClock
from tests.support.engines import ADMIN, TENANT, account_of, app_of
from tests.support.eventually import eventually
from tests.support.presence import answer_call, connected_engine, person_by_extension
from tests.support.storage.stores import stored
from tests.wire.presence.test_why import ANA, NAME, Scene

pytestmark = [pytest.mark.usefixtures("each_database"), pytest.mark.long]


def set_session(scene: Scene, availability: str = "", activity: str = "") -> None:
    """What an application of the same id has set for Ana by other means, or without a state has cleared."""
    now = scene.sandbox.world.now()
    made = Session(availability, activity, now, now + timedelta(hours=1)) if availability else None
    next(user for user in scene.sandbox.world.saved.teams if user.name == NAME).session = made


async def test_what_teams_shows_and_we_did_not_want(tmp_path: Path) -> None:
    """Unread, stronger, overruled, not ours, shared."""
    clock = FakeClock(utc_now())
    async with connected_engine(tmp_path, clock=clock) as (sandbox, running):
        scene = Scene(sandbox, running)
        await scene.talks()
        await sandbox.set_faults(graph_unreadable=True)
        await scene.is_why(Reason.UNREAD)
        await sandbox.set_faults(graph_unreadable=False)
        await sandbox.client(NAME, "Presenting")
        await scene.is_why(Reason.STRONGER)
        await shares_the_application(scene)
        set_session(scene, "DoNotDisturb", "Presenting")
        assert (await scene.is_why(Reason.SHARED)).facts == {"presence": "Presenting"}
        await running.engine.integrations.disable(TENANT, await other_integration(scene), ADMIN)
        await sandbox.client(NAME, "Available")
        clock.advance(minutes=2)
        set_session(scene)
        await scene.is_why(Reason.OVERRULED)
        await sandbox.hangup(ANA)
        await scene.is_why(Reason.NOTHING)
        set_session(scene, "Busy", "InACall")
        await scene.is_why(Reason.NOT_OURS)


async def shares_the_application(scene: Scene) -> None:
    """Another phone system of the customer, with the same application, in which Ana wants no calls."""
    running, ana = scene.running, await person_by_extension(scene.running, ANA)
    account = replace(account_of(scene.sandbox), account_id="another-account")
    view = await running.engine.integrations.add(TENANT, "Second", account, app_of(scene.sandbox), None, ADMIN)
    await running.engine.integrations.enable(TENANT, view.id, ADMIN)
    person = Person(integration_id=view.id, cloudlink_user_id="u2", name=NAME, teams_user_id=ana.teams_user_id)
    person.line, person.desired, person.desired_at = "do_not_disturb", Presence.PRESENTING, running.clock()
    await stored(running.database, person)


async def other_integration(scene: Scene) -> str:
    views = await scene.running.engine.integrations.list(TENANT)
    return next(view.id for view in views if view.name == "Second")


async def test_what_was_not_sent_and_what_was_not_heard(tmp_path: Path) -> None:
    """Pending, not heard, stale; and whether the phone's state came by an event or by a poll."""
    clock = FakeClock(utc_now())
    async with connected_engine(tmp_path, clock=clock) as (sandbox, running):
        scene = Scene(sandbox, running)
        await sandbox.set_faults(slow_seconds=2.0)
        await answer_call(sandbox, ANA)
        await eventually(lambda: is_being_sent(scene))
        await sandbox.set_faults(slow_seconds=0.0)
        await scene.is_why(Reason.PENDING)
        assert (await scene.is_why(Reason.SHOWN)).rungs[0].key == "said"
        await running.engine.people.clear(*await scene.person(), ADMIN)
        await scene.is_why(Reason.NOT_HEARD)
        await running.engine.people.resend(*await scene.person(), ADMIN)
        assert (await scene.is_why(Reason.SHOWN)).rungs[0].key == "read"
        await sandbox.set_faults(graph_outage=True)
        await sandbox.hangup(ANA)
        await answer_call(sandbox, ANA)
        await sandbox.set_faults(cloudlink_outage=True)
        await scene.is_why(Reason.SERVICE_DOWN)
        clock.advance(hours=5)
        await scene.is_why(Reason.STALE)


async def is_being_sent(scene: Scene) -> bool:
    return (await person_by_extension(scene.running, ANA)).applied == UNSURE
