"""How far this machine's clock is from the services' clocks, by the ``Date`` headers of what they answer."""

from collections import OrderedDict
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median
from types import SimpleNamespace

import aiohttp

from core.clock import Clock

TROUBLING = 300.0
"""Seconds of skew from which tokens and signatures begin to be refused."""

HOSTS = 20


class ClockSkewMonitor:
    """Keeps the newest difference for each host; ``tracing`` is given to the session whose answers it reads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds: OrderedDict[str, float] = OrderedDict()

    def tracing(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._answered)
        return config

    def seconds(self) -> float | None:
        """How much the services' clocks are ahead of ours, None while unknown; one wrong host does not decide."""
        return median(self._seconds.values()) if self._seconds else None

    async def _answered(
        self, _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self.note(params.url.host or "", params.response.headers.get("Date", ""))

    def note(self, host: str, date: str) -> None:
        """Take in a ``Date`` header; one that cannot be read says nothing."""
        try:
            told = parsedate_to_datetime(date)
        except (ValueError, TypeError, OverflowError):
            return
        aware = told if told.tzinfo else told.replace(tzinfo=UTC)
        self._seconds[host] = (aware - self._clock()).total_seconds()
        self._seconds.move_to_end(host)
        while len(self._seconds) > HOSTS:
            self._seconds.popitem(last=False)
