"""Limits a server's connections, in all and of one peer; logs those that were closed, one line a minute.

When there are as many as there may be, a peer with fewer takes the place of one that has the most.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Protocol

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


class Connection(Protocol):
    is_waiting: bool
    """No request of it is being handled."""

    def abort(self) -> None: ...


def _count_nothing(_reason: str) -> None:
    """For a server without metrics."""


class ConnectionGate:
    """Admits connections within ``limits``. ``count`` gets the reason of each that is closed."""

    def __init__(
        self, limits: ConnectionLimits | None = None, count: Callable[[str], None] = _count_nothing
    ) -> None:
        self.limits = limits or ConnectionLimits()
        self._count = count
        self._open: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._closed: Counter[str] = Counter()
        self._last_peer = ""
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, peer: str, connection: Connection) -> bool:
        """Whether there is room for the connection from this address; each admitted one must ``leave``."""
        network = _network(peer)
        reason = None
        if len(self._open[network]) >= self.limits.per_peer:
            reason = Closed.TOO_MANY_OF_PEER
        elif self._total() >= self.limits.total and not self._make_room(len(self._open[network])):
            reason = Closed.TOO_MANY
        if reason:
            self.note(reason, peer)
            self._forget_if_empty(network)
            return False
        self._open[network][connection] = None
        return True

    def leave(self, peer: str, connection: Connection) -> None:
        network = _network(peer)
        self._open[network].pop(connection, None)
        self._forget_if_empty(network)

    def _make_room(self, has: int) -> bool:
        """Close the oldest waiting connection of the peer with the most, for another that ``has`` fewer."""
        peer, most = max(self._open.items(), key=lambda each: len(each[1]))
        oldest = next((each for each in most if each.is_waiting), None)
        if oldest is None or len(most) <= has + 1:
            return False
        self.leave(peer, oldest)
        oldest.abort()
        self.note(Closed.TOO_MANY_OF_PEER, peer)
        return True

    def _total(self) -> int:
        return sum(map(len, self._open.values()))

    def _forget_if_empty(self, network: str) -> None:
        if not self._open[network]:
            del self._open[network]

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
        log.warning("connections_closed", last_peer=self._last_peer, open=self._total(), **self._closed)
        self._closed.clear()


def _network(peer: str) -> str:
    """What one subscriber has: an IPv4 address, or all of a /64 network of IPv6 (RFC 6177)."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.version == 4:
        return peer
    return str(address.ipv4_mapped or address.exploded[:19])
