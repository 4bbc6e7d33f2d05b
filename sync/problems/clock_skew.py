"""How far this machine's clock is from the services' clocks, by the ``Date`` headers of their responses."""

from collections import OrderedDict
from statistics import median
from types import SimpleNamespace

import aiohttp

from core.clock import Clock
from core.http.client import http_date

MAX_SKEW = 300.0
"""Seconds of skew from which tokens and signatures are refused."""

HOSTS = 20


class ClockSkewMonitor:
    """Keeps the latest skew of each host; ``tracing`` is passed to the HTTP session whose responses it reads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds: OrderedDict[str, float] = OrderedDict()

    def tracing(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._on_request_end)
        return config

    def seconds(self) -> float | None:
        """The median by which the hosts' clocks are ahead of ours, None while unknown."""
        return median(self._seconds.values()) if self._seconds else None

    async def _on_request_end(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self.record(params.url.host or "", params.response.headers.get("Date", ""))

    def record(self, host: str, date: str) -> None:
        """Record a ``Date`` header; a malformed one is ignored."""
        sent_at = http_date(date)
        if sent_at is None:
            return
        self._seconds[host] = (sent_at - self._clock()).total_seconds()
        self._seconds.move_to_end(host)
        while len(self._seconds) > HOSTS:
            self._seconds.popitem(last=False)
