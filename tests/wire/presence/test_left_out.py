"""Who cannot be shown in Teams is named with the reason; who stops matching is cleared."""

from pathlib import Path

import pytest

from sandbox.world.people import TeamsUser
from storage.queries.people import people
from sync.domain.model import Preview, Unmatched
from sync.domain.people import Reason
from tests.support.engines import ADMIN, TENANT, RunningEngine
from tests.support.eventually import eventually
from tests.support.presence import AVAILABLE, IN_A_CALL, answer_call, connected_engine
from tests.support.services.sandboxes import SandboxHandle
from tests.support.storage.people_rows import people_of

pytestmark = pytest.mark.usefixtures("each_database")


async def match(running: RunningEngine) -> Preview:
    return await running.engine.overview.preview(TENANT, await running.integration_id())


def reasons(preview: Preview) -> dict[str, Unmatched]:
    return {person.name: person.reason for person in preview.unmatched}


async def test_everyone_is_shown_or_named_with_the_reason_and_the_counts_add_up(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        teams = {user.name: user for user in sandbox.world.saved.teams}
        teams["Ana Martins"].guest = True
        for person in sandbox.world.saved.people:
            if person.name in ("Diogo Ferreira", "Emily Carter"):
                person.extension = "2999"
        await sandbox.refuse("Bruno Carvalho")
        await answer_call(sandbox, "2002")
        await eventually(lambda: is_refused(running))
        preview = await match(running)
        assert (
            reasons(preview)
            == await reasons_by_why(running)
            == {
                "Ana Martins": Unmatched.GUEST,
                "Bruno Carvalho": Unmatched.REFUSED,
                "Chris Palmer": Unmatched.GUEST,
                "Diogo Ferreira": Unmatched.SHARED_EXTENSION,
                "Emily Carter": Unmatched.SHARED_EXTENSION,
                "Frederico Sá": Unmatched.NO_EXTENSION,
                "Sofia Marques": Unmatched.NOT_FOUND,
                "Teresa Pinto": Unmatched.NO_ADDRESS,
                "Thomas Reed": Unmatched.NOT_FOUND,
                "Vasco Moreira": Unmatched.DISABLED,
                "William Hart": Unmatched.AMBIGUOUS,
            }
        )
        status = await running.status()
        assert dict(status.not_shown)[Unmatched.SHARED_EXTENSION] == 2
        assert status.matched + sum(count for _, count in status.not_shown) == status.people == preview.people
        assert status.matched == preview.matched


async def test_an_account_chosen_for_another_and_one_that_is_gone_are_named(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        people_by_name = {person.name: person for person in sandbox.world.saved.people}
        teams = {user.name: user for user in sandbox.world.saved.teams}
        ana, bruno = people_by_name["Ana Martins"], people_by_name["Bruno Carvalho"]
        address, ana.address, bruno.address = ana.address, "", ""
        await match(running)
        await choose(running, "Sofia Marques", teams["Ana Martins"])
        await choose(running, "Teresa Pinto", teams["Bruno Carvalho"])
        ana.address, teams["Bruno Carvalho"].removed = address, True
        expected = {"Ana Martins": Unmatched.TAKEN, "Teresa Pinto": Unmatched.CHOSEN_GONE}
        assert reasons(await match(running)).items() >= expected.items()
        assert (await reasons_by_why(running)).items() >= expected.items()


async def choose(running: RunningEngine, name: str, user: TeamsUser) -> None:
    """Match the person by hand."""
    async with running.database.session() as session:
        everyone = await people_of(session, await running.integration_id())
    (one,) = [row for row in everyone if row.name == name]
    await running.engine.people.match(TENANT, one.integration_id, one.id, one.choices, user.upn, ADMIN)


async def reasons_by_why(running: RunningEngine) -> dict[str, Unmatched]:
    """What *why* says of everyone whose calls cannot be shown."""
    found: dict[str, Unmatched] = {}
    async with running.database.session() as session:
        everyone = await people_of(session, await running.integration_id())
    for one in everyone:
        why = await running.engine.roster.explain(TENANT, one.integration_id, one.id)
        if why.reason in LEFT_OUT:
            found[one.name] = Unmatched(why.facts.get("reason", why.reason))
    return found


LEFT_OUT = (Reason.LEFT_OUT, Reason.REFUSED, Reason.SHARED_EXTENSION)


async def is_refused(running: RunningEngine) -> bool:
    return Unmatched.REFUSED in dict((await running.status()).not_shown)


async def test_invisible_characters_count_on_neither_side(tmp_path: Path) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        ana, bruno, catarina = sandbox.world.saved.people[:3]
        ana.address, ana.name = f"\ufeff{ana.address}\u200b", "Ana\u00a0Martins"
        bruno.address = bruno.address.replace("@", "\u00ad@\u200e")
        catarina.extension = "2003\u200b"
        sandbox.world.saved.teams[0].upn = f"\u202a{sandbox.world.saved.teams[0].upn}\u202c"
        sandbox.world.saved.teams[0].mail = None
        preview = await match(running)
        assert {"Ana Martins", "Bruno Carvalho", "Catarina Lopes"}.isdisjoint(reasons(preview))
        async with running.database.session() as session:
            rows = await people_of(session, await running.integration_id())
        assert {row.name: row.extension for row in rows}["Catarina Lopes"] == "2003"
        assert "Ana Martins" in {row.name for row in rows}


@pytest.mark.parametrize("how", ["renamed", "removed", "disabled", "guest"])
async def test_who_stops_matching_during_a_call_is_cleared_now(tmp_path: Path, how: str) -> None:
    async with connected_engine(tmp_path) as (sandbox, running):
        await answer_call(sandbox, "2001")
        await running.wait_until_shown("2001", *IN_A_CALL)
        stop_matching(sandbox, how)
        await running.engine.jobs.defer("match", await running.integration_id())
        if how != "removed":
            await eventually(lambda: is_cleared(sandbox), 20)
        await eventually(lambda: is_nothing_shown(running), 20)


def stop_matching(sandbox: SandboxHandle, how: str) -> None:
    user = sandbox.world.saved.teams[0]
    if how == "renamed":
        user.upn, user.mail = "another@valeverde.example", None
    else:
        user.removed, user.enabled, user.guest = how == "removed", how != "disabled", how == "guest"


async def is_cleared(sandbox: SandboxHandle) -> bool:
    return sandbox.world.saved.teams[0].session is None and await sandbox.shown("2001") == AVAILABLE


async def is_nothing_shown(running: RunningEngine) -> bool:
    async with running.database.session() as session:
        return not await people.count_shown(session, await running.integration_id())
