"""The middlewares that turn exceptions into cards, each on its own."""

from errno import ECONNREFUSED, ENOSPC, EROFS

import pytest
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionInTime
from structlog.testing import capture_logs

from bot.activity import Action, Message, Undelivered, Unreachable
from bot.chat.context import Proceed, TurnContext
from bot.chat.failures import ServiceErrorHandler, UnexpectedErrorHandler
from bot.chat.router import Router
from bot.chat.turn_metrics import Outcome
from bot.commands import COMMANDS
from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.model import UnknownIntegration
from sync.domain.roles import Role
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import RecordingTurn, buttons, words
from tests.support.bot.texts import EN


def raising(error: Exception) -> Proceed:
    async def proceed() -> None:
        raise error

    return proceed


def shown(context: TurnContext) -> str:
    assert isinstance(context.turn, RecordingTurn)
    return words(context.turn.answer)


async def test_an_unexpected_error_is_answered_with_its_reference(chat: Chat) -> None:
    context = chat.context(Message("help"))
    await UnexpectedErrorHandler(lambda: "ref-7")(context, raising(RuntimeError("secret")))
    assert "ref-7" in shown(context)
    assert "secret" not in shown(context)
    assert context.measured.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("error", "on_disk"),
    [
        (OSError(ENOSPC, "No space left on device"), True),
        (OSError(EROFS, "Read-only file system"), True),
        (OSError(ECONNREFUSED, "Connection refused"), False),
    ],
)
async def test_a_disk_that_takes_nothing_is_named(chat: Chat, error: OSError, on_disk: bool) -> None:
    context = chat.context(Message("help"))
    with capture_logs() as logs:
        await UnexpectedErrorHandler(lambda: "ref-7")(context, raising(error))
    assert (EN("apology.disk") in shown(context)) is on_disk
    assert logs[0]["disk"] is on_disk


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (OperationalError("SELECT 1", {}, ConnectionRefusedError(ECONNREFUSED, "refused")), True),
        (InterfaceError("SELECT 1", {}, Exception("the connection is closed")), True),
        (NoConnectionInTime("QueuePool limit of size 5 overflow 10 reached"), True),
        (OperationalError("INSERT", {}, OSError(ENOSPC, "No space left on device")), False),
        (IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed")), False),
    ],
)
async def test_a_database_that_does_not_answer_is_named(chat: Chat, error: Exception, is_away: bool) -> None:
    context = chat.context(Message("help"))
    await UnexpectedErrorHandler(lambda: "ref-7")(context, raising(error))
    assert (EN("apology.database") in shown(context)) is is_away


@pytest.mark.parametrize("error", [Unreachable(), Undelivered(503)])
async def test_a_delivery_error_is_passed_on(chat: Chat, error: Exception) -> None:
    context = chat.context(Message("help"))
    with pytest.raises(type(error)):
        await UnexpectedErrorHandler(lambda: "ref-7")(context, raising(error))


async def test_a_service_error_is_explained_with_the_button_to_try_again(chat: Chat) -> None:
    context = chat.context(Message("status"))
    context.role = Role.OWNER
    error = ServiceUnavailable(Fault.GRAPH_THROTTLED)
    await ServiceErrorHandler(Router(COMMANDS))(context, raising(error))
    assert isinstance(context.turn, RecordingTurn)
    assert "command.status" in buttons(context.turn.answer)


async def test_what_was_typed_is_not_put_on_the_card_of_a_service_error(chat: Chat) -> None:
    context = chat.context(Action("rotate.save", {}, "card"))
    context.role, context.data = Role.OWNER, {"integration": "one", "client_secret": "typed"}
    await ServiceErrorHandler(Router(COMMANDS))(context, raising(ServiceUnavailable(Fault.GRAPH_THROTTLED)))
    assert isinstance(context.turn, RecordingTurn)
    assert buttons(context.turn.answer)["rotate.save"]["data"].keys() == {"integration", "press"}


async def test_a_missing_integration_is_out_of_date(chat: Chat) -> None:
    context = chat.context(Action("status.show", {"integration": "gone"}, "card"))
    await ServiceErrorHandler(Router(COMMANDS))(context, raising(UnknownIntegration()))
    assert "out of date" in shown(context)
