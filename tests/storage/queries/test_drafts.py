from datetime import datetime, timedelta
from pathlib import Path

from storage.queries.chat import drafts
from storage.tables.conversations import Draft
from tests.support.clocks import NOON
from tests.support.storage.stores import empty_store


def draft(step: str = "cloudlink", at: datetime = NOON, user: str = "u1") -> Draft:
    return Draft(tenant_id="t1", user_object_id=user, step=step, values={"region": "eu"}, updated_at=at)


async def test_a_draft_is_stored_changed_replaced_and_deleted(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        async with database.session() as session:
            await drafts.save(session, draft())
        async with database.session() as session:
            kept = await drafts.load(session, "t1", "u1")
        assert kept
        kept.values = {**kept.values, "name": "Vale Verde"}
        async with database.session() as session:
            await drafts.save(session, kept)
        async with database.session() as session:
            again = await drafts.load(session, "t1", "u1")
            assert again
            assert (again.id, again.values) == (kept.id, {"region": "eu", "name": "Vale Verde"})
            await drafts.save(session, draft(step="azure"))
        async with database.session() as session:
            other = await drafts.load(session, "t1", "u1")
            assert other
            assert (other.step, other.id != kept.id) == ("azure", True)
            assert await drafts.load(session, "t2", "u1") is None
            await drafts.delete_one(session, "t1", "u1")
        async with database.session() as session:
            assert await drafts.load(session, "t1", "u1") is None


async def test_abandoned_drafts_are_deleted(tmp_path: Path) -> None:
    async with empty_store(tmp_path) as database:
        async with database.session() as session:
            await drafts.save(session, draft(at=NOON - timedelta(days=9)))
            await drafts.save(session, draft(user="u2"))
        async with database.session() as session:
            assert await drafts.delete_older_than(session, NOON - timedelta(days=7)) == 1
            assert await drafts.load(session, "t1", "u1") is None
            assert await drafts.load(session, "t1", "u2") is not None
