"""The days that were lived through, a line each, so that a long run may be continued and counted."""

import json
from collections import Counter
from pathlib import Path

from tests.simulation.day import Outcome


class Log:
    """``clean`` are the seeds of days without a fault. Without a ``path`` nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self._days = {day["seed"]: day for day in map(json.loads, lines)}
        self.clean = {seed for seed, day in self._days.items() if not day["faults"]}

    def add(self, outcome: Outcome) -> None:
        if self._path:
            day = {"seed": outcome.seed, "faults": outcome.faults, "seconds": round(outcome.seconds, 2)}
            with self._path.open("a") as file:
                file.write(json.dumps({**day, "counts": outcome.counts}) + "\n")

    def figures(self) -> str:
        """The newest line of each seed counts."""
        counts = sum((Counter(day["counts"]) for day in self._days.values()), Counter[str]())
        failed = sorted(self._days.keys() - self.clean)
        spent = sum(day["seconds"] for day in self._days.values())
        each = "\n".join(f"{count:>9,} {name}" for name, count in sorted(counts.items()))
        return f"{len(self._days)} days, failed: {failed or 'none'}, {spent:.0f} s of processor\n{each}"
