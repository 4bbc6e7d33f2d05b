"""Counts and times the requests to the services in one pair of metrics, whichever HTTP library sends them."""

from enum import StrEnum
from time import perf_counter
from types import SimpleNamespace

import aiohttp

from core.metrics import Metrics

OTHER = "other"
FAILED = "failed"
"""The outcome of a request that got no response."""


class RequestMetrics:
    """``cloudlink_presence_requests_total`` and ``_request_seconds``."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def record(self, service: str, outcome: str, seconds: float) -> None:
        """``outcome`` is from ``outcome_of``, or ``FAILED``; ``seconds`` until the response's headers."""
        self._metrics.requests.labels(service=service, outcome=outcome).inc()
        self._metrics.request_seconds.labels(service=service).observe(seconds)


def tracing(metrics: Metrics) -> aiohttp.TraceConfig:
    """For a session's ``trace_configs``; a request names its service by ``trace_request_ctx=Service.GRAPH``."""
    recorded = RequestMetrics(metrics)

    def record(context: SimpleNamespace, outcome: str) -> None:
        named = context.trace_request_ctx
        service = named.value if isinstance(named, StrEnum) else OTHER
        recorded.record(service, outcome, perf_counter() - context.began)

    async def start(_: object, context: SimpleNamespace, _params: aiohttp.TraceRequestStartParams) -> None:
        context.began = perf_counter()

    async def end(_: object, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
        record(context, outcome_of(params.response.status))

    async def fail(_: object, context: SimpleNamespace, _params: aiohttp.TraceRequestExceptionParams) -> None:
        record(context, FAILED)

    config = aiohttp.TraceConfig()
    config.on_request_start.append(start)
    config.on_request_end.append(end)
    config.on_request_exception.append(fail)
    return config


def outcome_of(status: int) -> str:
    """An HTTP status as the label ``outcome``."""
    if status == 429:
        return "throttled"
    return "unavailable" if status >= 500 else "refused" if status >= 400 else "ok"
