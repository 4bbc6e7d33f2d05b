"""An engine in a separate process, to be killed. It imports nothing that the product does not."""

import asyncio
from collections.abc import Mapping
from random import Random

import aiohttp
from prometheus_client import CollectorRegistry

from core.clock import utc_now
from core.metrics import Metrics
from storage.database import open_database
from storage.encryption import Encryption
from storage.schema import migrate
from sync.engine import EngineConfig, open_engine
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig
from sync.problems.clock_skew import ClockSkewMonitor
from sync.scheduling.scheduler import Intervals


def run(settings: Mapping[str, str], intervals: Intervals) -> None:
    asyncio.run(_work(settings, intervals))


async def _work(settings: Mapping[str, str], intervals: Intervals) -> None:
    config = EngineConfig(
        settings["entra_url"], settings["graph_url"], settings["cloudlink_url"], intervals=intervals
    )
    async with open_database(settings["database"]) as database, aiohttp.ClientSession() as http:
        await migrate(database)
        encryption = Encryption([settings["key"]])
        metrics = Metrics(CollectorRegistry())
        jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics, intervals.tick))
        skew = ClockSkewMonitor(utc_now)
        async with open_engine(
            config, database, encryption, http, utc_now, Random(1), metrics, jobs, skew
        ) as engine:
            await engine.start()
            print("ready", flush=True)
            await asyncio.Event().wait()
