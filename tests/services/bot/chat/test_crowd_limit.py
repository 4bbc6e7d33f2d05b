"""People without a role, many or loud: they get one polite answer and then silence, and nobody else notices."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.activity import Card, Installed, Message
from bot.chat.crowd_limit import CrowdLimit, CrowdRates
from bot.roles.admins_setting import AdminsSetting
from core.rates import Rate
from storage.queries.chat import roles
from storage.tables.conversations import Conversation
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, TENANT, words
from tests.support.clocks import NOON
from tests.support.storage.statements import recorded_statements
from tests.support.storage.stores import both_databases as both_databases
from tests.support.storage.stores import empty_store, stored

OTHER_TENANT = "99999999-0000-4000-8000-000000000009"
RATES = CrowdRates(person=Rate(10, 1.0), strangers=Rate(5, 0.5), all_answers=Rate(30, 0.5))


@dataclass
class Seconds:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def crowded(chat: Chat, seconds: Seconds) -> Chat:
    """A tenant whose owner by the store wrote before, in another process; 60 strangers then use up their rate."""
    chat.admins = ()
    row = Member(owner_tenant=TENANT, user_object_id=ADMIN, role=Role.OWNER, invited_at=NOON)
    await stored(chat.database, row)
    chat.crowd_limit = CrowdLimit(chat.database, AdminsSetting((), TENANT), seconds, RATES)
    chat.restart()
    for number in range(60):
        chat.person = f"stranger {number}"
        await chat.turn(Message("status"))
    return chat


async def test_beyond_the_rate_there_is_one_polite_answer_then_silence_without_the_store(crowded: Chat) -> None:
    crowded.person = "stranger 50"
    with recorded_statements(crowded.database) as seen:
        for said in (Message("status"), Message("claim AAAA"), Installed()):
            assert (await crowded.turn(said)).cards == []
    assert seen == []
    assert len(polite(crowded)) == RATES.all_answers.burst


def polite(chat: Chat) -> list[Card]:
    return [card for card in chat.shown if "Too many messages" in words(card)]


async def test_who_was_left_out_of_the_polite_answers_gets_one_later(crowded: Chat, seconds: Seconds) -> None:
    crowded.person = "stranger 59"
    await crowded.turn(Message("status"))
    assert len(polite(crowded)) == RATES.all_answers.burst
    seconds.now += 2
    for number in (59, 58, 57, 59):
        crowded.person = f"stranger {number}"
        await crowded.turn(Message("status"))
    assert len(polite(crowded)) == RATES.all_answers.burst + 1


async def test_an_owner_is_answered_beside_them_even_if_this_process_does_not_know_them_yet(crowded: Chat) -> None:
    crowded.person = ADMIN
    for _ in range(5):
        assert "For administrators only" not in words(await crowded.say("help"))
        assert "Too many messages" not in words(crowded.shown[-1])


async def test_another_tenant_is_not_affected(crowded: Chat) -> None:
    crowded.tenant, crowded.person = OTHER_TENANT, "stranger 1"
    assert "For administrators only" in words(await crowded.say("status"))


async def test_after_a_while_they_are_answered_again(crowded: Chat, seconds: Seconds) -> None:
    crowded.person = "stranger 50"
    seconds.now += 60
    assert "For administrators only" in words(await crowded.say("status"))


async def test_a_loud_person_who_is_known_is_answered_in_their_language(crowded: Chat, seconds: Seconds) -> None:
    crowded.person, seconds.now = ADMIN, seconds.now + 60
    await crowded.act("language.set", language="pt")
    for _ in range(10):
        await crowded.turn(Message("help"))
    assert "Demasiadas mensagens" in words(crowded.shown[-1])


async def test_a_loud_person_is_limited_whatever_their_role(crowded: Chat, seconds: Seconds) -> None:
    crowded.person = ADMIN
    answers = [(await crowded.turn(Message("help"))).cards for _ in range(15)]
    assert [len(cards) > 0 for cards in answers] == [True] * 11 + [False] * 4
    assert "Too many messages" in words(answers[10][0])
    seconds.now += 5
    assert "Too many messages" not in words(await crowded.say("help"))


async def test_all_administrators_of_a_tenant_share_a_rate_and_those_of_another_have_their_own(
    chat: Chat, seconds: Seconds
) -> None:
    chat.admins = people = tuple(f"admin {number}" for number in range(8))
    rates = CrowdRates(strangers=Rate(8, 1.0), known=Rate(6, 1.0))
    chat.crowd_limit = CrowdLimit(chat.database, AdminsSetting(people, TENANT), seconds, rates)
    chat.restart()
    answers = []
    for _ in range(2):
        for chat.person in people:
            answers += (await chat.turn(Message("help"))).cards
    assert ["Too many messages" in words(card) for card in answers] == [False] * 14 + [True] * 2
    chat.tenant = OTHER_TENANT
    assert "Too many messages" not in words(await chat.say("help"))


async def test_who_lost_the_role_is_a_stranger_again(crowded: Chat) -> None:
    crowded.person = ADMIN
    await crowded.say("help")
    async with crowded.database.writing() as session:
        member = await roles.find(session, TENANT, ADMIN)
        await session.delete(member)
    assert "For administrators only" in words(await crowded.say("status"))
    assert (await crowded.turn(Message("status"))).cards == []


@pytest.mark.usefixtures("both_databases")
async def test_who_is_known_to_have_a_role(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        member = Member(owner_tenant="t1", user_object_id="ana", role=Role.VIEWER, invited_at=NOON)
        await stored(database, member, written("rui", "rui@x"), written("eve", ""))
        async with database.session() as session:
            asked = [("t1", name) for name in ("ana", "rui", "eve", "zoe")] + [("t2", "ana")]
            assert await roles.known_among(session, asked) == {("t1", "ana"), ("t1", "rui")}


def written(name: str, admin_as: str) -> Conversation:
    return Conversation(
        tenant_id="t1",
        user_object_id=name,
        admin_as=admin_as,
        service_url="https://smba.example/emea/",
        conversation_id=name,
        user_id=name,
        bot_id="28:bot",
        channel_id="msteams",
        seen_at=NOON,
    )
