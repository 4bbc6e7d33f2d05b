"""``python -m tests.bench [NAME ...]``: measure, and write the rows into ``docs/performance.md`` with a chart.

Ratios of processor time hold on a busy machine; milliseconds and the part of the quota need a quiet one.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from core.logging import configure_logging
from tests.bench import change, delays, match, people, push_path, tenants, turn, working_day
from tests.bench.change_load import percentile
from tests.bench.processes import neighbour, starting, takeover
from tests.bench.report import Row, update
from tests.support.storage.postgres import WITH_TABLES, fresh_database
from tests.support.storage.stores import sqlite_with_tables
from tests.support.tools import ROOT

PAGE, CHART = ROOT / "docs/performance.md", ROOT / "docs/images/performance.svg"
PLAN = change.Plan(turns=4)

Measure = Callable[[Path], Coroutine[None, None, list[Row]]]


async def change_sqlite(folder: Path) -> list[Row]:
    found = await change.against_the_least(sqlite_with_tables(folder), folder, PLAN)
    return [Row("A change, against the least, SQLite", found.ratio, 3, more=str(found))]


async def change_postgresql(folder: Path) -> list[Row]:
    with fresh_database(WITH_TABLES) as url:
        found = await change.against_the_least(url, folder, PLAN)
    return [Row("A change, against the least, PostgreSQL with web and worker", found.ratio, 5, more=str(found))]


async def many_people(folder: Path) -> list[Row]:
    found = await change.of_many_people(folder, PLAN)
    return [Row("A change with 100,000 people, against 1,000", found.ratio, 1.15, more=str(found))]


async def push(folder: Path) -> list[Row]:
    found = await push_path.measure(folder)
    return [
        Row("Sending alone, full batches, against raw `$batch`", found.to_raw, 5, more=str(found)),
        Row("The same, cheaper than one typed SDK call a person", found.to_typed, 25, high=True),
    ]


async def quota(folder: Path) -> list[Row]:
    seen = await delays.beyond_the_quota(folder)
    more = f"{seen.refused} refused by Graph"
    p99 = 1000 * percentile(seen.answered, 0.99)
    return [
        Row("10,000 changes in a minute at 1,500 in 30 s: part of the quota", seen.share, 0.98, "", True, more),
        Row("The same: webhook to 202, p99", p99, 250, " ms"),
    ]


async def quiet(folder: Path) -> list[Row]:
    return [_shown("Webhook to Graph at 50 a second, p99", 60, (await delays.quiet(folder)).shown)]


async def busy(folder: Path) -> list[Row]:
    shown = (await delays.beside_a_busy_loop(folder)).shown
    return [_shown("The same beside a process that is always busy, p99", 250, shown)]


def _shown(name: str, goal: float, seconds: Sequence[float]) -> Row:
    median = 1000 * percentile(seconds, 0.5)
    return Row(name, 1000 * percentile(seconds, 0.99), goal, " ms", more=f"p50 {median:.0f} ms")


async def thousand_tenants(folder: Path) -> list[Row]:
    found = await tenants.catch_up(folder)
    name = "1,000 tenants of 100 in one process from its first second, p99"
    return [Row(name, percentile(found, 0.99), 1, " s", more=f"p50 {1000 * percentile(found, 0.5):.0f} ms")]


async def requests(_folder: Path) -> list[Row]:
    """In processes of their own: each has virtual time."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        found = [pool.submit(working_day.live, people, calls).result() for people, calls in working_day.OFFICES]
    more = "; ".join(
        f"{people} people: {each}" for (people, _), each in zip(working_day.OFFICES, found, strict=True)
    )
    return [Row("Requests to Graph against the least", max(each.ratio for each in found), 1.02, more=more)]


async def again(folder: Path) -> list[Row]:
    found, name = await match.nothing_changed(folder), "100,000 people matched again, nothing changed"
    return [
        Row(f"{name}: processor", found.processor, 1.5, " s"),
        Row(f"{name}: loop held, processor time", 1000 * found.computing, 50, " ms"),
        Row(f"{name}: memory", found.megabytes, 60, " MB"),
    ]


async def dead_worker(folder: Path) -> list[Row]:
    return [Row("A worker killed: everybody shown by another after", await takeover.seconds(folder), 3, " s")]


async def noisy_neighbour(folder: Path) -> list[Row]:
    found = await neighbour.measure(folder)
    return [
        Row("Phone to Graph beside the noisiest neighbour, against alone, p99", found.ratio, 2, more=str(found))
    ]


async def people_sqlite(folder: Path) -> list[Row]:
    async with people.many_people(sqlite_with_tables(folder)) as database:
        rows = [_slowest("SQLite", await people.every_command(database))]
        took = await people.import_of_everyone(database)
        more = ", ".join(f"{name} {seconds:.2g} s" for name, seconds in took.items())
        name = "An import of 100,000 lines"
        rows.append(Row(f"{name}: a page of it", 1000 * took["page"], 300, " ms", more=more))
        return [*rows, Row(f"{name}: loop held, processor time", 1000 * took["held"], 50, " ms")]


async def people_postgresql(_folder: Path) -> list[Row]:
    with fresh_database(WITH_TABLES) as url:
        async with people.many_people(url) as database:
            return [_slowest("PostgreSQL", await people.every_command(database))]


def _slowest(kind: str, took: Mapping[str, float]) -> Row:
    name = max(took, key=lambda each: took[each])
    return Row(f"The slowest command about 100,000 people, {kind}", 1000 * took[name], 300, " ms", more=name)


async def turns(folder: Path) -> list[Row]:
    rows = []
    for words in ("help", "status"):
        (own := folder / words).mkdir()
        found = await turn.against_an_echo(own, words)
        name = f"A turn of *{words}*, against an echo bot of the same framework"
        rows.append(Row(name, found.ratio, 2.5, more=str(found)))
    return rows


async def start(folder: Path) -> list[Row]:
    found = await starting.measure(folder)
    return [Row("A start, against importing its libraries", found.ready / found.libraries, 2, more=str(found))]


MEASURES: dict[str, Measure] = {
    "change_sqlite": change_sqlite,
    "change_postgresql": change_postgresql,
    "many_people": many_people,
    "push": push,
    "quota": quota,
    "quiet": quiet,
    "busy": busy,
    "thousand_tenants": thousand_tenants,
    "requests": requests,
    "again": again,
    "dead_worker": dead_worker,
    "neighbour": noisy_neighbour,
    "people_sqlite": people_sqlite,
    "people_postgresql": people_postgresql,
    "turns": turns,
    "start": start,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; all by default")
    began = monotonic()
    configure_logging("info", "json", StringIO())
    for name in parser.parse_args().names or MEASURES:
        with TemporaryDirectory() as folder:
            rows = asyncio.run(MEASURES[name](Path(folder)))
        print(*rows, sep="\n", flush=True)
        update(PAGE, CHART, rows)
    print(f"{monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
