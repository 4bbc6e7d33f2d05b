"""How many presence calls an application may make in a tenant (Microsoft Graph service limits, presence)."""

from collections import deque
from math import ceil

WINDOW = 30.0
DEFAULT_LIMIT = 10_000


class Quota:
    """A sliding window of 30 s. Refused calls count too: a caller that keeps retrying stays throttled."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def take(self, application: tuple[str, str], limit: int, now: float) -> int:
        """Count one call at ``now`` (seconds). 0 when it is within ``limit``, else the seconds to wait."""
        calls = self._calls.setdefault(application, deque())
        while calls and calls[0] <= now - WINDOW:
            calls.popleft()
        calls.append(now)
        if len(calls) <= limit:
            return 0
        wait = calls[len(calls) - limit] + WINDOW - now if limit else WINDOW
        return max(1, ceil(wait))
