"""Access over the wire: signed activities in, cards out; the store is real, and opened by two processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bot.activity import Turn
from bot.pipeline import Pipeline
from bot.roles import claim_codes
from bot.roles.admins_setting import AdminsSetting
from core.metrics import Metrics
from storage.database import Database, open_database
from storage.encryption import Encryption
from storage.queries.chat import conversations, roles
from storage.queries.chat.claims import MAX_PER_PERSON
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.bot.chat import services_for, unlimited
from tests.support.bot.fake_credentials import FakeCredentials
from tests.support.bot.fake_operations import fake_operations
from tests.support.bot.fake_updates import FakeUpdates
from tests.support.bot.fakes import FakeIntegrations, buttons
from tests.support.bot.hosting import TENANT, Bot, open_bot
from tests.support.bot.texts import EN
from tests.support.storage.stores import empty_store, stored

OTHER = "bbbbbbbb-0000-0000-0000-00000000000b"
CODE = "ABCDEFGHJKLMNPQRSTUV"
SHOWN = claim_codes.grouped(CODE)
ADDRESS = "alex@example.com"


@dataclass
class Process:
    """A bot on the store, and its responses to the sender."""

    bot: Bot
    database: Database

    async def say(self, text: str, person: str = "object-1", **changed: Any) -> str:
        """Post a message as ``person``; the title of the card that comes."""
        activity = self.bot.activity(text=text, locale="en-US", **self._whose(person), **changed)
        before = len(self.bot.connector.calls)
        assert (await self.bot.post(activity))[0] == 200
        return str(self.bot.connector.calls[before:][-1].card["fallbackText"])

    async def press(self, verb: str, data: dict[str, str], person: str = "object-1") -> str:
        """The title of the card that the invoke is answered with."""
        execute = self.bot.execute(verb, data, locale="en-US", **self._whose(person))
        _, body = await self.bot.post(execute)
        return str(body["value"]["fallbackText"])

    def _whose(self, person: str) -> dict[str, Any]:
        conversation = {"id": f"a:{person}", "conversationType": "personal"}
        return {"from": {"id": "29:alex", "name": "Alex", "aadObjectId": person}, "conversation": conversation}


@asynccontextmanager
async def process(url: str, admins: tuple[str, ...] = (), **settings: Any) -> AsyncIterator[Process]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url))

        async def handler(turn: Turn) -> None:
            await pipeline(turn)

        bot = await stack.enter_async_context(open_bot(handler, **settings))
        integrations = FakeIntegrations(bot.clock)
        services = services_for(
            database,
            fake_operations(integrations, FakeCredentials(integrations), FakeUpdates()),
            AdminsSetting(admins, TENANT),
            bot.clock,
            Encryption([Fernet.generate_key().decode()]),
        )
        pipeline = Pipeline(services, Metrics(CollectorRegistry()), unlimited)
        yield Process(bot, database)


@pytest.fixture
async def url(tmp_path: Path, each_database: str) -> AsyncIterator[str]:
    """The URL of an empty store."""
    async with empty_store(tmp_path) as database:
        yield database.engine.url.render_as_string(hide_password=False)


@pytest.fixture
async def both(url: str) -> AsyncIterator[tuple[Process, Process]]:
    """Two processes, one store, and a code for its first owner."""
    async with process(url) as one, process(url) as other:
        await claim_codes.make(one.database, one.bot.clock, TENANT, CODE)
        yield one, other


async def role_of(process: Process, person: str, tenant: str = TENANT) -> str:
    async with process.database.session() as session:
        found = await roles.find(session, tenant, person)
        return found.role if found else ""


def stored_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_the_first_owner_gets_access_in_every_process(both: tuple[Process, Process]) -> None:
    one, other = both
    assert await one.say("status") == "For administrators only"
    assert await one.say(f"claim {SHOWN.lower()}") == EN("claimed.title")
    assert await other.say("admins") == "Administrators"
    assert await role_of(one, "object-1") == "owner"


async def test_the_code_is_not_echoed_logged_or_stored(both: tuple[Process, Process], tmp_path: Path) -> None:
    one, _ = both
    with capture_logs() as logs:
        await one.say("claim WXYZ-WXYZ-WXYZ-WXYZ-WXYZ")
        await one.say(f"claim {SHOWN}")
        await one.press("claim.now", {"code": SHOWN}, "object-2")
    seen = json.dumps([*logs, *(call.body for call in one.bot.connector.calls)], default=str)
    kept = stored_bytes(tmp_path)
    for secret in (SHOWN, CODE, SHOWN[5:], "WXYZ-WXYZ"):
        assert secret not in seen
        assert secret.encode() not in kept


async def test_of_two_people_who_use_the_code_at_two_processes_one_succeeds(both: tuple[Process, Process]) -> None:
    one, other = both
    said = await asyncio.gather(one.say(f"claim {SHOWN}", "ana"), other.press("claim.now", {"code": SHOWN}, "rui"))
    assert sorted(said) == ["Become the first owner", EN("claimed.title")]
    assert sorted([await role_of(one, "ana"), await role_of(one, "rui")]) == ["", "owner"]


async def test_guesses_are_counted_by_all_processes_together(both: tuple[Process, Process]) -> None:
    one, other = both
    guesses = [process.say("claim WXYZ-WXYZ-WXYZ-WXYZ-WXYZ") for process in (one, other) * MAX_PER_PERSON]
    await asyncio.gather(*guesses)
    await one.say(f"claim {SHOWN}")
    assert await role_of(one, "object-1") == ""
    for process in both:
        process.bot.clock.advance(minutes=61)
    assert await other.say(f"claim {SHOWN}") == EN("claimed.title")


async def test_a_tenant_that_is_not_allowed_cannot_use_a_code(both: tuple[Process, Process]) -> None:
    one, _ = both
    activity = one.bot.activity(text=f"claim {SHOWN}", channelData={"tenant": {"id": OTHER}})
    assert (await one.bot.post(activity))[0] == 403
    assert one.bot.turns == []


async def test_another_allowed_tenant_needs_a_code_of_its_own(url: str) -> None:
    async with process(url, allowed_tenants=(TENANT, OTHER)) as one:
        await claim_codes.make(one.database, one.bot.clock, TENANT, CODE)
        there: dict[str, Any] = {"channelData": {"tenant": {"id": OTHER}}}
        assert await one.say(f"claim {SHOWN}", **there) == "Become the first owner"
        await claim_codes.make(one.database, one.bot.clock, OTHER, "WXYZ" + CODE[4:])
        assert await one.say(f"claim WXYZ{CODE[4:]}", **there) == EN("claimed.title")
        assert await one.say("status") == "For administrators only"
        assert [await role_of(one, "object-1", tenant) for tenant in (OTHER, TENANT)] == ["owner", ""]


async def test_a_role_removed_at_one_process_is_gone_at_the_other(both: tuple[Process, Process]) -> None:
    one, other = both
    await one.say(f"claim {SHOWN}", "ana")
    now = one.bot.clock()
    row = Member(id="rui", owner_tenant=TENANT, user_object_id="rui", role=Role.ADMINISTRATOR, invited_at=now)
    await stored(one.database, row)
    assert await other.say("setup integration", "rui") == "CloudLink account"
    assert await one.press("admins.remove", {"member": "rui", "was": "administrator"}, "ana") == "Administrators"
    assert await other.say("setup integration", "rui") == "For administrators only"
    assert await other.press("command.setup", {}, "rui") == "For administrators only"


ROSTER = {"id": "29:alex", "name": "Alex", "userPrincipalName": ADDRESS, "tenantId": TENANT, "userRole": "user"}


@pytest.mark.parametrize(
    ("changed", "role"),
    [
        ({}, "viewer"),
        ({"userRole": "guest"}, ""),
        ({"tenantId": OTHER}, ""),
        ({"userPrincipalName": "", "email": ADDRESS}, ""),
        ({"id": "29:else"}, ""),
    ],
)
async def test_an_invitation_is_matched_by_the_roster_not_by_the_activity(
    both: tuple[Process, Process], changed: dict[str, str], role: str
) -> None:
    one, _ = both
    now = one.bot.clock()
    await stored(one.database, Member(owner_tenant=TENANT, address=ADDRESS, role=Role.VIEWER, invited_at=now))
    one.bot.connector.members = [{**ROSTER, **changed}]
    sender = {"id": "29:alex", "name": ADDRESS, "aadObjectId": "object-1", "userPrincipalName": ADDRESS}
    await one.bot.post({**one.bot.activity(text="status"), "from": sender})
    assert await role_of(one, "object-1") == role


async def test_a_changed_sign_in_name_gives_no_role(both: tuple[Process, Process]) -> None:
    one, other = both
    now = one.bot.clock()
    await stored(one.database, Member(owner_tenant=TENANT, address=ADDRESS, role=Role.VIEWER, invited_at=now))
    one.bot.connector.members = other.bot.connector.members = [ROSTER]
    assert await one.say("help") == "Welcome to CloudLink Presence"
    assert await other.say("status", "object-2") == "For administrators only"
    one.bot.connector.members = [{**ROSTER, "userPrincipalName": "renamed@example.com"}]
    assert await one.say("help") == EN("help.title")


async def test_a_roster_outage_removes_no_role(url: str) -> None:
    """An owner by name is asked to try again: nothing changes, no role is removed, and the card stays."""
    async with process(url, (ADDRESS,)) as one:
        one.bot.connector.members = [ROSTER]
        assert await one.say("help") == "Welcome to CloudLink Presence"
        one.bot.connector.members_status = 503
        assert await one.say("setup integration") == EN("not_recognised.title")
        assert list(buttons(one.bot.connector.calls[-1].card)) == ["command.setup", "command.help"]
        before = len(one.bot.connector.calls)
        _, answer = await one.bot.post(
            one.bot.execute("command.integrations", {}, locale="pt-PT", **one._whose("object-1"))
        )
        (posted,) = one.bot.connector.calls[before:]
        assert (answer["value"], posted.method) == ("", "POST")
        assert posted.card["fallbackText"] == "Não foi possível verificar quem é"
        assert list(buttons(posted.card)) == ["command.help"]
        async with one.database.session() as session:
            known = await conversations.find(session, TENANT, "object-1")
        assert known
        assert known.admin_as == ADDRESS
        assert await one.say("claim") == "Become the first owner"
        one.bot.connector.members_status = 200
        assert await one.press("command.setup", {}) == "CloudLink account"


async def test_a_stored_role_needs_no_roster(url: str) -> None:
    async with process(url, (ADDRESS,)) as one:
        now = one.bot.clock()
        joined = {"user_object_id": "object-1", "role": Role.VIEWER}
        await stored(one.database, Member(owner_tenant=TENANT, invited_at=now, joined_at=now, **joined))
        one.bot.connector.members_status = 503
        assert await one.say("help") == "Welcome to CloudLink Presence"
        assert await one.say("setup integration") == EN("not_for_role.title")
