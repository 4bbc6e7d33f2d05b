"""Who is an administrator."""

import pytest

from bot.access import AccessRules
from bot.turns import Message
from tests.bot.fakes import ADMIN, RecordingTurn, incoming


class Roster(RecordingTurn):
    asked = 0

    async def principal_name(self) -> str:
        self.asked += 1
        return await super().principal_name()


def turn(person: str, principal_name: str = "") -> Roster:
    return Roster(incoming(Message("hi"), person=person), principal_name)


@pytest.mark.parametrize(
    ("admins", "person", "name", "admitted"),
    [
        ((ADMIN,), ADMIN, "", True),
        ((ADMIN.upper(), "x"), ADMIN, "", True),
        ((f" {ADMIN} ",), ADMIN, "", True),
        (("ada@contoso.example",), "x", "Ada@Contoso.Example", True),
        (("ada@contoso.example",), "x", "ada@contoso.example.evil", False),
        (("ada@contoso.example",), "x", "", False),
        ((), ADMIN, "", False),
        (("",), "", "", False),
        ((" ",), " ", "", False),
        (("ada",), "x", "ada", False),
        (("ada@contoso.example", "b"), "x", "b", False),
    ],
)
async def test_admitted(admins: tuple[str, ...], person: str, name: str, admitted: bool) -> None:
    assert await AccessRules(admins).admit(turn(person, name)) is admitted


async def test_the_roster_is_asked_only_when_a_name_could_decide() -> None:
    by_id, by_name = turn("x"), turn("x")
    await AccessRules((ADMIN,)).admit(by_id)
    await AccessRules((ADMIN, "ada@contoso.example")).admit(by_name)
    await AccessRules((ADMIN, "ada@contoso.example")).admit(known := turn(ADMIN))
    assert (by_id.asked, by_name.asked, known.asked) == (0, 1, 0)


def test_whom_to_ask_are_those_known_by_name() -> None:
    rules = AccessRules((ADMIN, *(f"a{number}@contoso.example" for number in range(9))))
    assert rules.named() == [f"a{number}@contoso.example" for number in range(5)]
