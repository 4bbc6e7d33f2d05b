"""Matching 100,000 people again when nothing changed: processor time, how long the loop is held, and memory."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time, thread_time

from cryptography.fernet import Fernet
from sqlalchemy import insert

from storage.encryption import Encryption
from storage.tables.people import Person
from sync.credentials.store import CredentialStore
from sync.domain.phone_events import CloudLinkUser
from sync.domain.services import DirectoryPage
from sync.people.directory_mirror import KnownUser
from sync.people.directory_sync import DirectorySync
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import empty_store, integration, person, stored, with_secrets

PEOPLE = 100_000
RESET_PEAK = "5"
"""What sets ``VmHWM`` to the memory in use (proc(5), clear_refs)."""


@dataclass(frozen=True, slots=True)
class Match:
    """In seconds. ``held`` is the longest time between two turns of the loop, ``computing`` its processor time."""

    processor: float
    held: float
    computing: float
    megabytes: float


async def nothing_changed(folder: Path, people: int = PEOPLE) -> Match:
    encryption, clients = Encryption([Fernet.generate_key().decode()]), FakeServiceClients()
    everyone = [
        CloudLinkUser(f"cloudlink {n:06}", f"person {n:06}", f"person.{n:06}@example.com", f"{n:06}")
        for n in range(people)
    ]
    clients.cloudlink.people = everyone
    clients.graph.accounts = [
        KnownUser(f"teams {one.name}", one.address, one.address, (), enabled=True, guest=False) for one in everyone
    ]
    async with empty_store(folder) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), encryption, **secrets))
        alike = person("p").model_dump()
        async with database.writing() as session:
            rows = [alike | _values(number, one) for number, one in enumerate(everyone)]
            await (await session.connection()).execute(insert(Person), rows)
        del rows
        sync = DirectorySync(context_of(database, clients), CredentialStore(encryption))
        await sync.match("i1")

        async def nothing(link: str) -> DirectoryPage:
            return DirectoryPage((), f"{link}+", is_last=True)

        clients.graph.changes = nothing  # type: ignore[method-assign]
        before = memory_from_now()
        began = process_time()
        held, computing = await longest_turn(sync.match("i1"))
        return Match(process_time() - began, held, computing, peak_memory() - before)


def memory_from_now() -> float:
    """The memory that this process holds, in MB: ``peak_memory`` begins with it."""
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    return peak_memory()


def peak_memory() -> float:
    """The most that this process has held at a time, in MB (proc(5), VmHWM)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def _values(number: int, one: CloudLinkUser) -> dict[str, object]:
    return {
        "id": f"p{number}",
        "cloudlink_user_id": one.user_id,
        "name": one.name,
        "address": one.address,
        "extension": one.extension,
        "teams_user_id": f"teams {one.name}",
    }


async def longest_turn(call: Awaitable[object]) -> tuple[float, float]:
    """The longest time between two turns of the event loop while ``call`` runs, and what of it was computing."""
    longest = computed = 0.0

    async def tick() -> None:
        nonlocal longest, computed
        while True:
            began, computing = perf_counter(), thread_time()
            await asyncio.sleep(0.001)
            longest, computed = max(longest, perf_counter() - began), max(computed, thread_time() - computing)

    ticking = asyncio.create_task(tick())
    try:
        await call
    finally:
        ticking.cancel()
    return longest, computed
