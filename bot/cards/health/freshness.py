"""How fresh what Teams shows is: whether CloudLink reports changes, or why phones are polled instead."""

from collections.abc import Sequence

from microsoft_teams.cards.core import Container

from bot.cards.parts import note
from bot.languages import Texts
from sync.domain.model import Freshness, Status


def freshness(texts: Texts, status: Status, answered: str, since: Sequence[str]) -> Container:
    """How old a state can be, why it is not newer, and ``since`` when calls are shown.

    ``answered`` is when CloudLink last answered, empty if that is recent.
    """
    if status.freshness is Freshness.LIVE:
        live = texts("status.live.as_of", when=answered) if answered else texts("status.live")
        return note("good", "⚡", live, *since)
    age = texts("status.polling", age=texts.span(status.worst_age))
    is_doubtful = status.freshness is Freshness.MISSED or _is_silent(status)
    return note("warning" if is_doubtful else "good", "🕑", age, _why(texts, status), *since)


def doubt(texts: Texts, status: Status) -> str:
    """That CloudLink's events are not proven to arrive; empty where they are, or are not expected."""
    is_doubtful = status.freshness in (Freshness.NO_EVENT, Freshness.MISSED)
    return _why(texts, status) if is_doubtful and status.integration.enabled else ""


def _why(texts: Texts, status: Status) -> str:
    return texts("status.polling.no_event_yet" if _is_silent(status) else f"status.polling.{status.freshness}")


def _is_silent(status: Status) -> bool:
    """Whether no event has arrived though there are calls."""
    return status.freshness is Freshness.NO_EVENT and status.in_a_call > 0
