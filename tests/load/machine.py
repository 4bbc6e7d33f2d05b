"""The cost of processes: processor time and memory from ``/proc``, the database from its own statistics."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of processor time, and memory in use, in MB."""

    seconds: float
    megabytes: float


def cost_of(pid: int) -> Cost:
    """Of one process; zero for one that has ended."""
    with suppress(OSError):
        fields = _stat(pid)
        return Cost((int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE / 1e6)
    return Cost(0.0, 0.0)


def cost_of_family(pid: int) -> Cost:
    """Of a process and its children, ended ones included; shared memory is counted once."""
    seconds = private = 0.0
    with suppress(OSError):
        fields = _stat(pid)
        seconds = sum(map(int, fields[11:15])) / TICKS
    for child in _children(pid):
        seconds += cost_of(child).seconds
        private += _private(child)
    return Cost(seconds, private + cost_of(pid).megabytes)


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may contain spaces."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if int(_stat(int(entry.name))[1]) == pid:
                    found.append(int(entry.name))
    return found


def _private(pid: int) -> float:
    with suppress(OSError):
        resident, shared = map(int, (PROC / str(pid) / "statm").read_text().split()[1:3])
        return (resident - shared) * PAGE / 1e6
    return 0.0


def busy_seconds() -> float:
    """Busy seconds of all cores since the machine started."""
    user, nice, system, _idle, _wait, *rest = map(int, (PROC / "stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + sum(rest[:2])) / TICKS


@dataclass(frozen=True, slots=True)
class Sample:
    """The machine at a moment."""

    at: float
    busy: float
    costs: dict[str, Cost]
    database: dict[str, float]

    def cores(self, later: "Sample", name: str) -> float:
        """How many cores a process used between two samples."""
        return (later.costs[name].seconds - self.costs[name].seconds) / (later.at - self.at)

    def others(self, later: "Sample") -> float:
        """How many cores other processes used."""
        ours = sum(self.cores(later, name) for name in self.costs)
        return (later.busy - self.busy) / (later.at - self.at) - ours

    def a_second(self, later: "Sample", what: str) -> float:
        return (later.database[what] - self.database[what]) / (later.at - self.at)


def sample(pids: dict[str, int], database_url: str, postmaster: int) -> Sample:
    costs = {name: cost_of(pid) for name, pid in pids.items()}
    costs["PostgreSQL"] = cost_of_family(postmaster)
    return Sample(monotonic(), busy_seconds(), costs, _statistics(database_url))


def postmaster_of(database_url: str) -> int:
    """The server's first process: the parent of the process that serves us."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row
        return int(_stat(row[0])[1])


def _statistics(database_url: str) -> dict[str, float]:
    query = """
        SELECT pg_database_size(current_database()) / 1e6,
               (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
               (SELECT wal_bytes / 1e6 FROM pg_stat_wal),
               (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
    """
    with psycopg.connect(database_url) as connection:
        row: Any = connection.execute(query).fetchone()
    return dict(zip(("megabytes", "transactions", "log megabytes", "connections"), map(float, row), strict=True))
