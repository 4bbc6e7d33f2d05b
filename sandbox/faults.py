"""Faults that can be switched on for tests and the demo."""

from dataclasses import dataclass, fields, replace
from typing import Any

from sandbox.quota import DEFAULT_LIMIT

_BOUNDS = {
    "slow_seconds": (0, 60.0),
    "secret_delay_seconds": (0, 3600.0),
    "graph_quota": (0, 1_000_000),
    "retry_after": (0, 3600),
    "longest_secret_days": (0, 730),
    "cloudlink_clock_seconds": (-86400.0, 86400.0),
}


class BadFault(ValueError):
    """An unknown switch, or an invalid value for it."""


@dataclass(frozen=True)
class Faults:
    """The switches. ``slow_seconds`` delays every response; ``retry_after`` is a forced throttle's, in seconds;
    a secret added from now on is accepted ``secret_delay_seconds`` later, as Entra's own take time to replicate.

    An application may add itself secrets of at most ``longest_secret_days`` (0: of any length), or none
    (``secrets_forbidden``): app management policies.
    ``graph_hides``: presence is accepted and not shown; ``graph_unreadable``: it may be written and not read.
    The phone system's clock is ``cloudlink_clock_seconds`` ahead. ``plain_calls`` are calls with a bare id in
    webhooks too, and with a time when they are asked for: Mitel's sources differ.
    """

    graph_throttle: bool = False
    graph_outage: bool = False
    graph_forbidden: bool = False
    graph_drift: bool = False
    graph_hides: bool = False
    graph_unreadable: bool = False
    graph_quota: int = DEFAULT_LIMIT
    retry_after: int = 2
    entra_outage: bool = False
    entra_transient: bool = False
    longest_secret_days: int = 0
    secrets_forbidden: bool = False
    cloudlink_outage: bool = False
    cloudlink_throttle: bool = False
    cloudlink_not_admin: bool = False
    cloudlink_empty_list: bool = False
    cloudlink_clock_seconds: float = 0.0
    plain_calls: bool = False
    lose_webhooks: bool = False
    double_webhooks: bool = False
    slow_seconds: float = 0.0
    secret_delay_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {_camel(name): getattr(self, name) for name in self._names()}

    def changed(self, changes: dict[str, Any]) -> "Faults":
        """The switches after a partial change. Raises ``BadFault``."""
        names = {_camel(name): name for name in self._names()}
        if unknown := changes.keys() - names.keys():
            raise BadFault(f"There is no such switch: {', '.join(sorted(unknown))[:80]}.")
        return replace(self, **{names[key]: self._checked(names[key], value) for key, value in changes.items()})

    def _checked(self, name: str, value: Any) -> Any:
        present = getattr(self, name)
        if isinstance(present, bool) != isinstance(value, bool):
            raise BadFault(f"{_camel(name)} is of another type.")
        if isinstance(present, bool):
            return value
        if not isinstance(value, int if isinstance(present, int) else int | float):
            raise BadFault(f"{_camel(name)} takes a number.")
        smallest, largest = _BOUNDS[name]
        if not smallest <= value <= largest:
            raise BadFault(f"{_camel(name)} lies between {smallest} and {largest}.")
        return value

    @staticmethod
    def _names() -> list[str]:
        return [each.name for each in fields(Faults)]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
