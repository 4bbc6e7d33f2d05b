"""``python -m tests.simulation --seeds 0-9999``: live through these days, and print what they showed."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from pathlib import Path

from tests.simulation.day import Outcome, prepare, simulate
from tests.simulation.log import Log
from tests.simulation.undone import UNDONE
from tests.simulation.world import Kind


def main() -> int:
    options = _command_line().parse_args()
    first, _, last = options.seeds.partition("-")
    log = Log(Path(options.log) if options.log else None)
    if options.figures:
        print(log.figures())
        return 0
    seeds = [seed for seed in range(int(first), int(last or first) + 1) if seed not in log.clean]
    lived, failed, spent = 0, 0, 0.0
    for outcome in _outcomes(seeds, options):
        log.add(outcome)
        lived, spent = lived + 1, spent + outcome.seconds
        if lived % 20 == 0:
            print(f"{lived} days", flush=True)
        if outcome.faults:
            failed += 1
            print(_report(outcome, options.trace), flush=True)
        if (options.seconds and spent >= options.seconds) or (options.first and failed):
            break
    print(f"{lived} days, {failed} failed, {spent / max(1, lived):.2f} s of processor each")
    return 1 if failed else 0


def _outcomes(seeds: Sequence[int], options: argparse.Namespace) -> Iterator[Outcome]:
    prepare()
    without, is_traced = frozenset(map(Kind, options.without)), bool(options.trace)
    if options.processes == 1:
        with UNDONE[options.undone] if options.undone else nullcontext():
            yield from (simulate(seed, without, is_traced=is_traced) for seed in seeds)
        return
    with ProcessPoolExecutor(options.processes, initializer=prepare) as pool:
        pending = [pool.submit(simulate, seed, without, is_traced=is_traced) for seed in seeds]
        yield from (each.result() for each in as_completed(pending))


def _report(outcome: Outcome, lines: int) -> str:
    trace = "\n".join(outcome.trace[-lines:]) if lines else ""
    kinds = " ".join(sorted(outcome.kinds))
    faults = "\n  ".join(outcome.faults)
    return (
        f"{trace}\nseed {outcome.seed} failed ({kinds}):\n  {faults}\n"
        f"  again: .venv/bin/python -m tests.simulation --seeds {outcome.seed} --trace 400"
    )


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0-9999", help="one seed, or a range such as 0-9999")
    parser.add_argument(
        "--seconds", type=float, default=0, help="no more days once so much processor time is spent"
    )
    parser.add_argument("--log", default="", help="a file with a line a day: clean days in it are not lived again")
    parser.add_argument("--figures", action="store_true", help="what the days in the log were, and no more days")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--trace", type=int, default=0, help="how many of the last lines of a failing day to print")
    parser.add_argument("--without", nargs="*", default=[], choices=[kind.value for kind in Kind])
    parser.add_argument("--undone", default="", choices=list(UNDONE), help="a fix to undo, in one process")
    parser.add_argument("--first", action="store_true", help="stop at the first day that fails")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a day
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606
    sys.exit(main())
