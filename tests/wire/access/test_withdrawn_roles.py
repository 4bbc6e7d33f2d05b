"""A role that is removed while a press is under way, between its admission and what it stores: nothing is stored.

The cards come from a process in which the person is an owner. At the other one each handler first loses the role of
the person, as if another owner had removed it at that moment.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from sqlmodel import col, delete

from bot.chat.context import Command, CommandHandler, TurnContext
from bot.commands import COMMANDS
from core.clock import utc_now
from storage.tables.roles import Member
from sync.domain.roles import Role
from sync.teams import certificates
from sync.teams.host_credentials import HostCredentials
from tests.support.bot.fakes import words
from tests.support.storage.stores import EACH, POSTGRESQL, SQLITE, module_database
from tests.wire.access.verb_effects import CHANGES
from tests.wire.bot_process import BotProcess, all_rows, open_bot_process, open_surroundings
from tests.wire.hosting.test_idempotency import (
    ADMIN,
    CARDS,
    REPEATABLE,
    TENANTS,
    Scene,
    TwoProcesses,
    account,
    new_scene,
    sent_by,
)

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

NOT_ACTS = frozenset(
    {
        "conversation",
        "person",
        "endpoint",
        "call",
        "seenevent",
        "unknownstate",
        "problem",
        "pollchunk",
        "member",
        "directorystate",
        "directoryuser",
    }
)
"""What is stored besides acts: that the person wrote, and what jobs find out."""

VOLATILE = frozenset(
    {
        "catch_up_since",
        "expiry_checked_at",
        "last_change_at",
        "last_webhook_at",
        "live_since",
        "matched_at",
        "missed",
        "missed_at",
        "missed_since",
        "polled_at",
        "quota_blocked_until",
        "quota_changed_at",
        "quota_limit",
        "quota_spent",
        "subscribed_at",
        "subscription_checked_at",
        "subscription_id",
        "subscription_url_hash",
        "unreported",
    }
)
"""Columns that jobs and webhooks write."""

ON_EACH_DATABASE = frozenset(
    {
        "setup.save",
        "remove.now",
        "rotate.start",
        "certificate.use",
        "monitors.tick",
        "alerts.save",
        "admins.remove",
        "person.exclude",
        "import_people.apply",
        "mapping.rules_save",
    }
)
"""One of each way to write. The others write in the same: what reads the role in each transaction is one guard."""


def losing_the_role(handler: CommandHandler) -> CommandHandler:
    async def lost_first(context: TurnContext) -> None:
        async with context.services.database.session() as session:
            own = col(Member.user_object_id) == context.person
            await session.exec(delete(Member).where(own, col(Member.owner_tenant) == context.tenant))
        await handler(context)

    return lost_first


def losing(command: Command) -> Command:
    actions = {verb: losing_the_role(handler) for verb, handler in command.actions.items()}
    return replace(command, open=losing_the_role(command.open), actions=actions)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EACH)
async def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoProcesses]:
    folder = tmp_path_factory.mktemp("withdrawn")
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as databases:
        url = databases.enter_context(module_database(request.param, folder))
        async with AsyncExitStack() as stack:
            surroundings = await stack.enter_async_context(open_surroundings(monkeypatch))
            await surroundings.sandbox.permissions(Application_ReadWrite_OwnedBy=True)
            pem, token = folder / "host.pem", folder / "token"
            pem.write_text(certificates.generate("The host", utc_now()).pem)
            token.write_text("a.b.c")
            host = HostCredentials(pem, federated_token_file=token)
            one = await stack.enter_async_context(open_bot_process(surroundings, url, (ADMIN,), TENANTS, host=host))
            commands = [losing(command) for command in COMMANDS]
            two = await stack.enter_async_context(
                open_bot_process(surroundings, url, (), TENANTS, host=host, commands=commands)
            )
            yield TwoProcesses(one, two, list(TENANTS))


async def setup_step(scene: Scene, verb: str) -> dict[str, Any]:
    first = await scene.offered("setup integration", "setup.cloudlink", await account(scene))
    if verb in ("setup.cloudlink", "setup.cancel"):
        return first
    reply = await scene.bot.press(scene.who, "setup.cloudlink", first)
    return {"draft": sent_by(reply, "setup.register")["draft"]}


async def of_integration(scene: Scene) -> dict[str, Any]:
    return {"integration": scene.view.id, "lines": "Name,Excluded\nNobody,yes"}


async def setup_later(scene: Scene) -> dict[str, Any]:
    return {"integration": (await CARDS["setup.now"](scene))["integration"]}


STEPS: Mapping[str, Callable[[Scene], Awaitable[dict[str, Any]]]] = {
    **{
        verb: lambda scene, verb=verb: setup_step(scene, verb)  # type: ignore[misc]
        for verb in ("setup.restart", "setup.back", "setup.cancel", "setup.cloudlink", "setup.register")
    },
    "setup.later": setup_later,
    "drill.begin": lambda scene: scene.offered("drill", "drill.begin"),
    "import_people.show": of_integration,
    "import_people.paste": of_integration,
    "import_people.cancel": of_integration,
    "language.set": lambda scene: scene.offered("language", "language.set", {"language": "pt"}),
    "certificate.host": lambda scene: scene.offered("certificate", "certificate.host"),
    "certificate.federated": lambda scene: scene.offered("certificate", "certificate.federated"),
}
WITHOUT_A_ROLE = frozenset({"claim.now", "opt_out.stop", "opt_out.show"})
"""A code works once instead; whether one's own calls are shown, each person decides."""


async def test_every_changing_verb_is_tried() -> None:
    assert CARDS.keys() | STEPS.keys() | WITHOUT_A_ROLE == CHANGES
    assert STEPS.keys() | WITHOUT_A_ROLE >= REPEATABLE


async def acts_stored(bot: BotProcess) -> list[tuple[str, dict[str, Any]]]:
    return [
        (table, {name: value for name, value in row.items() if name not in VOLATILE})
        for table, row in await all_rows(bot.database, but=NOT_ACTS)
    ]


async def make_owner(scene: Scene) -> None:
    await scene.store(
        Member(owner_tenant=scene.tenant, user_object_id=ADMIN, role=Role.OWNER, invited_at=utc_now(), name="Ana")
    )


TRIED = [
    (database, verb)
    for database in (SQLITE, POSTGRESQL)
    for verb in [*CARDS, *STEPS]
    if database == SQLITE or verb in ON_EACH_DATABASE
]


@pytest.mark.parametrize(("pair", "verb"), TRIED, indirect=["pair"])
async def test_nothing_is_stored_for_a_person_whose_role_was_just_removed(pair: TwoProcesses, verb: str) -> None:
    scene = await new_scene(pair)
    data = await {**CARDS, **STEPS}[verb](scene)
    await make_owner(scene)
    before = await acts_stored(pair.two)
    reply = await pair.two.press(scene.who, verb, data)
    assert await acts_stored(pair.two) == before
    assert "For administrators only" in words(reply.answer)
