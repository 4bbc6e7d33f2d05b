"""Matching 100,000 people again when nothing changed: processor time, how long the loop is held, and memory."""

import asyncio
import resource
from pathlib import Path
from time import perf_counter, process_time, thread_time

import pytest
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
from tests.support.storage.stores import empty_store, integration, stored, with_secrets

PEOPLE = 100_000


@pytest.mark.long
async def test_nothing_changed(tmp_path: Path) -> None:
    encryption, clients = Encryption([Fernet.generate_key().decode()]), FakeServiceClients()
    names = [f"person {number:06}" for number in range(PEOPLE)]
    clients.cloudlink.people = [
        CloudLinkUser(f"cloudlink {name}", name, f"{name}@example.com".replace(" ", "."), f"{place:06}")
        for place, name in enumerate(names)
    ]
    clients.graph.accounts = [
        KnownUser(f"teams {one.name}", one.address, one.address, (), enabled=True, guest=False)
        for one in clients.cloudlink.people
    ]
    async with empty_store(tmp_path) as database:
        secrets = dict.fromkeys(("client_secret_sealed", "cloudlink_secret_sealed"), "secret")
        await stored(database, with_secrets(integration(), encryption, **secrets))
        rows = [
            Person(
                id=f"p{place}",
                integration_id="i1",
                cloudlink_user_id=one.user_id,
                name=one.name,
                address=one.address,
                extension=one.extension,
                teams_user_id=f"teams {one.name}",
            ).model_dump()
            for place, one in enumerate(clients.cloudlink.people)
        ]
        async with database.writing() as session:
            await (await session.connection()).execute(insert(Person), rows)
        del rows
        sync = DirectorySync(context_of(database, clients), CredentialStore(encryption))
        await sync.match("i1")

        async def nothing(link: str) -> DirectoryPage:
            return DirectoryPage((), f"{link}+", is_last=True)

        clients.graph.changes = nothing  # type: ignore[method-assign]
        for _ in range(2):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began, processor = perf_counter(), process_time()
            held = await longest_turn(sync.match("i1"))
            print(
                f"\n{PEOPLE} people: {process_time() - processor:.2f} s of processor, "
                f"{perf_counter() - began:.2f} s, "
                f"loop held {held[0] * 1000:.0f} ms (computing {held[1] * 1000:.0f} ms), "
                f"+{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MB"
            )


async def longest_turn(call: object) -> tuple[float, float]:
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
        await call  # type: ignore[misc]
    finally:
        ticking.cancel()
    return longest, computed
