"""One run of a job, whoever queues it: under an id of its own, counted and timed."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from core.correlation import caused
from core.metrics import Metrics


@contextmanager
def run_of(job: str, metrics: Metrics) -> Iterator[None]:
    """For the length of the block a job is done; what it logs names it, and not what had it deferred."""
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
