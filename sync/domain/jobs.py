"""The jobs: their names, and the interfaces through which they are deferred and run.

The key of a job is an integration's id; ``SCHEDULE``, ``CLEANUP`` and ``WARN`` have the key ``EVERYTHING``.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from storage.transaction import Transaction

PUSH: Final = "push"
POLL: Final = "poll"
POLL_SAMPLE: Final = "poll_sample"
POLL_CHUNK: Final = "poll_chunk"
POLL_NOW: Final = "poll_now"
MATCH: Final = "match"
APPLY_SCOPE: Final = "apply_scope"
SUBSCRIBE: Final = "subscribe"
PROBE: Final = "probe"
READ_BACK: Final = "read_back"
REMOVE: Final = "remove"
ROTATE: Final = "rotate"
EXPIRY: Final = "expiry"
SCHEDULE: Final = "schedule"
CLEANUP: Final = "cleanup"
INSTALL: Final = "install"
HOURS: Final = "hours"
PUSH_STATUS_MESSAGE: Final = "push_status_message"
SHOW_UPDATE: Final = "show_update"
SHOW_REMOVED: Final = "show_removed"
WARN: Final = "warn"
NOTIFY: Final = "notify"
EVERYTHING: Final = "all"
"""The key of a job that is not about one integration."""

JobFunction = Callable[[str], Awaitable[None]]
"""Runs the job for one key. It reads from the database what there is to do."""

JobName = tuple[str, str]
"""A job and its key."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the job table (``sync.engine``).

    ``urgent`` jobs run before the others. Of a ``paced`` job, which calls a service for each integration, only
    some start together when many are due (``sync.scheduling.load_smoothing``).
    """

    name: str
    function: JobFunction
    urgent: bool = False
    paced: bool = False


class SharedJobs(Protocol):
    """What only a queue from which other processes run jobs too can do, in a transaction. Blocking."""

    def held(self, transaction: Transaction, job: str, keys: Iterable[str]) -> set[str]:
        """Those of ``keys`` whose ``job`` runs here and cannot begin elsewhere before ``transaction`` ends.

        A worker that was taken for dead finds out by it that its work is another's.
        """
        ...

    def hand_over(self, transaction: Transaction, job: str, owners: Mapping[str, str]) -> None:
        """Queue ``job`` for each key, whose tenant is given with it: once ``transaction`` is committed."""
        ...


class Jobs(Protocol):
    @property
    def shared(self) -> SharedJobs | None:
        """The queue, if other processes run its jobs too; None if this one runs all."""
        ...

    async def defer(self, job: str, key: str, at: datetime | None = None) -> None:
        """Queue ``job`` for ``key``, now or at ``at``; nothing changes if it is queued already.

        Raises ``KeyError`` for a job that is not registered.
        """
        ...

    async def defer_all(self, names: Iterable[JobName]) -> None:
        """Queue all of these now: cheaper than one by one."""
        ...

    async def queued(self, job: str) -> set[str]:
        """The keys for which ``job`` is waiting, set for later or running."""
        ...


class JobQueue(Jobs, Protocol):
    """Runs jobs: ``LocalJobs`` in this process, ``sync.jobs.postgres.PostgresJobs`` in any number of processes."""

    def register(self, job: str, function: JobFunction, *, urgent: bool = False) -> None:
        """Have ``function`` run ``job``; ``urgent`` jobs run before the others."""
        ...

    def replace(self, job: str, function: JobFunction) -> None:
        """Have ``function`` run the registered ``job`` from now on."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Queue and run jobs for the length of the block."""
        ...

    @property
    def works(self) -> bool:
        """Whether this process runs jobs; otherwise it only queues them."""
        ...

    async def alive(self) -> bool:
        """Whether jobs can be queued and, if this process ``works``, are being run."""
        ...

    async def waiting(self) -> int | None:
        """How many jobs are due and not started; None while the queue is unavailable."""
        ...
