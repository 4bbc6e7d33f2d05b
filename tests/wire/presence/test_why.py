"""``why`` over the wire: each cause is made in the sandbox, and the reason that is named is that cause."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from sandbox.state import World
from storage.tables.effects import ReadBackRun
from storage.tables.people import Person
from sync.domain.model import Actor, Rule, RuleKind
from sync.domain.people import Explanation, Light, MatchRefusal, MatchRefused, Reason
from sync.domain.schedule import ALL_DAY, Schedule
from sync.people.scope.rules import Scope, ScopeMode
from tests.support.engines import ADMIN, TENANT, RunningEngine, running_engine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL, answer_call, connected_engine, person_by_extension
from tests.support.services.sandboxes import SandboxHandle, running_sandbox
from tests.support.storage.stores import POSTGRESQL, SQLITE, on_sqlite, stored

pytestmark = pytest.mark.usefixtures("each_database")

ANA, NAME = "2001", "Ana Martins"


@dataclass
class Scene:
    """Ana's phone and account, and the engine between them."""

    sandbox: SandboxHandle
    running: RunningEngine

    async def why(self, extension: str = ANA) -> Explanation:
        person = await person_by_extension(self.running, extension)
        return await self.running.engine.roster.explain(TENANT, person.integration_id, person.id)

    async def is_why(self, reason: Reason, extension: str = ANA) -> Explanation:
        """The explanation that first names this reason: the next one may name another."""
        found: list[Explanation] = []

        async def is_named() -> bool:
            found.append(await self.why(extension))
            return found[-1].reason is reason

        try:
            await eventually(is_named)
        except AssertionError:
            raise AssertionError(f"{found[-1].reason}, not {reason}") from None
        return found[-1]

    async def talks(self, extension: str = ANA) -> str:
        call = await answer_call(self.sandbox, extension)
        await self.running.wait_until_shown(extension, *IN_A_CALL)
        return call

    async def is_accepted(self) -> bool:
        return (await person_by_extension(self.running, ANA)).applied_at is not None

    async def was_just_read_back(self) -> None:
        """The next reading, which would send again what is lost, is not due yet."""
        name = await self.running.integration_id()
        await stored(self.running.database, ReadBackRun(integration_id=name, asked_at=self.running.clock()))

    async def person(self) -> tuple[str, str, str]:
        row = await person_by_extension(self.running, ANA)
        return TENANT, row.integration_id, row.id


async def a_call(scene: Scene) -> None:
    await scene.talks()


async def no_call(scene: Scene) -> None:
    """Her phone is heard of, and idle."""
    call = await scene.talks()
    await scene.sandbox.hangup(ANA, call)


async def chosen_by_hand(scene: Scene) -> None:
    await scene.talks()
    await scene.sandbox.chosen(NAME, "DoNotDisturb")


async def excluded(scene: Scene) -> None:
    await scene.talks()
    await scene.running.engine.people.exclude(*await scene.person(), 0, ADMIN)
    await scene.running.wait_until_shown(ANA, *AVAILABLE)


async def outside_the_scope(scene: Scene) -> None:
    await scene.talks()
    scopes, name = scene.running.engine.scopes, await scene.running.integration_id()
    await scopes.save(TENANT, name, 1, Scope(ScopeMode.EXCEPT, (Rule(RuleKind.EXTENSIONS, ANA),)), ADMIN)
    await scene.running.wait_until_shown(ANA, *AVAILABLE)


async def paused(scene: Scene) -> None:
    await scene.talks()
    await scene.running.engine.integrations.disable(TENANT, await scene.running.integration_id(), ADMIN)


async def closed(scene: Scene) -> None:
    """The hours have just ended: there are none today."""
    await scene.talks()
    today = scene.sandbox.world.now().astimezone(UTC)
    week = tuple(() if day == today.weekday() else (ALL_DAY,) for day in range(7))
    name = await scene.running.integration_id()
    await scene.running.engine.schedules.save(TENANT, name, 1, Schedule("UTC", week), ADMIN)
    await scene.running.wait_until_shown(ANA, *AVAILABLE)


async def refused(scene: Scene) -> None:
    await scene.sandbox.refuse(NAME)
    await answer_call(scene.sandbox, ANA)


async def an_outage(scene: Scene) -> None:
    await scene.sandbox.set_faults(graph_outage=True)
    await answer_call(scene.sandbox, ANA)


async def a_session_removed(scene: Scene) -> None:
    await scene.talks()
    await scene.was_just_read_back()
    ana = next(user for user in scene.sandbox.world.saved.teams if user.name == NAME)
    ana.session, ana.client = None, None
    await eventually(scene.is_accepted)
    _, _, person_id = await scene.person()
    async with scene.running.database.writing() as session:
        row = await session.get(Person, person_id)
        assert row
        assert row.applied_at
        row.applied_at -= timedelta(minutes=2)


