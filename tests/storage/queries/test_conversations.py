from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.database import Database
from storage.queries.chat import conversations
from storage.tables.conversations import Conversation
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store


async def remember(database: Database, **changes: Any) -> None:
    values = {
        "tenant_id": "t1",
        "user_object_id": "u1",
        "service_url": "https://one.example/",
        "conversation_id": "c1",
        "user_id": "29:1",
        "bot_id": "28:1",
        "channel_id": "msteams",
        "locale": "pt-PT",
        "now": NOON,
    }
    async with database.session() as session:
        await conversations.upsert(session, **{**values, **changes})


async def found(database: Database, tenant: str = "t1") -> Conversation | None:
    async with database.session() as session:
        return await conversations.find(session, tenant, "u1")


async def test_the_newest_address_is_kept_and_the_language_survives(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await remember(database)
        async with database.session() as session:
            await conversations.set_language(session, "t1", "u1", "en")
            await conversations.mark_welcomed(session, "t1", "u1")
        later = NOON + timedelta(hours=1)
        await remember(database, service_url="https://two.example/", locale="", now=later)
        row = await found(database)
        assert row
        assert (row.service_url, row.seen_at) == ("https://two.example/", later)
        assert (row.language, row.welcomed, row.locale) == ("en", True, "pt-PT")


async def test_a_person_who_blocked_the_bot_is_unreachable_until_they_write(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await remember(database)
        async with database.session() as session:
            await conversations.mark_unreachable(session, "t1", "u1")
        row = await found(database)
        assert row
        assert row.unreachable
        await remember(database)
        row = await found(database)
        assert row
        assert not row.unreachable


async def test_another_tenants_conversation_is_not_found_nor_changed(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        await remember(database)
        assert await found(database, "t2") is None
        async with database.session() as session:
            await conversations.set_language(session, "t2", "u1", "en")
        row = await found(database)
        assert row
        assert row.language is None
