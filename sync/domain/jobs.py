"""The jobs: their names, and the seam through which they are deferred and run.

The key of each job but ``SCHEDULE``, ``CLEANUP`` and ``WARN`` is an integration's id.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final, Protocol

PUSH: Final = "push"
POLL: Final = "poll"
POLL_SAMPLE: Final = "poll_sample"
MATCH: Final = "match"
SUBSCRIBE: Final = "subscribe"
PROBE: Final = "probe"
REMOVE: Final = "remove"
ROTATE: Final = "rotate"
EXPIRY: Final = "expiry"
SCHEDULE: Final = "schedule"
CLEANUP: Final = "cleanup"
INSTALL: Final = "install"
PUSH_STATUS_MESSAGE: Final = "push_status_message"
SHOW_UPDATE: Final = "show_update"
WARN: Final = "warn"
NOTIFY: Final = "notify"
EVERYTHING: Final = "all"
"""The key of a job that is not about one integration."""

JobFunction = Callable[[str], Awaitable[None]]
"""Does the job for one key; the key names what to look at in the store."""


class Jobs(Protocol):
    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        """Have ``job`` done for ``key``, now or at ``at``. Already waiting: nothing more happens."""
        ...

    async def defer_all(self, names: Iterable[tuple[str, str]]) -> None:
        """Have each of these, job and key, done now: cheaper than one by one."""
        ...


class JobQueue(Jobs, Protocol):
    """Where jobs are done: ``LocalJobs`` in this process, ``sync.jobs.postgres.QueuedJobs`` in any number."""

    def register(self, job: str, function: JobFunction) -> None:
        """``function`` does ``job`` from now on, in the place of what did it before."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Work for the length of the block."""
        ...

    @property
    def works(self) -> bool:
        """Whether jobs are done in this process, not only deferred."""
        ...

    async def alive(self) -> bool:
        """Whether jobs can be deferred and, where they are done here, are being done."""
        ...

    async def waiting(self) -> int | None:
        """How many jobs are due and have not begun; None while the queue cannot be asked."""
        ...
