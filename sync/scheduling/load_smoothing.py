"""Spreads jobs that call external services over time, even after a long downtime. Pure."""

import math
from collections.abc import Mapping, Sequence
from random import Random

from sync.domain.jobs import JobName

MIN_BATCH = 20
"""At least this many runs of a job may start together."""

CATCH_UP_FACTOR = 2
"""How much faster than the steady rate a backlog is worked off."""


def smooth(due: Sequence[JobName], rates: Mapping[str, float], random: Random) -> list[JobName]:
    """The jobs of ``due`` to start now; the others are still due at the next call.

    ``rates`` are how many of a job start at each call when they are spread evenly; jobs that it does not name all
    start. Which ones start is random, so that jobs that keep failing do not delay the others.
    """
    held_back: set[JobName] = set()
    for job, rate in rates.items():
        names = [name for name in due if name[0] == job]
        limit = max(MIN_BATCH, math.ceil(CATCH_UP_FACTOR * rate))
        held_back.update(random.sample(names, max(0, len(names) - limit)))
    return [name for name in due if name not in held_back]
