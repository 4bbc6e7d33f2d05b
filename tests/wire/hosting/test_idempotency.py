"""A button that changes something, pressed repeatedly: concurrently on two processes, and later from an old card.

Each verb's act is done in one tenant with one press, and in another with many: in the end both have the same done.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlmodel import select

from bot.chat.idempotency import ACTS as ONCE
from core.clock import utc_now
from storage.tables.history import HistoryEntry
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.roles import Member
from storage.tables.rotations import Monitor, MonitorTask, Rotation
from storage.tables.updates import FeatureUpdate
from sync.domain.model import Actor, IntegrationView, TeamsApp
from sync.domain.roles import Role
from sync.domain.rotation import RotationKind, RotationStep
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.fakes import words
from tests.support.bot.texts import EN
from tests.support.engines import account_of
from tests.support.eventually import eventually
from tests.support.storage.stores import EACH, module_database, stored
from tests.support.storage.stores import person as stored_person
from tests.wire.access.verb_effects import CHANGES
from tests.wire.bot_process import (
    BotProcess,
    Person,
    Reply,
    open_bot_process,
    open_surroundings,
    pressable,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ADMIN = "ad000000-0000-4000-8000-000000000001"
OTHER = "ad000000-0000-4000-8000-000000000002"
TENANTS = tuple(str(uuid4()) for _ in range(200))
REPEATABLE = frozenset(
    {
        "setup.restart",
        "setup.back",
        "setup.cancel",
        "setup.cloudlink",
        "setup.register",
        "setup.later",
        "language.set",
        "claim.now",
        "opt_out.stop",
        "opt_out.show",
        "import_people.show",
        "import_people.paste",
        "import_people.cancel",
        "drill.begin",
    }
)
"""A person's own drafts, language and choice, a drill, and a code, which works once: they may be repeated."""

COUNTED = frozenset(
    {
        *(f"person_{name}" for name in ("exclude", "include", "resend", "clear", "match", "unmatch")),
        "people_import",
        "setup",
        "status_text",
        "mapping",
        "person_mapping",
        "schedule",
        "scope",
        "enable",
        "disable",
        "remove",
        "rename",
        "edit_cloudlink",
        "edit_teams",
        "rotate_begun",
        "auto_rotate",
        "make_certificate",
        "switch_credential",
        "monitors_add",
        "monitors_remove",
        "monitors_same",
        "monitors_other",
        "monitors_tick",
        "alerts_quiet",
        "alerts_off",
        "admins_invite",
        "admins_change",
        "admins_remove",
    }
)
"""The acts in history that are there as soon as a press is answered."""


@dataclass
class TwoProcesses:
    """Two processes on one store."""

    one: BotProcess
    two: BotProcess
    tenants: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EACH)
async def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoProcesses]:
    folder = tmp_path_factory.mktemp("pressed")
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as databases:
        url = databases.enter_context(module_database(request.param, folder))
        async with AsyncExitStack() as stack:
            surroundings = await stack.enter_async_context(open_surroundings(monkeypatch))
            await surroundings.sandbox.permissions(Application_ReadWrite_OwnedBy=True)
            host = HostCredentials(folder / "host.pem", federated_token_file=folder / "token")
            one, two = [
                await stack.enter_async_context(
                    open_bot_process(surroundings, url, (ADMIN, OTHER), TENANTS, host=host)
                )
                for _ in range(2)
            ]
            yield TwoProcesses(one, two, list(TENANTS))


