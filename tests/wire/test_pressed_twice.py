"""A button that acts, pressed again and again: at once on two processes, and later from an old card.

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
from storage.queries.roles import Role
from storage.tables.history import Act
from storage.tables.integrations import Integration
from storage.tables.notices import Notice
from storage.tables.roles import Member
from storage.tables.rotations import Monitor, MonitorTask, Rotation
from storage.tables.updates import FeatureUpdate
from sync.domain.model import Actor, IntegrationView, TeamsApp
from sync.domain.rotation import RotationKind, RotationStep
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.fakes import words
from tests.support.engines import account_of
from tests.support.eventually import eventually
from tests.support.postgres import fresh_database
from tests.support.stores import EACH, stored
from tests.wire.verbs import ACTS
from tests.wire.webs import Heard, Person, Web, open_town, open_web, pressable, sqlite_url

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ADMIN = "ad000000-0000-4000-8000-000000000001"
OTHER = "ad000000-0000-4000-8000-000000000002"
TENANTS = tuple(str(uuid4()) for _ in range(200))
BEARS_REPETITION = frozenset(
    {
        "setup.restart",
        "setup.back",
        "setup.cancel",
        "setup.cloudlink",
        "setup.register",
        "setup.later",
        "language.set",
        "claim.now",
    }
)
"""One's own draft and language: said again they are the same; and a code, which is good once."""

