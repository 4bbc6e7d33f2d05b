"""Rows of history for a chat."""

from datetime import timedelta
from typing import Any

from storage.queries import history
from tests.support.bot.chat import Chat
from tests.support.bot.fakes import ADMIN, TENANT


async def fill_history(chat: Chat, count: int, **values: Any) -> None:
    given: dict[str, Any] = {
        "owner_tenant": TENANT,
        "integration_id": "i1",
        "integration_name": "Head office",
        "actor_id": ADMIN,
        "actor_name": "Ada",
        "act": "enable",
        "result": history.DONE,
        "facts": {},
    }
    async with chat.database.writing() as session:
        for number in range(count):
            at = chat.now - timedelta(minutes=count - number)
            await history.record(session, now=at, **{**given, **values})
