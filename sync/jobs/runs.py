"""One run of a job, in either queue: its metrics, its correlation id, and its retry."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from time import perf_counter

import structlog

from core.correlation import caused
from core.logging import describe_error, where
from core.metrics import Metrics

FIRST_RETRY = 1.0
LAST_RETRY = 60.0

DRAIN_SECONDS = 3.0
"""How long running jobs may take to finish when a queue closes without a ``ShutdownDeadline``."""

log = structlog.get_logger()


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
    """How long to wait after so many consecutive failures: exponential backoff with jitter."""
    return timedelta(seconds=min(LAST_RETRY, FIRST_RETRY * 2 ** min(failures - 1, 10)) * random.uniform(0.5, 1.5))


def record_failure(metrics: Metrics, job: str, key: str, error: Exception) -> None:
    """Count and log a failure, without the exception's text, which may contain a secret."""
    metrics.retries.labels(task=job).inc()
    log.error("job_failed", job=job, key=key, error=describe_error(error), where=where(error.__traceback__))
