"""How long after SIGKILL of a worker the other has shown everybody, with real processes on PostgreSQL."""

from pathlib import Path
from time import monotonic

from tests.chaos.test_failover import EXTENSIONS, is_held, running_cluster
from tests.chaos.workers import presence_matches_phones
from tests.support.eventually import eventually


async def seconds(folder: Path) -> float:
    """The one that is killed has asked Graph and got no answer yet."""
    async with running_cluster(folder) as (cluster, _):
        for gate in cluster.gates.values():
            gate.closed = True
        await cluster.sandbox.call(EXTENSIONS[0])
        await eventually(lambda: is_held(cluster))
        [victim] = cluster.holding()
        for gate in cluster.gates.values():
            gate.closed = False
        for extension in EXTENSIONS[1:9]:
            await cluster.sandbox.call(extension)
        await cluster.sandbox.hangup(EXTENSIONS[0])
        died = monotonic()
        await cluster.kill(victim)
        await eventually(lambda: presence_matches_phones(cluster.sandbox, EXTENSIONS))
        return monotonic() - died
