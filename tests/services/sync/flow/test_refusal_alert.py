"""Of people whom Graph refuses one after the other: when the reason is no longer theirs alone."""

from pathlib import Path
from typing import Any

import pytest

from sync.domain.changes import ClearPresence, Done, Outcome, Refused, Request
from sync.domain.errors import Fault
from tests.services.sync.flow.test_push import Bench, bench, calling, changed_by_phone, shown

pytestmark = pytest.mark.usefixtures("each_database")

FORBIDDEN = Refused(403, "Forbidden")


def for_all_but(*accepted: str) -> Any:
    return lambda change: Done() if change.user_id.removeprefix("teams ") in accepted else FORBIDDEN


def clears_only(change: Request) -> Outcome:
    return Done() if isinstance(change, ClearPresence) else FORBIDDEN


async def call(at: Bench, *names: str) -> None:
    """These people take a call, one after the other."""
    for name in names:
        at.clock.advance(seconds=20)
        await at.edit(name, desired=calling().desired, heard_at=at.clock(), due_at=at.clock())
        await at.push()


def idle(*names: str) -> list[Any]:
    return [changed_by_phone(name, desired=None, due_at=None) for name in names]


async def test_when_three_are_refused_and_no_one_is_accepted_everyone_is_until_one_success(tmp_path: Path) -> None:
    async with bench(tmp_path, *idle("a", "b", "c", "d")) as at:
        at.clients.graph.answer = for_all_but()
        await call(at, "a", "b", "a", "b")
        assert await at.faults() == []
        await call(at, "c")
        assert await at.faults() == [Fault.GRAPH_EVERYONE_REFUSED]
        await call(at, "d")
        assert await at.faults() == [Fault.GRAPH_EVERYONE_REFUSED]
        at.clients.graph.answer = for_all_but("d")
        at.clock.advance(minutes=1)
        await call(at, "d")
        assert await at.faults() == []


async def test_who_was_refused_before_another_was_accepted_is_refused_alone(tmp_path: Path) -> None:
    async with bench(tmp_path, *idle("a", "b", "c", "d", "e")) as at:
        at.clients.graph.answer = for_all_but("e")
        await call(at, "a", "b", "e", "c", "d")
        at.clock.advance(minutes=10)
        await call(at, "a", "b", "c", "d")
        assert await at.faults() == []


async def test_a_presence_that_is_cleared_does_not_prove_that_one_can_be_shown(tmp_path: Path) -> None:
    ends = shown("ends", desired=None, due_at=None)
    async with bench(tmp_path, *idle("a", "b", "c"), ends) as at:
        at.clients.graph.answer = clears_only
        await call(at, "a", "b")
        await at.edit("ends", due_at=at.clock())
        assert [type(change) for change in await at.push()] == [ClearPresence]
        await call(at, "c")
        assert await at.faults() == [Fault.GRAPH_EVERYONE_REFUSED]
