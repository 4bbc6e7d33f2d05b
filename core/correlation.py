"""Correlation ids, from a cause (a webhook, a poll, a message to the bot) to its effects.

A cause is in every line logged while it is processed, is stored with the presence it made desired, and is sent
to Graph as ``client-request-id`` when that presence is pushed: in another task, on another machine, or later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from structlog.contextvars import bound_contextvars, get_contextvars


def new_cause() -> str:
    """A GUID, which Microsoft requires of a ``client-request-id``."""
    return str(uuid4())


@contextmanager
def caused(**named: str) -> Iterator[str]:
    """A new cause for the length of the block, instead of any outer one; ``named`` is logged too."""
    cause = new_cause()
    with bound_contextvars(cause=cause, **named):
        yield cause


def current_cause() -> str:
    """The cause of what runs now; empty when there is none."""
    return str(get_contextvars().get("cause", ""))
