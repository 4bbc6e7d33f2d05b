"""The middlewares that turn exceptions into cards."""

import traceback
from collections.abc import Callable

import structlog

from bot.activity import Undelivered, Unreachable
from bot.cards import welcome as welcome_cards
from bot.cards.integrations import listing as integration_cards
from bot.cards.people import listing as people_cards
from bot.chat.context import Proceed, TurnContext
from bot.chat.router import Router
from bot.chat.turn_metrics import Outcome
from core.logging import describe_error, is_disk_fault
from storage.database import is_unavailable
from sync.domain.errors import SyncError
from sync.domain.model import UnknownIntegration
from sync.domain.people import UnknownPerson

log = structlog.get_logger()


class UnexpectedErrorHandler:
    """Answers an unexpected exception with an apology and a reference.

    The log gets the reference, the exception's type and its place, but not its message, which may hold a secret.
    ``Unreachable`` and ``Undelivered`` are passed on: nothing can be shown then.
    """

    def __init__(self, new_reference: Callable[[], str]) -> None:
        self._new_reference = new_reference

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        try:
            await proceed()
        except (Unreachable, Undelivered):
            raise
        except Exception as error:
            reference = self._new_reference()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            fault = _fault(error)
            disk = fault == "disk"
            log.error("turn_failed", reference=reference, error=describe_error(error), place=place, disk=disk)
            context.measured.outcome = Outcome.FAILED
            await context.show(welcome_cards.apology(context.texts, reference, fault))


def _fault(error: Exception) -> str:
    """What an apology says: the server's disk, its database, or what went wrong otherwise."""
    if is_disk_fault(error):
        return "disk"
    return "database" if is_unavailable(error) else "what"


class ServiceErrorHandler:
    """Explains an error of a connected service, or a missing integration, with a way to try again."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        try:
            await proceed()
        except UnknownIntegration:
            await context.show(welcome_cards.stale(context.texts))
        except UnknownPerson:
            await context.show(people_cards.gone(context.texts))
        except SyncError as error:
            form_error, verb = context.form_error(error), self._router.verb_of(context.event)
            await context.show(integration_cards.failed(context.texts, form_error, verb, _safe_data(context)))


def _safe_data(context: TurnContext) -> dict[str, str]:
    """The part of a pressed button's data that may be put on a card again; never what was typed."""
    return {key: context.data[key] for key in ("integration", "page") if key in context.data}
