import asyncio
from contextlib import nullcontext

import pytest
import structlog
from prometheus_client import CollectorRegistry

from core.correlation import caused, current_cause
from core.metrics import Metrics
from sync.jobs.runs import job_run
from tests.support.captured_log import captured_log

log = structlog.get_logger()


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "done"), (ValueError(), "failed"), (asyncio.CancelledError(), "interrupted")]
)
def test_a_run_is_counted_and_timed_whatever_its_outcome(error: BaseException | None, outcome: str) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.create_job_series("push")
    with pytest.raises(type(error)) if error else nullcontext(), job_run("push", metrics):
        if error:
            raise error
    counted = {
        each: registry.get_sample_value("cloudlink_presence_jobs_total", {"task": "push", "outcome": each})
        for each in ("done", "failed", "interrupted")
    }
    assert counted == dict.fromkeys(counted, 0) | {outcome: 1}
    assert registry.get_sample_value("cloudlink_presence_job_seconds_count", {"task": "push"}) == 1


def test_a_run_has_its_own_correlation_id() -> None:
    metrics = Metrics(CollectorRegistry())
    with captured_log() as found, caused() as webhook:
        with job_run("push", metrics):
            log.info("working")
            inside = current_cause()
        assert current_cause() == webhook
    [line] = found.lines("working")
    assert (line["job"], line["cause"]) == ("push", inside)
    assert inside != webhook


async def test_outside_a_run_there_is_no_correlation_id() -> None:
    assert current_cause() == ""
