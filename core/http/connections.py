"""Limits a server's connections, in all and of one peer; logs those that were closed, one line a minute."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger()


class Closed(StrEnum):
    """Why a connection was closed: a value of the metric's label ``reason``."""

    TOO_MANY = "too_many"
    TOO_MANY_OF_PEER = "too_many_of_peer"
    SILENT = "silent"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``total`` connections, ``per_peer`` of one address.

    A request's line and headers must arrive within ``header_seconds``, however slowly bytes follow each other;
    between two requests a connection may be idle for ``idle_seconds``, which is longer than proxies keep theirs.
    """

    total: int = 800
    per_peer: int = 400
    header_seconds: float = 15
    idle_seconds: float = 180
    log_seconds: float = 60


def _count_nothing(_reason: str) -> None:
    """For a server without metrics."""


class ConnectionGate:
    """Admits connections within ``limits``. ``count`` gets the reason of each that is closed."""

    def __init__(
        self, limits: ConnectionLimits | None = None, count: Callable[[str], None] = _count_nothing
    ) -> None:
        self.limits = limits or ConnectionLimits()
        self._count = count
        self._open: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._last_peer = ""
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, peer: str) -> bool:
        """Whether there is room for a connection from this address; each admitted one must ``leave``."""
        reason = None
        if self._open.total() >= self.limits.total:
            reason = Closed.TOO_MANY
        elif self._open[peer] >= self.limits.per_peer:
            reason = Closed.TOO_MANY_OF_PEER
        if reason:
            self.note(reason, peer)
            return False
        self._open[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        self._open[peer] -= 1
        if not self._open[peer]:
            del self._open[peer]

    def note(self, reason: Closed, peer: str) -> None:
        """Count a connection that was closed, and log it with those of the next minute."""
        self._count(reason.value)
        self._closed[reason.value] += 1
        self._last_peer = peer
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.limits.log_seconds, self._log)

    def close(self) -> None:
        """Log what is not logged yet."""
        if self._timer:
            self._timer.cancel()
            self._log()

    def _log(self) -> None:
        self._timer = None
        log.warning("connections_closed", last_peer=self._last_peer, open=self._open.total(), **self._closed)
        self._closed.clear()
