"""What both queues share: their configuration, and for one run of a job its metrics, correlation id and retry."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from time import perf_counter

import structlog

from core.clock import Clock
from core.correlation import caused
from core.logging import describe_error, where
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline
from storage.database import guarded
from sync.domain.jobs import EVERYTHING

FIRST_RETRY = 1.0
LAST_RETRY = 60.0

DRAIN_SECONDS = 3.0
"""How long running jobs may take to finish when a queue closes without a ``ShutdownDeadline``."""

SHARE = 4
"""Jobs of one tenant that a process runs at the same time, of the urgent ones and of the others each."""

FindOwners = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""The tenants that own integrations, by the integration's id (``storage.queries.integrations.owners``)."""

log = structlog.get_logger()


async def no_owners(_keys: Collection[str]) -> Mapping[str, str]:
    """No key has an owner: nothing is shared out."""
    return {}


MAX_OWNERS = 100_000
"""Integrations whose owners are remembered: of more, including removed ones, all are looked up again."""


class Owners:
    """The tenant of each job's key. An integration never changes its owner, so each is looked up once."""

    def __init__(self, find: FindOwners) -> None:
        self._find = find
        self._known: dict[str, str] = {EVERYTHING: ""}

    async def load(self, keys: Iterable[str]) -> None:
        """Look up the owners of keys that are not known yet."""
        if len(self._known) > MAX_OWNERS:
            self._known = {EVERYTHING: ""}
        if unknown := set(keys) - self._known.keys():
            self._known.update(await self._find(unknown))

    def of(self, key: str) -> str:
        """The owner of a loaded key; empty for a key without one."""
        return self._known.get(key, "")


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """What a queue depends on.

    ``tick`` is how often, in seconds, the timers are checked: the clock may be set and a machine may sleep.
    ``deadline`` limits how long running jobs may take to finish when the queue closes; without it they have
    ``DRAIN_SECONDS``. ``find_owners`` says whose integration a job's key is, so that no tenant gets more than its
    ``SHARE``.
    """

    clock: Clock
    random: Random
    metrics: Metrics
    tick: float = 1.0
    deadline: ShutdownDeadline | None = None
    find_owners: FindOwners = no_owners


@contextmanager
def job_run(job: str, metrics: Metrics) -> Iterator[None]:
    """Measure the run of a job in the block; what it logs has the run's id, not the id of what deferred the job.

    A job writes for itself: the guard of what deferred it does not apply.
    """
    began, outcome = perf_counter(), "interrupted"
    try:
        with caused(job=job), guarded(None):
            yield
        outcome = "done"
    except Exception:
        outcome = "failed"
        raise
    finally:
        metrics.jobs.labels(task=job, outcome=outcome).inc()
        metrics.job_seconds.labels(task=job).observe(perf_counter() - began)


def retry_delay(failures: int, random: Random) -> timedelta:
    """How long to wait after ``failures`` consecutive failures: exponential backoff with jitter."""
    return timedelta(seconds=min(LAST_RETRY, FIRST_RETRY * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5))


def record_failure(metrics: Metrics, job: str, key: str, error: Exception) -> None:
    """Count and log a failure, without the exception's text, which may contain a secret."""
    metrics.retries.labels(task=job).inc()
    log.error("job_failed", job=job, key=key, error=describe_error(error), where=where(error.__traceback__))
