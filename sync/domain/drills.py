"""A failure that is rehearsed: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sync.domain.model import Status


class Rehearsal(StrEnum):
    """What a drill rehearses."""

    SECRET = "secret"  # noqa: S105
    WEBHOOKS = "webhooks"
    GRAPH = "graph"


MOMENTS = (
    *("alerted_now", "alerted", "kept", "all_clear"),
    *("new_secret", "retried", "answers", "found", "polled", "trusted"),
)
"""The names of moments."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of a failure: its name, and within how many seconds it happens."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Drill:
    """A rehearsed failure: the facts of the alert and of its all-clear, and the status as it would be.

    ``calls`` are people on the phone now who are shown in Teams, ``names`` the first few. ``alerted`` people
    and channels would get the alert.
    """

    rehearsal: Rehearsal
    status: Status
    alert: Mapping[str, Any]
    clear: Mapping[str, Any]
    moments: tuple[Moment, ...]
    calls: int
    names: tuple[str, ...]
    alerted: int
