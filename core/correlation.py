"""Ids that lead from a cause (a webhook, a poll, something said) to what came of it.

A cause goes with every line that is logged meanwhile, is stored with what it made desired, and is given to
Microsoft Graph as ``client-request-id`` when that is pushed: in another task, on another machine, or later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from structlog.contextvars import bound_contextvars, get_contextvars


def new_cause() -> str:
    """A GUID, as Microsoft asks of a ``client-request-id``."""
    return str(uuid4())


@contextmanager
def caused(**named: str) -> Iterator[str]:
    """A new cause for the length of the block, whatever was the cause before it; ``named`` is logged too."""
    cause = new_cause()
    with bound_contextvars(cause=cause, **named):
        yield cause


def current_cause() -> str:
    """Of what is being done now; empty for nothing known."""
    return str(get_contextvars().get("cause", ""))
