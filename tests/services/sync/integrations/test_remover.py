"""When a removal gives up what it could not clear."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.encryption import Encryption
from storage.queries import integrations
from sync.credentials.store import CredentialStore
from sync.domain.presence import Presence
from sync.integrations.remover import Remover
from sync.phones.subscriptions import Subscriptions
from tests.support.clocks import NOON, FakeClock
from tests.support.services.fake_services import context_of
from tests.support.storage.stores import empty_store, integration, person, stored

HOUR = timedelta(hours=1)
ENCRYPTION = Encryption([Fernet.generate_key().decode()])


@pytest.mark.parametrize(
    ("minutes", "is_there"),
    [([9], True), ([8, 9, 10], False), ([90, 91], True), ([90, 91, 92], False), ([240], False)],
)
async def test_who_was_away_clears_for_a_while_before_the_rest_is_left_to_expire(
    tmp_path: Path, minutes: list[int], is_there: bool
) -> None:
    """The timeout of ten minutes passes, too, while nobody tries: the process was stopped, or the machine slept."""
    clock = FakeClock()
    async with empty_store(tmp_path) as database:
        shown = person(applied=Presence.IN_A_CALL, applied_until=NOON + 4 * HOUR)
        await stored(database, integration(removing_since=NOON, enabled=False), shown)
        remover = remover_of(database, clock)
        for minute in minutes:
            clock.now = NOON + timedelta(minutes=minute)
            await remover.remove("i1")
        async with database.session() as session:
            assert (await integrations.get(session, "i1") is not None) == is_there


def remover_of(database: Database, clock: FakeClock) -> Remover:
    context = context_of(database, clock=clock)
    subscriptions = Subscriptions(context, CredentialStore(ENCRYPTION), "", HOUR)
    return Remover(context, subscriptions, timedelta(minutes=10))
