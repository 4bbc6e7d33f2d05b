"""What both queues share: their configuration, and for one run of a job its metrics, correlation id and retry."""

from collections.abc import Iterator
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

FIRST_RETRY = 1.0
LAST_RETRY = 60.0

DRAIN_SECONDS = 3.0
"""How long running jobs may take to finish when a queue closes without a ``ShutdownDeadline``."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """What a queue depends on.

    ``tick`` is how often, in seconds, the timers are checked: the clock may be set and a machine may sleep.
    ``deadline`` limits how long running jobs may take to finish when the queue closes; without it they have
    ``DRAIN_SECONDS``.
    """

    clock: Clock
    random: Random
    metrics: Metrics
    tick: float = 1.0
    deadline: ShutdownDeadline | None = None


@contextmanager
def job_run(job: str, metrics: Metrics) -> Iterator[None]:
    """Measure the run of a job in the block; what it logs has the run's id, not the id of what deferred the job."""
    began, outcome = perf_counter(), "interrupted"
    try:
        with caused(job=job):
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
