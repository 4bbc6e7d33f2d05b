"""An engine in a separate process, to be killed: ``python -m tests.chaos.worker``, settings as JSON on stdin."""

import asyncio
import json
import sys
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
from tests.support.engines import QUICK


async def main(settings: dict[str, str]) -> None:
    config = EngineConfig(settings["entra_url"], settings["graph_url"], settings["cloudlink_url"], intervals=QUICK)
    async with open_database(settings["database"]) as database, aiohttp.ClientSession() as http:
        await migrate(database)
        encryption = Encryption([settings["key"]])
        metrics = Metrics(CollectorRegistry())
        jobs = LocalJobs(QueueConfig(utc_now, Random(1), metrics, QUICK.tick))
        skew = ClockSkewMonitor(utc_now)
        async with open_engine(
            config, database, encryption, http, utc_now, Random(1), metrics, jobs, skew
        ) as engine:
            await engine.start()
            print("ready", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
