"""The middlewares about roles, each on its own."""

from unittest.mock import AsyncMock

import pytest

from bot.activity import Action, Event, Message
from bot.chat.authorization import CommandPermission, MembersOnly
from bot.chat.dispatcher import Dispatcher
from bot.chat.router import Router
from bot.chat.turn_metrics import Outcome
from bot.commands import COMMANDS
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import STRANGER

ROUTER = Router(COMMANDS)


async def test_a_member_proceeds_with_their_role(chat: Chat) -> None:
    context, proceed = chat.context(Message("status")), AsyncMock()
    await MembersOnly(ROUTER, Dispatcher(ROUTER))(context, proceed)
    proceed.assert_awaited_once()
    assert context.role is Role.OWNER


async def test_a_user_without_a_role_is_refused_except_for_a_command_that_needs_none(chat: Chat) -> None:
    chat.person, proceed = STRANGER, AsyncMock()
    refused, claim = chat.context(Message("status")), chat.context(Message("claim"))
    for context in (refused, claim):
        await MembersOnly(ROUTER, Dispatcher(ROUTER))(context, proceed)
    assert (refused.measured.outcome, claim.measured.outcome) == (Outcome.REFUSED, Outcome.DONE)
    proceed.assert_not_awaited()


@pytest.mark.parametrize("event", [Message("remove integration"), Action("remove.now", {}, "card")])
@pytest.mark.parametrize(("role", "outcome"), [(Role.OWNER, Outcome.DONE), (Role.VIEWER, Outcome.REFUSED)])
async def test_a_command_requires_its_role(chat: Chat, event: Event, role: Role, outcome: Outcome) -> None:
    context, proceed = chat.context(event), AsyncMock()
    context.role = role
    await CommandPermission(ROUTER)(context, proceed)
    assert proceed.await_count == (outcome is Outcome.DONE)
    assert context.measured.outcome is outcome
