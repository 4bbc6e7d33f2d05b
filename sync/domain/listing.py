"""Limits for a list that a service gives page by page: a longer one is an error, never a shorter list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sync.domain.errors import Fault, ServiceUnavailable


@dataclass(frozen=True, slots=True)
class ListLimits:
    """What all pages together may take: their number, their bytes (400,000 people of 500), and the seconds."""

    pages: int = 2000
    size: int = 200_000_000
    seconds: float = 600


@asynccontextmanager
async def reading_list(limits: ListLimits, fault: Fault) -> AsyncIterator[Callable[[int], None]]:
    """Read a list within the block; the function it gives is called with the bytes of each page.

    Raises ``ServiceUnavailable`` with ``fault`` for a list beyond ``limits``.
    """
    pages = size = 0

    def count(page: int) -> None:
        nonlocal pages, size
        pages, size = pages + 1, size + page
        if pages > limits.pages or size > limits.size:
            raise ServiceUnavailable(fault, pages=pages)

    is_late = False
    try:
        async with asyncio.timeout(limits.seconds):
            yield count
    except TimeoutError:
        is_late = True
    if is_late:
        raise ServiceUnavailable(fault, pages=pages)
