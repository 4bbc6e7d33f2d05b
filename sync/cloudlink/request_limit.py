"""How many requests are under way together, to CloudLink or of one kind: in all, and of one tenant.

A tenant whose CloudLink answers slowly holds its own connections only, and those to Microsoft are apart.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

IN_ALL = 160
OF_A_TENANT = 8


class RequestLimit:
    """Requests above a limit wait, in order of arrival."""

    def __init__(self, in_all: int = IN_ALL, of_a_tenant: int = OF_A_TENANT) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._of_a_tenant = of_a_tenant
        self._tenants: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def request_of(self, tenant: str) -> AsyncIterator[None]:
        """One request for the length of the block."""
        share = self._tenants.get(tenant)
        if share is None:
            share = self._tenants[tenant] = asyncio.Semaphore(self._of_a_tenant)
        async with share, self._in_all:
            yield
