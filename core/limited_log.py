"""Log lines that strangers can cause as often as they like: a few of each kind, then one a second."""

from collections import Counter
from collections.abc import Callable
from time import monotonic

import structlog

from core.rates import Buckets, Rate

LINES = Rate(100, 1)
"""Of each kind."""

log = structlog.get_logger()


class LimitedLog:
    """Warnings within ``LINES``; the next one of its kind says how many were ``left_out``. Kinds are few."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._lines = Buckets(LINES, now)
        self._left_out: Counter[tuple[str, str]] = Counter()

    def warning(self, event: str, kind: str, **fields: object) -> None:
        if not self._lines.take((event, kind)):
            self._left_out[event, kind] += 1
            return
        left_out = self._left_out.pop((event, kind), 0)
        log.warning(event, **fields, **({"left_out": left_out} if left_out else {}))
