"""Counts and times what is asked of the services, whoever asks, by tracing the session they share."""

from enum import StrEnum
from time import perf_counter
from types import SimpleNamespace

import aiohttp

from core.metrics import Metrics

OTHER = "other"


def tracing(metrics: Metrics) -> aiohttp.TraceConfig:
    """For the session's ``trace_configs``. Who asks names the service: ``trace_request_ctx=Service.GRAPH``."""
    config = aiohttp.TraceConfig()
    watch = _Watch(metrics)
    config.on_request_start.append(watch.began)
    config.on_request_end.append(watch.answered)
    config.on_request_exception.append(watch.failed)
    return config


class _Watch:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def began(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestStartParams
    ) -> None:
        context.began = perf_counter()

    async def answered(
        self, _session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self._note(context, outcome_of(params.response.status))

    async def failed(
        self,
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        self._note(context, "failed")

    def _note(self, context: SimpleNamespace, outcome: str) -> None:
        asked = context.trace_request_ctx
        service = asked.value if isinstance(asked, StrEnum) else OTHER
        self._metrics.requests.labels(service=service, outcome=outcome).inc()
        self._metrics.request_seconds.labels(service=service).observe(perf_counter() - context.began)


def outcome_of(status: int) -> str:
    """What an HTTP status means for us."""
    if status == 429:
        return "throttled"
    return "unwell" if status >= 500 else "refused" if status >= 400 else "ok"
