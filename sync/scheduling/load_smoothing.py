"""Work that asks strangers' services comes evenly, even after everything was down. Pure."""

import math
from collections.abc import Mapping, Sequence
from random import Random

Name = tuple[str, str]
"""A job and its key."""

AT_ONCE = 20
"""So many of a job are never held back."""

CATCHING_UP = 2
"""How much faster than evenly what was left behind is caught up with."""


def paced(due: Sequence[Name], flow: Mapping[str, float], random: Random) -> list[Name]:
    """What of ``due`` is to be done now; the rest is due still when this is asked next.

    ``flow`` is how many of a job there are each time when they come evenly; jobs that it does not name are done
    as they are due. Whose turn it is is drawn by lot, so that nobody waits for those who fail.
    """
    held_back: set[Name] = set()
    for job, evenly in flow.items():
        names = [name for name in due if name[0] == job]
        most = max(AT_ONCE, math.ceil(CATCHING_UP * evenly))
        held_back.update(random.sample(names, max(0, len(names) - most)))
    return [name for name in due if name not in held_back]