async def cloudlink_away(scene: Scene) -> None:
    """What was known of the phone is forgotten, and it cannot be read again."""
    await scene.talks()
    await scene.sandbox.set_faults(cloudlink_outage=True)
    await eventually(lambda: scene.running.metric("jobs_running") == 0)  # a poll may have been answered before
    await scene.running.engine.people.clear(*await scene.person(), ADMIN)
    await scene.running.engine.people.resend(*await scene.person(), ADMIN)


async def consent_taken(scene: Scene) -> None:
    await scene.talks()
    await scene.sandbox.permissions(Presence_ReadWrite_All=False)
    await scene.sandbox.hangup(ANA)


async def throttled(scene: Scene) -> None:
    await scene.sandbox.set_faults(graph_throttle=True, retry_after=30)
    await answer_call(scene.sandbox, ANA)


CAUSES: Mapping[Reason, Callable[[Scene], Awaitable[None]]] = {
    Reason.SHOWN: a_call,
    Reason.NOTHING: no_call,
    Reason.CHOSEN: chosen_by_hand,
    Reason.EXCLUDED: excluded,
    Reason.OUTSIDE: outside_the_scope,
    Reason.PAUSED: paused,
    Reason.CLOSED: closed,
    Reason.REFUSED: refused,
    Reason.SERVICE_DOWN: an_outage,
    Reason.CREDENTIALS: consent_taken,
    Reason.QUOTA: throttled,
    Reason.LOST: a_session_removed,
    Reason.PHONES_DOWN: cloudlink_away,
}


ON_EACH_DATABASE = (Reason.EXCLUDED, Reason.OUTSIDE, Reason.LOST)
"""All reasons follow from the same queries; what made them is sent to both databases by other tests."""


@pytest.mark.parametrize(
    ("each_database", "reason"),
    [
        pytest.param(database, reason, marks=[pytest.mark.long] * (reason is not Reason.CHOSEN))
        for database, reasons in ((SQLITE, CAUSES), (POSTGRESQL, ON_EACH_DATABASE))
        for reason in reasons
    ],
    indirect=["each_database"],
)
async def test_why_names_the_cause(tmp_path: Path, reason: Reason) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        scene = Scene(sandbox, running)
        await CAUSES[reason](scene)
        lights = {rung.light for rung in (await scene.is_why(reason)).rungs}
        assert (lights == {Light.GOOD}) == (reason in (Reason.SHOWN, Reason.NOTHING))


@pytest.mark.long
async def test_who_is_left_out_is_matched_by_hand_and_shown(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        scene = Scene(sandbox, running)
        await answer_call(sandbox, "2019")
        found = await scene.is_why(Reason.LEFT_OUT, "2019")
        assert found.facts == {"reason": "not_found"}
        ids = TENANT, found.person.integration_id, found.person.id
        guest = next(user.upn for user in sandbox.world.saved.teams if user.guest)
        with pytest.raises(MatchRefused) as refused:
            await running.engine.people.match(*ids, 0, guest, ADMIN)
        assert refused.value.reason is MatchRefusal.GUEST
        await running.engine.people.match(*ids, 0, "sofia.marques@valeverde.example", ADMIN)
        await running.wait_until_shown("2019", *IN_A_CALL)
        await scene.is_why(Reason.SHOWN, "2019")


@pytest.mark.long
@on_sqlite
async def test_who_does_not_want_to_be_shown_is_named_as_that(tmp_path: Path) -> None:
    """A person decides only where the application is in their own tenant."""
    (world := World()).saved.registration.tenant_id = TENANT
    async with running_sandbox(world) as sandbox, running_engine(sandbox, tmp_path) as running:
        await running.connect()
        scene = Scene(sandbox, running)
        await scene.talks()
        user_id = (await person_by_extension(running, ANA)).teams_user_id or ""
        await running.engine.opt_out.choose(TENANT, user_id, Actor(user_id, NAME), opted_out=True)
        await running.wait_until_shown(ANA, *AVAILABLE)
        await scene.is_why(Reason.OPTED_OUT)


@pytest.mark.long
async def test_what_was_lost_is_shown_again_by_its_button(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        scene = Scene(sandbox, running)
        await a_session_removed(scene)
        await scene.is_why(Reason.LOST)
        await running.engine.people.resend(*await scene.person(), ADMIN)
        await running.wait_until_shown(ANA, *IN_A_CALL)
        sent = (await scene.is_why(Reason.SHOWN)).sent
        assert sent[0].result == "done"
        assert sent[0].cause