COUNTED = frozenset(
    {
        "setup",
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
class Pair:
    """Two processes on one store."""

    one: Web
    two: Web
    tenants: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EACH)
async def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pressed")
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as databases:
        is_sqlite = request.param == "sqlite"
        url = sqlite_url(folder) if is_sqlite else databases.enter_context(fresh_database())
        async with AsyncExitStack() as stack:
            town = await stack.enter_async_context(open_town(monkeypatch))
            await town.sandbox.permissions(Application_ReadWrite_OwnedBy=True)
            host = HostCredentials(folder / "host.pem", federated_token_file=folder / "token")
            one, two = [
                await stack.enter_async_context(open_web(town, url, (ADMIN, OTHER), TENANTS, host=host))
                for _ in range(2)
            ]
            yield Pair(one, two, list(TENANTS))


@dataclass
class Stage:
    """One administrator in a tenant of their own, with an integration that has an application secret of its own."""

    web: Web
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
        """What the button of this verb sends, on the card that is come to by words and by pressing ``via``."""
        heard = await self.web.say(self.who, said)
        for step in via:
            heard = await self.web.press(self.who, step, sent_by(heard, step))
        return {**sent_by(heard, verb), **(typed or {})}

    async def store(self, *rows: Any) -> None:
        await stored(self.web.database, *rows)


def sent_by(heard: Heard, verb: str) -> dict[str, Any]:
    return next(data for found, data in pressable(heard.answer) if found == verb)


async def new_stage(pair: Pair) -> Stage:
    web, tenant = pair.one, pair.tenants.pop()
    sandbox = web.town.sandbox
    registration, secret = sandbox.world.saved.registration, await sandbox.new_secret()
    app = TeamsApp(registration.tenant_id, registration.client_id, secret["value"])
    who = Person(tenant, ADMIN, "Ana Lima")
    view = await web.engine.integrations.add(
        tenant, "Head office", account_of(sandbox), app, None, Actor(ADMIN, "Ana Lima"), "On the phone"
    )
    await web.say(who, "help")
    return Stage(web, who, view)


async def deeds(stage: Stage) -> dict[str, Any]:
    """All that was done in the tenant, to be compared."""
    tenant = stage.tenant
    async with stage.web.database.session() as session:
        acts = (await session.exec(select(Act.act).where(Act.owner_tenant == tenant))).all()
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
    stand = sorted((row.name, row.enabled, row.auto_rotate, row.credential) for row in left)
    counts["roles"] = sorted(member.role for member in members)
    counts["undone"] = sum(1 for update in updates if update.state in ("rolling_back", "undone"))
    return {"acts": Counter(act for act in acts if act in COUNTED), "stand": stand, "ticked": done, **counts}


# How each card is come to


async def account(stage: Stage) -> dict[str, str]:
    known = account_of(stage.web.town.sandbox)
    return {
        "region": known.region,
        "account_id": known.account_id,
        "cloudlink_client_id": known.client_id,
        "cloudlink_secret": known.client_secret,
    }


async def application(stage: Stage) -> dict[str, str]:
    sandbox = stage.web.town.sandbox
    registration, secret = sandbox.world.saved.registration, await sandbox.new_secret()
    typed = {"name": "Warehouse", "tenant_id": registration.tenant_id, "client_id": registration.client_id}
    return {**typed, "client_secret": secret["value"], "expires_on": ""}


async def setup_save(stage: Stage) -> dict[str, Any]:
    first = await stage.offered("setup integration", "setup.cloudlink", await account(stage))
    heard = await stage.web.press(stage.who, "setup.cloudlink", first)
    heard = await stage.web.press(stage.who, "setup.register", sent_by(heard, "setup.register"))
    return {**sent_by(heard, "setup.save"), **(await application(stage))}


async def setup_now(stage: Stage) -> dict[str, Any]:
    heard = await stage.web.press(stage.who, "setup.save", await setup_save(stage))
    return sent_by(heard, "setup.now")


async def disable_now(stage: Stage) -> dict[str, Any]:
    await stage.web.engine.integrations.enable(stage.tenant, stage.view.id, stage.by)
    return await stage.offered("disable presence", "disable.now")


async def auto_rotate_off(stage: Stage) -> dict[str, Any]:
    await stage.web.engine.credentials.set_auto_rotate(stage.tenant, stage.view.id, True, stage.by)
    return await stage.offered("auto-rotate", "auto_rotate.off")


async def rotate_save(stage: Stage) -> dict[str, Any]:
    secret = await stage.web.town.sandbox.new_secret()
    typed = {"description": "Head office", "expires_on": "", "client_secret": secret["value"]}
    return await stage.offered("rotate secret", "rotate.save", typed)


async def edit_teams(stage: Stage) -> dict[str, Any]:
    return await stage.offered("edit integration", "edit.save_teams", await application(stage), ("edit.teams",))


async def edit_cloudlink(stage: Stage) -> dict[str, Any]:
    return await stage.offered("edit integration", "edit.save_cloudlink", await account(stage), ("edit.cloudlink",))


async def certificate_use(stage: Stage) -> dict[str, Any]:
    made = await stage.web.engine.credentials.make_certificate(stage.tenant, stage.view.id, stage.by)
    await stage.web.town.sandbox.post("registration/certificates", {"pem": made.public})
    return await stage.offered("certificate", "certificate.use", via=("certificate.make",))


async def with_monitors(stage: Stage) -> None:
    """Two monitors, and a rotation of which nobody said yet whether they have its secret."""
    now = utc_now()
    about: dict[str, Any] = {"owner_tenant": stage.tenant, "integration_id": stage.view.id}
    rotation = Rotation(
        kind=RotationKind.BY_HAND,
        step=RotationStep.DONE,
        started_at=now,
        finished_at=now,
        started_by=ADMIN,
        **about,
    )
    await stage.store(rotation, *(Monitor(name=name, created_at=now, **about) for name in ("Hall", "Yard")))


async def monitors_answer(stage: Stage, verb: str) -> dict[str, Any]:
    await with_monitors(stage)
    return await stage.offered("monitors", verb, via=("monitors.ask",))


async def monitors_tick(stage: Stage) -> dict[str, Any]:
    same = await monitors_answer(stage, "monitors.same")
    heard = await stage.web.press(stage.who, "monitors.same", same)
    return sent_by(heard, "monitors.tick")


async def monitors_remove(stage: Stage) -> dict[str, Any]:
    await with_monitors(stage)
    return await stage.offered("monitors", "monitors.remove")


async def remind(stage: Stage) -> dict[str, Any]:
    notice = Notice(
        integration_id=stage.view.id,
        owner_tenant=stage.tenant,
        topic="expiry",
        stage="30",
        audience=ADMIN,
        facts={"expires_on": "2027-01-31", "credential": "secret"},
        created_at=utc_now(),
    )
    await stage.store(notice)
    await stage.web.notifier.notify(stage.view.id)
    cards = [call.card for call in stage.web.town.connector.sent()]
    return next(
        data
        for card in reversed(cards)
        for verb, data in pressable(card)
        if verb == "alerts.remind" and data["notice"] == notice.id
    )


async def update_undo(stage: Stage) -> dict[str, Any]:
    install = await stage.offered("install update", "update.install")
    await stage.web.press(stage.who, "update.install", install)

    async def is_installed() -> bool:
        return not await stage.web.engine.updates.running(stage.tenant, stage.view.id)

    await eventually(is_installed)
    return await stage.offered("install update", "update.undo")


async def with_member(stage: Stage, role: Role) -> None:
    given: dict[str, Any] = {"invited_by": ADMIN, "invited_at": utc_now(), "joined_at": utc_now()}
    member = Member(owner_tenant=stage.tenant, user_object_id=str(uuid4()), name="Eva Reis", role=role, **given)
    await stage.store(member)


async def admins_change(stage: Stage) -> dict[str, Any]:
    await with_member(stage, Role.VIEWER)
    return await stage.offered("admins", "admins.change", {"role": Role.ADMINISTRATOR}, ("admins.open",))


async def admins_demote(stage: Stage) -> dict[str, Any]:
    await with_member(stage, Role.ADMINISTRATOR)
    ask = await stage.offered("admins", "admins.change", {"role": Role.VIEWER}, ("admins.open",))
    return sent_by(await stage.web.press(stage.who, "admins.change", ask), "admins.demote")


async def admins_remove(stage: Stage) -> dict[str, Any]:
    await with_member(stage, Role.VIEWER)
    return await stage.offered("admins", "admins.remove", via=("admins.open", "admins.ask_remove"))


INVITED = {"address": "eva.reis@vale-verde.example", "person": "nobody", "role": "viewer"}
Prepare = Callable[[Stage], Awaitable[dict[str, Any]]]
QUIET = {"quiet_from": "20:00", "quiet_until": "08:00", "time_zone": "Europe/Lisbon"}
CARDS: Mapping[str, Prepare] = {
    "setup.save": setup_save,
    "setup.now": setup_now,
    "enable.now": lambda stage: stage.offered("enable presence", "enable.now"),
    "disable.now": disable_now,
    "remove.now": lambda stage: stage.offered("remove integration", "remove.now", {"typed_name": "Head office"}),
    "edit.save_name": lambda stage: stage.offered(
        "edit integration", "edit.save_name", {"name": "Main office"}, ("edit.rename",)
    ),
    "edit.save_cloudlink": edit_cloudlink,
    "edit.save_teams": edit_teams,
    "rotate.save": rotate_save,
    "rotate.start": lambda stage: stage.offered("rotate secret", "rotate.start", via=("rotate.for_me",)),
    "auto_rotate.on": lambda stage: stage.offered("auto-rotate", "auto_rotate.on"),
    "auto_rotate.off": auto_rotate_off,
    "certificate.make": lambda stage: stage.offered("certificate", "certificate.make"),
    "certificate.use": certificate_use,
    "monitors.add": lambda stage: stage.offered("monitors", "monitors.add", {"names": "Hall\nYard"}),
    "monitors.remove": monitors_remove,
    "monitors.same": lambda stage: monitors_answer(stage, "monitors.same"),
    "monitors.other": lambda stage: monitors_answer(stage, "monitors.other"),
    "monitors.tick": monitors_tick,
    "alerts.save": lambda stage: stage.offered("alerts", "alerts.save", QUIET),
    "alerts.remind": remind,
    "update.install": lambda stage: stage.offered("install update", "update.install"),
    "update.undo": update_undo,
    "admins.add": lambda stage: stage.offered("admins", "admins.add", INVITED, ("admins.invite",)),
    "admins.change": admins_change,
    "admins.demote": admins_demote,
    "admins.remove": admins_remove,
}
HOSTS_OWN = frozenset({"certificate.host", "certificate.federated"})
"""What takes a file of the host: the same act as ``certificate.use``, and the same check of the revision."""


async def test_every_act_is_here() -> None:
    assert ONCE.keys() | BEARS_REPETITION == ACTS
    assert CARDS.keys() | HOSTS_OWN == ONCE.keys()


@pytest.mark.parametrize("verb", CARDS)
async def test_pressed_many_times_it_is_done_once_and_says_so(pair: Pair, verb: str) -> None:
    alone, crowd = await new_stage(pair), await new_stage(pair)
    single, data = await CARDS[verb](alone), await CARDS[verb](crowd)
    before = await deeds(crowd)
    await pair.one.press(alone.who, verb, single)
    at_once = await asyncio.gather(*(web.press(crowd.who, verb, data) for web in (pair.one, pair.two, pair.one)))
    later = [await web.press(crowd.who, verb, data, form=form) for web in (pair.one, pair.two) for form in FORMS]
    once = await deeds(alone)
    assert await deeds(crowd) == once
    assert once != before
    told = ["pressed this button already" in words(heard.answer) for heard in (*at_once, *later)]
    assert told.count(True) == len(told) - 1
    assert all(told[3:])


FORMS = ("execute", "submit")
Back = Callable[[Stage], Awaitable[object]]


async def reinstalled(stage: Stage) -> None:
    await stage.web.press(stage.who, "update.install", await stage.offered("install update", "update.install"))


TAKEN_BACK: Mapping[str, Back] = {
    "setup.now": lambda stage: stage.web.engine.integrations.disable(stage.tenant, stage.view.id, stage.by),
    "enable.now": lambda stage: stage.web.engine.integrations.disable(stage.tenant, stage.view.id, stage.by),
    "disable.now": lambda stage: stage.web.engine.integrations.enable(stage.tenant, stage.view.id, stage.by),
    "auto_rotate.on": lambda stage: stage.web.engine.credentials.set_auto_rotate(
        stage.tenant, stage.view.id, False, stage.by
    ),
    "auto_rotate.off": lambda stage: stage.web.engine.credentials.set_auto_rotate(
        stage.tenant, stage.view.id, True, stage.by
    ),
}


@pytest.mark.parametrize("verb", TAKEN_BACK)
async def test_an_old_card_does_not_undo_what_was_done_since(pair: Pair, verb: str) -> None:
    stage = await new_stage(pair)
    data = await CARDS[verb](stage)
    await pair.one.press(stage.who, verb, data)
    await TAKEN_BACK[verb](stage)
    stands = await deeds(stage)
    heard = await pair.two.press(stage.who, verb, data)
    assert await deeds(stage) == stands
    assert "Ana Lima pressed this button already" in words(heard.answer)


async def test_what_failed_may_be_pressed_again(pair: Pair) -> None:
    stage = await new_stage(pair)
    data = await setup_save(stage)
    await pair.one.town.sandbox.trouble(entra_outage=True)
    await pair.one.press(stage.who, "setup.save", data)
    await pair.one.town.sandbox.trouble(entra_outage=False)
    heard = await pair.two.press(stage.who, "setup.resume", {"draft": data["draft"]})
    again = {**data, **{name: value for name, value in sent_by(heard, "setup.save").items() if name == "press"}}
    await pair.two.press(stage.who, "setup.save", again)
    assert (await deeds(stage))["acts"]["setup"] == 2
    assert len(await stage.web.engine.integrations.list(stage.tenant)) == 2


# Two administrators at once


async def test_of_two_who_finish_a_setup_under_one_name_one_is_told(pair: Pair) -> None:
    stage = await new_stage(pair)
    other = Stage(pair.two, Person(stage.tenant, OTHER, "Rui Costa"), stage.view)
    await pair.two.say(other.who, "help")
    mine, theirs = await setup_save(stage), await setup_save(other)
    heard = await asyncio.gather(
        pair.one.press(stage.who, "setup.save", mine), pair.two.press(other.who, "setup.save", theirs)
    )
    names = [view.name for view in await stage.web.engine.integrations.list(stage.tenant)]
    assert sorted(names) == ["Head office", "Warehouse"]
    assert sorted("of this name already" in words(each.answer) for each in heard) == [False, True]


async def test_of_two_who_begin_a_rotation_both_see_the_same_one(pair: Pair) -> None:
    stage = await new_stage(pair)
    begin = [web.engine.credentials.rotate_for_me for web in (pair.one, pair.two, pair.one, pair.two)]
    begun = await asyncio.gather(*(each(stage.tenant, stage.view.id, stage.by) for each in begin))
    assert len({rotation.id for rotation in begun}) == 1
    assert (await deeds(stage))["acts"]["rotate_begun"] == 1


async def test_of_two_who_replace_the_secret_the_second_is_told(pair: Pair) -> None:
    stage = await new_stage(pair)
    other = Stage(pair.two, Person(stage.tenant, OTHER, "Rui Costa"), stage.view)
    await pair.two.say(other.who, "help")
    mine, theirs = await rotate_save(stage), await rotate_save(other)
    heard = await asyncio.gather(
        pair.one.press(stage.who, "rotate.save", mine), pair.two.press(other.who, "rotate.save", theirs)
    )
    assert sorted("Somebody else was faster" in words(each.answer) for each in heard) == [False, True]
    late = await pair.one.press(other.who, "rotate.save", {**theirs, "press": "another-card"})
    assert "Somebody else was faster" in words(late.answer)
    assert (await deeds(stage))["Rotation"] == 1


async def test_of_two_who_rename_at_once_one_is_told(pair: Pair) -> None:
    stage = await new_stage(pair)
    integrations, view = stage.web.engine.integrations, stage.view
    account = account_of(stage.web.town.sandbox)
    await integrations.add(stage.tenant, "Yard", account, TeamsApp("t", "c", "s"), None, stage.by)
    views = await integrations.list(stage.tenant)
    renaming = [
        web.engine.editor.rename(stage.tenant, one.id, one.revision, "The same", stage.by)
        for web, one in zip((pair.one, pair.two), views, strict=True)
    ]
    outcomes = await asyncio.gather(*renaming, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["IntegrationView", "NameTaken"]
    assert sorted(one.name == "The same" for one in await integrations.list(stage.tenant)) == [False, True]
    assert view.id in {one.id for one in views}


async def test_of_two_who_make_a_certificate_both_are_handed_the_same(pair: Pair) -> None:
    stage = await new_stage(pair)
    make = [web.engine.credentials.make_certificate for web in (pair.one, pair.two)]
    making = [each(stage.tenant, stage.view.id, stage.by) for each in make]
    made = await asyncio.gather(*making)
    assert made[0].thumbprint == made[1].thumbprint


async def test_of_two_who_list_the_same_monitor_there_is_one(pair: Pair) -> None:
    stage = await new_stage(pair)
    data = await stage.offered("monitors", "monitors.add", {"names": "Hall"})
    presses = [{**data, "press": f"card-{number}"} for number in range(4)]
    webs = (pair.one, pair.two, pair.one, pair.two)
    people = (stage.who, Person(stage.tenant, OTHER, "Rui Costa")) * 2
    await asyncio.gather(
        *(web.press(who, "monitors.add", each) for web, who, each in zip(webs, people, presses, strict=True))
    )
    assert (await deeds(stage))["Monitor"] == 1