@dataclass
class Scene:
    """One administrator in their own tenant, with an integration that has its own application secret."""

    bot: BotProcess
    who: Person
    view: IntegrationView

    @property
    def tenant(self) -> str:
        return self.who.tenant

    @property
    def by(self) -> Actor:
        return Actor(self.who.object_id, self.who.name)

    async def offered(
        self, said: str, verb: str, typed: Mapping[str, str] | None = None, via: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What the button of this verb sends, on the card reached by typing ``said`` and pressing ``via``."""
        reply = await self.bot.say(self.who, said)
        for step in via:
            reply = await self.bot.press(self.who, step, sent_by(reply, step))
        return {**sent_by(reply, verb), **(typed or {})}

    async def store(self, *rows: Any) -> None:
        await stored(self.bot.database, *rows)


def sent_by(reply: Reply, verb: str) -> dict[str, Any]:
    return next(data for found, data in pressable(reply.answer) if found == verb)


async def new_scene(pair: TwoProcesses) -> Scene:
    bot, tenant = pair.one, pair.tenants.pop()
    sandbox = bot.surroundings.sandbox
    registration, secret = sandbox.world.saved.registration, await sandbox.new_secret()
    app = TeamsApp(registration.tenant_id, registration.client_id, secret["value"])
    who, by = Person(tenant, ADMIN, "Ana Lima"), Actor(ADMIN, "Ana Lima")
    integrations = bot.engine.integrations
    view = await integrations.add(tenant, "Head office", account_of(sandbox), app, None, by, "On the phone")
    await bot.say(who, "help")
    return Scene(bot, who, view)


async def done_in_tenant(scene: Scene) -> dict[str, Any]:
    """Everything done in the tenant, for comparison."""
    tenant = scene.tenant
    async with scene.bot.database.session() as session:
        acts = (await session.exec(select(HistoryEntry.act).where(HistoryEntry.owner_tenant == tenant))).all()
        rows = (await session.exec(select(Integration).where(Integration.owner_tenant == tenant))).all()
        counts: dict[str, Any] = {
            table.__name__: len((await session.exec(select(table).where(table.owner_tenant == tenant))).all())
            for table in (Rotation, Monitor, FeatureUpdate, Notice)
        }
        ids = [row.id for row in rows]
        members = (await session.exec(select(Member).where(Member.owner_tenant == tenant))).all()
        updates = (await session.exec(select(FeatureUpdate).where(FeatureUpdate.owner_tenant == tenant))).all()
        tasks = (await session.exec(select(MonitorTask))).all()
    done = sum(1 for task in tasks if task.integration_id in ids and task.done_at)
    left = [row for row in rows if not row.removing_since]
    integrations = sorted((row.name, row.enabled, row.auto_rotate, row.credential) for row in left)
    counts["roles"] = sorted(member.role for member in members)
    counts["undone"] = sum(1 for update in updates if update.state in ("rolling_back", "undone"))
    return {
        "acts": Counter(act for act in acts if act in COUNTED),
        "integrations": integrations,
        "ticked": done,
        **counts,
    }


# How each card is reached


async def account(scene: Scene) -> dict[str, str]:
    known = account_of(scene.bot.surroundings.sandbox)
    return {
        "region": known.region,
        "account_id": known.account_id,
        "cloudlink_client_id": known.client_id,
        "cloudlink_secret": known.client_secret,
    }


async def application(scene: Scene) -> dict[str, str]:
    sandbox = scene.bot.surroundings.sandbox
    registration, secret = sandbox.world.saved.registration, await sandbox.new_secret()
    typed = {"name": "Warehouse", "tenant_id": registration.tenant_id, "client_id": registration.client_id}
    return {**typed, "client_secret": secret["value"], "expires_on": ""}


async def with_another_application(scene: Scene) -> None:
    """The scene's integration gets another application, so that the sandbox's one can be set up once more."""
    async with scene.bot.database.writing() as session:
        first = (await session.exec(select(Integration).where(Integration.id == scene.view.id))).one()
        first.client_id = str(uuid4())


async def setup_save(scene: Scene) -> dict[str, Any]:
    await with_another_application(scene)
    first = await scene.offered("setup integration", "setup.cloudlink", await account(scene))
    reply = await scene.bot.press(scene.who, "setup.cloudlink", first)
    return {**sent_by(reply, "setup.save"), **(await application(scene))}


async def setup_now(scene: Scene) -> dict[str, Any]:
    reply = await scene.bot.press(scene.who, "setup.save", await setup_save(scene))
    return sent_by(reply, "setup.now")


async def disable_now(scene: Scene) -> dict[str, Any]:
    await scene.bot.engine.integrations.enable(scene.tenant, scene.view.id, scene.by)
    return await scene.offered("disable presence", "disable.now")


async def auto_rotate_off(scene: Scene) -> dict[str, Any]:
    await scene.bot.engine.credentials.set_auto_rotate(scene.tenant, scene.view.id, True, scene.by)
    return await scene.offered("auto-rotate", "auto_rotate.off")


async def rotate_save(scene: Scene) -> dict[str, Any]:
    secret = await scene.bot.surroundings.sandbox.new_secret()
    typed = {"description": "Head office", "expires_on": "", "client_secret": secret["value"]}
    return await scene.offered("rotate secret", "rotate.save", typed)


async def edit_teams(scene: Scene) -> dict[str, Any]:
    return await scene.offered("edit integration", "edit.save_teams", await application(scene), ("edit.teams",))


async def edit_cloudlink(scene: Scene) -> dict[str, Any]:
    return await scene.offered("edit integration", "edit.save_cloudlink", await account(scene), ("edit.cloudlink",))


async def certificate_use(scene: Scene) -> dict[str, Any]:
    made = await scene.bot.engine.credentials.make_certificate(scene.tenant, scene.view.id, scene.by)
    await scene.bot.surroundings.sandbox.post("registration/certificates", {"pem": made.public})
    return await scene.offered("certificate", "certificate.use", via=("certificate.make",))


async def with_monitors(scene: Scene) -> None:
    """Two monitors, and a rotation for which it is still unknown whether they have its secret."""
    now = utc_now()
    about: dict[str, Any] = {"owner_tenant": scene.tenant, "integration_id": scene.view.id}
    rotation = Rotation(
        kind=RotationKind.MANUAL,
        step=RotationStep.DONE,
        started_at=now,
        finished_at=now,
        started_by=ADMIN,
        **about,
    )
    await scene.store(rotation, *(Monitor(name=name, created_at=now, **about) for name in ("Hall", "Yard")))


async def monitors_answer(scene: Scene, verb: str) -> dict[str, Any]:
    await with_monitors(scene)
    return await scene.offered("monitors", verb, via=("monitors.ask",))


async def monitors_tick(scene: Scene) -> dict[str, Any]:
    same = await monitors_answer(scene, "monitors.same")
    reply = await scene.bot.press(scene.who, "monitors.same", same)
    return sent_by(reply, "monitors.tick")


async def monitors_remove(scene: Scene) -> dict[str, Any]:
    await with_monitors(scene)
    return await scene.offered("monitors", "monitors.remove")


async def remind(scene: Scene) -> dict[str, Any]:
    notice = Notice(
        integration_id=scene.view.id,
        owner_tenant=scene.tenant,
        topic="expiry",
        stage="30",
        audience=ADMIN,
        facts={"expires_on": "2027-01-31", "credential": "secret"},
        created_at=utc_now(),
    )
    await scene.store(notice)
    await scene.bot.notifier.notify(scene.view.id)
    cards = [call.card for call in scene.bot.surroundings.connector.sent()]
    return next(
        data
        for card in reversed(cards)
        for verb, data in pressable(card)
        if verb == "alerts.remind" and data["notice"] == notice.id
    )


async def update_undo(scene: Scene) -> dict[str, Any]:
    install = await scene.offered("install update", "update.install")
    await scene.bot.press(scene.who, "update.install", install)

    async def is_installed() -> bool:
        return not await scene.bot.engine.updates.running(scene.tenant, scene.view.id)

    await eventually(is_installed)
    return await scene.offered("install update", "update.undo")


async def messages_save(scene: Scene) -> dict[str, Any]:
    async with scene.bot.database.writing() as session:
        row = await session.get(Integration, scene.view.id)
        assert row is not None
        row.feature_version = 3
    return await scene.offered("status messages", "messages.save", {"text_ringing": "Ringing"})


async def with_member(scene: Scene, role: Role) -> None:
    given: dict[str, Any] = {"invited_by": ADMIN, "invited_at": utc_now(), "joined_at": utc_now()}
    member = Member(owner_tenant=scene.tenant, user_object_id=str(uuid4()), name="Eva Reis", role=role, **given)
    await scene.store(member)


async def admins_change(scene: Scene) -> dict[str, Any]:
    await with_member(scene, Role.VIEWER)
    return await scene.offered("admins", "admins.change", {"role": Role.ADMINISTRATOR}, ("admins.open",))


async def admins_demote(scene: Scene) -> dict[str, Any]:
    await with_member(scene, Role.ADMINISTRATOR)
    ask = await scene.offered("admins", "admins.change", {"role": Role.VIEWER}, ("admins.open",))
    return sent_by(await scene.bot.press(scene.who, "admins.change", ask), "admins.demote")


async def admins_remove(scene: Scene) -> dict[str, Any]:
    await with_member(scene, Role.VIEWER)
    return await scene.offered("admins", "admins.remove", via=("admins.open", "admins.ask_remove"))


async def of_sofia(scene: Scene, verb: str) -> dict[str, Any]:
    """What the button of this verb sends for a person of the integration: it is pressed on their card.

    It has no *Show again now* and *Clear* here, as presence sync is disabled: their data are those of *Exclude*.
    """
    sofia = stored_person(
        uuid4().hex,
        integration_id=scene.view.id,
        teams_user_id=str(uuid4()),
        excluded=verb == "person.include",
        chosen_user_id="chosen" if verb == "person.unmatch" else None,
    )
    await scene.store(sofia)
    via = ("person.match",) if verb in ("person.save_match", "person.unmatch") else ()
    typed = {"principal_name": "emily.carter@valeverde.example"} if verb == "person.save_match" else {}
    button = "person.exclude" if verb in ("person.resend", "person.clear") else verb
    return await scene.offered(f"people {sofia.name}", button, typed, via)


async def import_people(scene: Scene) -> dict[str, Any]:
    sofia = stored_person(uuid4().hex, integration_id=scene.view.id, teams_user_id=str(uuid4()))
    await scene.store(sofia)
    lines = f"Person ID,Excluded\n{sofia.id},yes"
    reply = await scene.bot.press(scene.who, "import_people.paste", {"integration": scene.view.id, "lines": lines})
    return sent_by(reply, "import_people.apply")


async def mapping_remove(scene: Scene) -> dict[str, Any]:
    added = await scene.offered("mapping", "mapping.add", {"name": "Reception"}, ("mapping.some",))
    await scene.bot.press(scene.who, "mapping.add", added)
    return await scene.offered("mapping", "mapping.remove", via=("mapping.some", "mapping.show"))


async def rules_save(scene: Scene) -> dict[str, Any]:
    await mapping_remove(scene)
    typed = {"extensions": "200-299", "addresses": "", "groups": ""}
    via = ("mapping.some", "mapping.show", "mapping.rules_show")
    tried = await scene.offered("mapping", "mapping.rules_preview", typed, via)
    return sent_by(await scene.bot.press(scene.who, "mapping.rules_preview", tried), "mapping.rules_save")


async def mapping_choose(scene: Scene) -> dict[str, Any]:
    await mapping_remove(scene)
    sofia = stored_person(uuid4().hex, integration_id=scene.view.id, teams_user_id=str(uuid4()))
    await scene.store(sofia)
    return await scene.offered(f"people {sofia.name}", "mapping.choose", via=("mapping.person",))


PERSON_VERBS = ("exclude", "include", "resend", "clear", "save_match", "unmatch")
INVITED = {"address": "eva.reis@vale-verde.example", "person": "nobody", "role": "viewer"}
Prepare = Callable[[Scene], Awaitable[dict[str, Any]]]
QUIET = {"quiet_from": "20:00", "quiet_until": "08:00", "time_zone": "Europe/Lisbon"}
CARDS: Mapping[str, Prepare] = {
    "setup.save": setup_save,
    "setup.now": setup_now,
    "enable.now": lambda scene: scene.offered("enable presence", "enable.now"),
    "disable.now": disable_now,
    "remove.now": lambda scene: scene.offered("remove integration", "remove.now", {"typed_name": "Head office"}),
    "edit.save_expiry": lambda scene: scene.offered("status", "edit.save_expiry", {"expires_on": "2027-05-31"}),
    "edit.save_name": lambda scene: scene.offered(
        "edit integration", "edit.save_name", {"name": "Main office"}, ("edit.rename",)
    ),
    "edit.save_cloudlink": edit_cloudlink,
    "edit.save_teams": edit_teams,
    "scope.save": lambda scene: scene.offered("scope", "scope.save", via=("scope.preview",)),
    "schedule.save": lambda scene: scene.offered("schedule", "schedule.save", {"preset": "office", "holidays": ""}),
    "mapping.add": lambda scene: scene.offered("mapping", "mapping.add", {"name": "Reception"}, ("mapping.some",)),
    "mapping.remove": mapping_remove,
    "mapping.choose": mapping_choose,
    "mapping.rules_save": rules_save,
    "mapping.save": lambda scene: scene.offered("mapping", "mapping.save", {"show_ringing": "Busy/InACall"}),
    "rotate.save": rotate_save,
    "rotate.start": lambda scene: scene.offered("rotate secret", "rotate.start", via=("rotate.for_me",)),
    "auto_rotate.on": lambda scene: scene.offered("auto-rotate", "auto_rotate.on"),
    "auto_rotate.off": auto_rotate_off,
    "certificate.make": lambda scene: scene.offered("certificate", "certificate.make"),
    "certificate.use": certificate_use,
    "monitors.add": lambda scene: scene.offered("monitors", "monitors.add", {"names": "Hall\nYard"}),
    "monitors.remove": monitors_remove,
    "monitors.same": lambda scene: monitors_answer(scene, "monitors.same"),
    "monitors.other": lambda scene: monitors_answer(scene, "monitors.other"),
    "monitors.tick": monitors_tick,
    "alerts.save": lambda scene: scene.offered("alerts", "alerts.save", QUIET),
    "alerts.remind": remind,
    "update.install": lambda scene: scene.offered("install update", "update.install"),
    "messages.save": messages_save,
    "update.undo": update_undo,
    "admins.add": lambda scene: scene.offered("admins", "admins.add", INVITED, ("admins.invite",)),
    "admins.change": admins_change,
    "admins.demote": admins_demote,
    "admins.remove": admins_remove,
    "import_people.apply": import_people,
    **{
        f"person.{name}": lambda scene, name=name: of_sofia(scene, f"person.{name}")  # type: ignore[misc]
        for name in PERSON_VERBS
    },
}
HOSTS_OWN = frozenset({"certificate.host", "certificate.federated"})
"""Verbs that need a file of the host: the same act as ``certificate.use``, with the same revision check."""


async def test_every_changing_verb_is_tested() -> None:
    assert ONCE.keys() | REPEATABLE == CHANGES
    assert CARDS.keys() | HOSTS_OWN == ONCE.keys()


@pytest.mark.parametrize("verb", CARDS)
async def test_pressed_many_times_it_is_done_once_and_the_card_says_so(pair: TwoProcesses, verb: str) -> None:
    alone, crowd = await new_scene(pair), await new_scene(pair)
    single, data = await CARDS[verb](alone), await CARDS[verb](crowd)
    before = await done_in_tenant(crowd)
    await pair.one.press(alone.who, verb, single)
    at_once = await asyncio.gather(*(bot.press(crowd.who, verb, data) for bot in (pair.one, pair.two, pair.one)))
    later = [
        await bot.press(crowd.who, verb, data, form=form)
        for bot, form in zip((pair.one, pair.two), FORMS, strict=True)
    ]
    once = await done_in_tenant(alone)
    assert await done_in_tenant(crowd) == once
    assert once != before
    refusals = ["already pressed this button" in words(reply.answer) for reply in (*at_once, *later)]
    assert refusals.count(True) == len(refusals) - 1
    assert all(refusals[3:])


FORMS = ("execute", "submit")
Back = Callable[[Scene], Awaitable[object]]


TAKEN_BACK: Mapping[str, Back] = {
    "setup.now": lambda scene: scene.bot.engine.integrations.disable(scene.tenant, scene.view.id, scene.by),
    "enable.now": lambda scene: scene.bot.engine.integrations.disable(scene.tenant, scene.view.id, scene.by),
    "disable.now": lambda scene: scene.bot.engine.integrations.enable(scene.tenant, scene.view.id, scene.by),
    "auto_rotate.on": lambda scene: scene.bot.engine.credentials.set_auto_rotate(
        scene.tenant, scene.view.id, False, scene.by
    ),
    "auto_rotate.off": lambda scene: scene.bot.engine.credentials.set_auto_rotate(
        scene.tenant, scene.view.id, True, scene.by
    ),
}


@pytest.mark.parametrize("verb", TAKEN_BACK)
async def test_an_old_card_does_not_undo_what_was_done_since(pair: TwoProcesses, verb: str) -> None:
    scene = await new_scene(pair)
    data = await CARDS[verb](scene)
    await pair.one.press(scene.who, verb, data)
    await TAKEN_BACK[verb](scene)
    expected = await done_in_tenant(scene)
    reply = await pair.two.press(scene.who, verb, data)
    assert await done_in_tenant(scene) == expected
    assert "Ana Lima already pressed this button" in words(reply.answer)


async def test_a_failed_action_may_be_pressed_again(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    data = await setup_save(scene)
    await pair.one.surroundings.sandbox.set_faults(entra_outage=True)
    await pair.one.press(scene.who, "setup.save", data)
    await pair.one.surroundings.sandbox.set_faults(entra_outage=False)
    reply = await pair.two.press(scene.who, "setup.resume", {"draft": data["draft"]})
    again = {**data, **{name: value for name, value in sent_by(reply, "setup.save").items() if name == "press"}}
    await pair.two.press(scene.who, "setup.save", again)
    assert (await done_in_tenant(scene))["acts"]["setup"] == 2
    assert len(await scene.bot.engine.integrations.list(scene.tenant)) == 2


# Two administrators at the same time


async def test_of_two_setups_with_one_name_one_is_refused(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    other = Scene(pair.two, Person(scene.tenant, OTHER, "Rui Costa"), scene.view)
    await pair.two.say(other.who, "help")
    mine, theirs = await setup_save(scene), await setup_save(other)
    replies = await asyncio.gather(
        pair.one.press(scene.who, "setup.save", mine), pair.two.press(other.who, "setup.save", theirs)
    )
    names = [view.name for view in await scene.bot.engine.integrations.list(scene.tenant)]
    assert sorted(names) == ["Head office", "Warehouse"]
    refused = (EN("check.name_taken"), EN("setup.equal"))
    assert sorted(any(said in words(each.answer) for said in refused) for each in replies) == [False, True]


async def test_two_who_start_a_rotation_see_the_same_one(pair: TwoProcesses) -> None:
    """During an outage, so that the first cannot end before the last is started."""
    scene, sandbox = await new_scene(pair), pair.one.surroundings.sandbox
    await sandbox.set_faults(graph_outage=True, entra_outage=True)
    begin = [bot.engine.credentials.start_rotation for bot in (pair.one, pair.two, pair.one, pair.two)]
    begun = await asyncio.gather(*(each(scene.tenant, scene.view.id, scene.by) for each in begin))
    await sandbox.set_faults(graph_outage=False, entra_outage=False)
    assert len({rotation.id for rotation in begun}) == 1
    assert (await done_in_tenant(scene))["acts"]["rotate_begun"] == 1


async def test_the_second_of_two_secret_replacements_is_refused(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    other = Scene(pair.two, Person(scene.tenant, OTHER, "Rui Costa"), scene.view)
    await pair.two.say(other.who, "help")
    mine, theirs = await rotate_save(scene), await rotate_save(other)
    replies = await asyncio.gather(
        pair.one.press(scene.who, "rotate.save", mine), pair.two.press(other.who, "rotate.save", theirs)
    )
    assert sorted(EN("edit.outdated") in words(each.answer) for each in replies) == [False, True]
    late = await pair.one.press(other.who, "rotate.save", {**theirs, "press": "another-card"})
    assert EN("edit.outdated") in words(late.answer)
    assert (await done_in_tenant(scene))["Rotation"] == 1


async def test_of_two_concurrent_renames_one_is_refused(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    integrations, view = scene.bot.engine.integrations, scene.view
    account = account_of(scene.bot.surroundings.sandbox)
    await integrations.add(scene.tenant, "Yard", account, TeamsApp("t", "c", "s"), None, scene.by)
    views = await integrations.list(scene.tenant)
    renaming = [
        bot.engine.editor.rename(scene.tenant, one.id, one.revision, "The same", scene.by)
        for bot, one in zip((pair.one, pair.two), views, strict=True)
    ]
    outcomes = await asyncio.gather(*renaming, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["IntegrationView", "NameTaken"]
    assert sorted(one.name == "The same" for one in await integrations.list(scene.tenant)) == [False, True]
    assert view.id in {one.id for one in views}


async def test_two_who_make_a_certificate_get_the_same_one(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    make = [bot.engine.credentials.make_certificate for bot in (pair.one, pair.two)]
    making = [each(scene.tenant, scene.view.id, scene.by) for each in make]
    made = await asyncio.gather(*making)
    assert made[0].thumbprint == made[1].thumbprint


async def test_a_monitor_listed_twice_is_stored_once(pair: TwoProcesses) -> None:
    scene = await new_scene(pair)
    data = await scene.offered("monitors", "monitors.add", {"names": "Hall"})
    presses = [{**data, "press": f"card-{number}"} for number in range(4)]
    processes = (pair.one, pair.two, pair.one, pair.two)
    people = (scene.who, Person(scene.tenant, OTHER, "Rui Costa")) * 2
    await asyncio.gather(
        *(bot.press(who, "monitors.add", each) for bot, who, each in zip(processes, people, presses, strict=True))
    )
    assert (await done_in_tenant(scene))["Monitor"] == 1
