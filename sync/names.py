"""The names of the jobs; the key of each but ``SWEEP`` and ``TIDY`` is an integration's id."""

from typing import Final

PUSH: Final = "push"
POLL: Final = "poll"
MATCH: Final = "match"
SUBSCRIBE: Final = "subscribe"
PROBE: Final = "probe"
REMOVE: Final = "remove"
SWEEP: Final = "sweep"
TIDY: Final = "tidy"
EVERYTHING: Final = "all"
"""The key of a job that is not about one integration."""
