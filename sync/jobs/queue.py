"""The job queue that belongs to the database."""

from collections.abc import Collection, Mapping
from random import Random

from core.clock import Clock
from core.metrics import Metrics
from core.shutdown import ShutdownDeadline
from storage.database import Database
from storage.queries import integrations
from sync.domain.jobs import JobQueue
from sync.jobs.local import LocalJobs
from sync.jobs.runs import QueueConfig


def job_queue(
    database: Database,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    deadline: ShutdownDeadline | None = None,
    *,
    works: bool = True,
) -> JobQueue:
    """In PostgreSQL for any number of processes, of which some only defer jobs; in this process with SQLite."""

    async def find_owners(keys: Collection[str]) -> Mapping[str, str]:
        async with database.session() as session:
            return await integrations.owners(session, keys)

    config = QueueConfig(clock, random, metrics, deadline=deadline, find_owners=find_owners)
    if database.is_sqlite:
        return LocalJobs(config)
    from sync.jobs.postgres import PostgresJobs  # slow to import, and not needed with SQLite

    return PostgresJobs(database.conninfo, config, works=works)
