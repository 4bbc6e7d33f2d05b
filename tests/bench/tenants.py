"""A thousand tenants of a hundred people in one process with SQLite, from its first second: all are caught up."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

import aiohttp
from cryptography.fernet import Fernet

from sandbox.demo import free_port
from storage.encryption import Encryption
from tests.load.fleet import all_phones, make_fleet
from tests.load.run import settings, started
from tests.load.seed import seed
from tests.load.services import Services, serving
from tests.load.traffic import Traffic

TENANTS, PEOPLE, QUOTA = 1000, 100, 1500
CALLS_PER_HOUR, TALK, SECONDS = 2.0, 90.0, 60.0


async def catch_up(folder: Path, tenants: int = TENANTS, seconds: float = SECONDS) -> Sequence[float]:
    """Seconds from webhook to Graph, of everybody who took or ended a call while the process caught up."""
    fleet = make_fleet(tenants, PEOPLE)
    services, key, port = Services(fleet, QUOTA), Fernet.generate_key().decode(), free_port(0)
    database = f"sqlite+aiosqlite:///{folder / 'presence.db'}"
    unlimited = aiohttp.TCPConnector(limit=0)  # each account posts for itself: they wait for no common connection
    async with serving(services) as url, aiohttp.ClientSession(connector=unlimited) as http:
        await seed(database, Encryption([key]), fleet, f"http://127.0.0.1:{port}", "")
        environment = settings(QUOTA, database, url, key, port)
        logs = Path(tempfile.mkdtemp(dir=folder))
        async with started(0, environment, port, logs):
            rate = tenants * PEOPLE * CALLS_PER_HOUR / 3600
            await Traffic(fleet, rate, TALK, http, Random(7)).run(seconds)
    wrong = sum(phone.shown != phone.wanted for phone in all_phones(fleet))
    late = [SECONDS] * wrong  # what was not shown yet counts as shown at the end
    return [took for _, took in services.latencies] + late
