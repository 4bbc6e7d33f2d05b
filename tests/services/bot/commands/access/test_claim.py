"""Claiming a tenant as its first owner with a one-time code."""

import asyncio
import json
import os
import re
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from bot.activity import Card, Message
from bot.languages import Texts
from bot.roles import claim_codes
from bot.roles.admins_setting import AdminsSetting
from bot.roles.claim_codes import FILE, LIFETIME
from storage.queries.chat.claims import MAX_PER_CODE, MAX_PER_PERSON
from storage.tables.history import HistoryEntry
from storage.tables.roles import ClaimCode, Member
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, STRANGER, TENANT, RecordingTurn, buttons, incoming, inputs, press, words
from tests.support.bot.texts import EN, PT
from tests.support.storage.stores import stored

CODE = "ABCDEFGHJKLMNPQRSTUV"
SHOWN = "ABCD-EFGH-JKLM-NPQR-STUV"
WRONG = "ABCD-EFGH-JKLM-NPQR-STU2"
OTHER = "99999999-0000-4000-8000-000000000009"


async def offer(chat: Chat, folder: Path, admins: tuple[str, ...] = (), home: str = TENANT) -> None:
    await claim_codes.hand_over_offer(chat.database, AdminsSetting(admins, home), chat.clock, folder)


async def make(chat: Chat, tenant: str = TENANT, code: str = CODE) -> None:
    await claim_codes.make(chat.database, chat.clock, tenant, code)


async def owners(chat: Chat) -> list[str]:
    async with chat.database.session() as session:
        rows = (await session.exec(select(Member).where(Member.role == Role.OWNER))).all()
    return [str(row.user_object_id) for row in rows]


async def codes(chat: Chat) -> int:
    async with chat.database.session() as session:
        return len((await session.exec(select(ClaimCode))).all())


@pytest.fixture
async def ownerless(chat: Chat) -> Chat:
    """A bot without an owner, and a person without a role who writes to it."""
    chat.admins = ()
    chat.restart()
    chat.person = STRANGER
    return chat


# The code


def test_a_code_is_long_enough_and_never_the_same() -> None:
    made = {claim_codes.new_code() for _ in range(200)}
    assert len(made) == 200
    assert all(len(code) == 20 and set(code) <= set(claim_codes.LETTERS) for code in made)
    assert len(claim_codes.LETTERS) == 32


@pytest.mark.parametrize("typed", [SHOWN, SHOWN.lower(), CODE, f" {SHOWN} ", SHOWN.replace("-", "–"), f"{SHOWN}."])
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert claim_codes.read(typed) == CODE
    assert claim_codes.grouped(CODE) == SHOWN


@pytest.mark.parametrize(
    "typed", ["", "x", SHOWN[:-1], SHOWN + "A", SHOWN.replace("A", "1"), "é" * 20, "A" * 10_000]
)
def test_what_is_no_code_is_read_as_none(typed: str) -> None:
    assert claim_codes.read(typed) == ""


async def test_only_a_salted_hash_is_stored(ownerless: Chat) -> None:
    await make(ownerless)
    await make(ownerless, OTHER)
    async with ownerless.database.session() as session:
        one, other = (await session.exec(select(ClaimCode))).all()
    assert one.hashed != other.hashed
    assert (len(one.salt), len(one.hashed), one.id) == (16, 32, "ABCD")
    assert repr(one.hashed) not in repr(one)
    for shape in (CODE, SHOWN, CODE[4:]):
        assert shape.encode() not in ownerless.stored_bytes()


# At the start


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


