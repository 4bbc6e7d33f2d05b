"""Follows the pages of a directory's changes to their end: a list that ends earlier is an error."""

from collections.abc import Awaitable, Callable

from sync.domain.errors import Fault, ServiceUnavailable
from sync.domain.services import Directory, DirectoryPage, ListLimits, reading_list

LIMITS = ListLimits(pages=10_000, seconds=1800)
"""For all users of a tenant: Graph decides how many are on a page."""


async def read_pages(service: Directory, link: str, store: Callable[[DirectoryPage], Awaitable[None]]) -> None:
    """Have ``store`` called with each page from ``link`` on; with an empty one, of all users.

    Raises ``ServiceUnavailable`` (GRAPH_LIST_TOO_LONG, GRAPH_UNREADABLE) when the last page does not come.
    """
    seen = {link}
    async with reading_list(LIMITS, Fault.GRAPH_LIST_TOO_LONG) as count:
        while True:
            page = await service.changes(link)
            count(page.size)
            if page.link in seen and not page.is_last:
                raise ServiceUnavailable(Fault.GRAPH_UNREADABLE, None, field="@odata.nextLink")
            await store(page)
            if page.is_last:
                return
            link = page.link
            seen.add(link)