async def test_without_an_owner_each_start_makes_a_code_for_the_home_tenant(
    ownerless: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", printed := Terminal())
    await offer(ownerless, tmp_path)
    for expected in ("claim ", "reclamar ", TENANT, "24 hours"):
        assert expected in printed.getvalue()
    assert not (tmp_path / FILE).exists()
    (code,) = re.findall(r"claim ([A-Z2-9-]{24})", printed.getvalue())
    assert EN("claimed.title") in words(await ownerless.say(f"claim {code}"))
    await offer(ownerless, tmp_path)
    assert await codes(ownerless) == 0


async def test_without_a_terminal_the_code_is_in_a_private_file_and_not_in_what_is_collected(
    ownerless: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0)
    try:
        await offer(ownerless, tmp_path)
    finally:
        os.umask(before)
    file = tmp_path / FILE
    (code,) = re.findall(r"claim ([A-Z2-9-]{24})", file.read_text())
    printed = capsys.readouterr().out
    assert str(file) in printed
    assert code not in printed
    assert file.stat().st_mode & 0o777 == 0o600
    assert EN("claimed.title") in words(await ownerless.say(f"claim {code}"))
    await offer(ownerless, tmp_path)
    assert not file.exists()


async def test_where_nothing_can_be_written_it_says_how_to_make_a_code(
    ownerless: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await offer(ownerless, tmp_path / "missing")
    assert "claim-code --tenant" in capsys.readouterr().out


async def test_with_owners_by_the_setting_there_is_no_code(ownerless: Chat, tmp_path: Path) -> None:
    await offer(ownerless, tmp_path, (ADMIN,))
    assert await codes(ownerless) == 0


async def test_an_owner_in_any_tenant_is_enough(ownerless: Chat, tmp_path: Path) -> None:
    row = Member(owner_tenant=OTHER, user_object_id="x", role=Role.OWNER, invited_at=ownerless.now)
    await stored(ownerless.database, row)
    await offer(ownerless, tmp_path)
    assert await codes(ownerless) == 0


async def test_without_a_home_tenant_it_prints_how_to_make_a_code(
    ownerless: Chat, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await offer(ownerless, tmp_path, home="")
    assert "claim-code --tenant" in capsys.readouterr().out
    assert await codes(ownerless) == 0


# In the chat


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        (f"claim {SHOWN}", EN),
        (f"RECLAMAR {SHOWN.lower()}", PT),
        (f"reclamar  {SHOWN.replace('-', ' ')}", PT),
    ],
)
async def test_a_person_with_the_code_owns_the_tenant(ownerless: Chat, said: str, texts: Texts) -> None:
    await make(ownerless)
    card = await ownerless.say(said)
    assert texts("claimed.title") in words(card)
    assert set(buttons(card)) == {"command.setup", "command.admins", "command.help"}
    assert texts("setup.step", step=1, total=3) in words(await ownerless.press(card, "command.setup"))
    assert await owners(ownerless) == [STRANGER]
    async with ownerless.database.session() as session:
        (act,) = (await session.exec(select(HistoryEntry))).all()
    assert (act.act, act.actor_id, act.owner_tenant, act.facts) == ("claim", STRANGER, TENANT, {})


async def test_without_the_code_it_is_asked_for(ownerless: Chat) -> None:
    await make(ownerless)
    card = await ownerless.say("claim")
    assert inputs(card)["code"]["style"] == "Password"
    card = await ownerless.press(card, "claim.now", {"code": WRONG})
    assert EN("check.claim_refused") in words(card)
    assert "value" not in inputs(card)["code"]
    assert EN("claimed.title") in words(await ownerless.press(card, "claim.now", {"code": SHOWN}))


async def test_it_works_once(ownerless: Chat) -> None:
    await make(ownerless)
    await make(ownerless, code="WXYZ" + CODE[4:])
    pressed = press(await ownerless.say("claim"), "claim.now", {"code": SHOWN})
    await ownerless.turn(pressed)
    assert EN("claim.owner_already") in words((await ownerless.turn(pressed)).answer)
    ownerless.person = "another person"
    for code in (SHOWN, f"WXYZ{SHOWN[4:]}"):
        assert EN("check.claim_refused") in words(await ownerless.say(f"claim {code}"))
    assert await owners(ownerless) == [STRANGER]


async def test_of_two_racing_claims_one_succeeds(ownerless: Chat) -> None:
    await make(ownerless)
    turns = [
        RecordingTurn(incoming(Message(f"claim {SHOWN}"), person=person)) for person in ("ana", "rui", "eve", "zoe")
    ]
    await asyncio.gather(*(ownerless.pipeline(turn) for turn in turns))
    titles = sorted(turn.answer["fallbackText"] for turn in turns)
    assert titles == ["Become the first owner"] * 3 + [EN("claimed.title")]
    assert len(await owners(ownerless)) == 1


@pytest.mark.parametrize(
    ("code", "tenant", "later"),
    [
        (WRONG, TENANT, timedelta()),
        (SHOWN, OTHER, timedelta()),
        (SHOWN, TENANT, LIFETIME),
        ("x", TENANT, timedelta()),
    ],
)
async def test_an_invalid_code_is_refused_without_the_reason(
    ownerless: Chat, code: str, tenant: str, later: timedelta
) -> None:
    await make(ownerless)
    ownerless.tenant = tenant
    ownerless.now += later
    with capture_logs() as logs:
        card = await ownerless.say(f"claim {code}")
    ownerless.tenant = "nowhere"
    assert card == await ownerless.say(f"claim {SHOWN}")
    assert await owners(ownerless) == []
    assert [line["event"] for line in logs] == ["claim_refused", "turn"]


async def test_a_code_outlasts_a_restart_but_not_a_day(ownerless: Chat) -> None:
    await make(ownerless)
    ownerless.restart()
    ownerless.now += LIFETIME - timedelta(seconds=1)
    assert EN("claimed.title") in words(await ownerless.say(f"claim {SHOWN}"))


async def test_a_code_is_not_accepted_outside_a_personal_chat(ownerless: Chat) -> None:
    await make(ownerless)
    ownerless.personal = False
    assert "personal chat" in words(await ownerless.say(f"claim {SHOWN}"))
    assert "personal chat" in words(await ownerless.act("claim.now", code=SHOWN))
    assert await owners(ownerless) == []
    assert await codes(ownerless) == 1


async def test_a_person_without_an_entra_id_cannot_become_an_owner(ownerless: Chat) -> None:
    await make(ownerless)
    ownerless.person = ""
    assert EN("check.claim_refused") in words(await ownerless.say(f"claim {SHOWN}"))
    assert await codes(ownerless) == 1


async def test_attempts_are_limited_also_after_a_restart_and_for_the_right_code(ownerless: Chat) -> None:
    await make(ownerless)
    for _ in range(MAX_PER_PERSON):
        assert EN("check.claim_refused") in words(await ownerless.say(f"claim {WRONG}"))
    ownerless.restart()
    assert "Too many codes were tried." in words(await ownerless.say(f"claim {SHOWN}"))
    assert await owners(ownerless) == []
    ownerless.now += timedelta(hours=1)
    assert EN("claimed.title") in words(await ownerless.say(f"claim {SHOWN}"))


async def test_guesses_of_colleagues_never_shut_out_the_right_code(ownerless: Chat) -> None:
    await make(ownerless)
    for number in range(2 * MAX_PER_CODE + 2):
        ownerless.person = f"colleague {number // MAX_PER_PERSON}"
        await ownerless.say(f"claim {WRONG if number % 2 else 'WXYZ' + WRONG[4:]}")
    ownerless.person = STRANGER
    assert EN("claimed.title") in words(await ownerless.say(f"claim {SHOWN}"))


async def test_asking_for_the_form_is_no_attempt(ownerless: Chat) -> None:
    await make(ownerless)
    for _ in range(MAX_PER_PERSON + 1):
        await ownerless.say("claim")
    assert EN("claimed.title") in words(await ownerless.say(f"claim {SHOWN}"))


async def test_a_lesser_role_is_raised(ownerless: Chat) -> None:
    await make(ownerless)
    await stored(
        ownerless.database,
        Member(owner_tenant=TENANT, user_object_id=STRANGER, role=Role.VIEWER, invited_at=ownerless.now),
    )
    await ownerless.say("hello")
    assert EN("claimed.title") in words(await ownerless.say(f"claim {SHOWN}"))
    assert await owners(ownerless) == [STRANGER]


async def test_an_owner_uses_up_no_code(chat: Chat) -> None:
    await make(chat)
    assert EN("claim.owner_already") in words(await chat.say(f"claim {SHOWN}"))
    assert await codes(chat) == 1


@pytest.mark.parametrize("code", [SHOWN, WRONG])
async def test_the_code_appears_nowhere(ownerless: Chat, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    await make(ownerless)
    with capture_logs() as logs:
        await ownerless.say(f"claim {code}")
        await ownerless.press(await ownerless.say("claim"), "claim.now", {"code": code})
    seen: list[Card | object] = [*ownerless.shown, *logs]
    captured = capsys.readouterr()
    everything = json.dumps(seen, default=str) + captured.out + captured.err
    for shape in (code, code.replace("-", ""), code[5:]):
        assert shape not in everything
        assert shape.encode() not in ownerless.stored_bytes()


async def test_a_word_that_only_begins_like_the_command_is_not_it(ownerless: Chat) -> None:
    await make(ownerless)
    for said in (f"claims {SHOWN}", f"please claim {SHOWN}", SHOWN):
        assert "For administrators only" in words(await ownerless.say(said))
    assert await owners(ownerless) == []
