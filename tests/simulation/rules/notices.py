"""What administrators are informed of: nobody gets two notices about the same thing on one day."""

import json
import sqlite3
from collections import Counter
from datetime import datetime
from pathlib import Path

from storage.tables.conversations import Conversation
from tests.simulation.acts.administrator import ADMIN, TENANT
from tests.simulation.virtual_time import MORNING


def add_recipient(path: Path) -> None:
    """The administrator has spoken with the bot before."""
    row = Conversation(
        tenant_id=TENANT,
        user_object_id=ADMIN.id,
        service_url="",
        conversation_id="chat",
        user_id="user",
        bot_id="bot",
        channel_id="msteams",
        admin_as=ADMIN.id,
        seen_at=MORNING,
    )
    values = {**row.model_dump(), "seen_at": MORNING.strftime("%Y-%m-%d %H:%M:%S.%f")}
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    with sqlite3.connect(path) as connection:
        connection.execute(f"INSERT INTO conversation ({names}) VALUES ({places})", values)  # noqa: S608
    connection.close()


def repeated(path: Path) -> list[str]:
    """The subjects of which one person has two notices that were not dropped."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT integration_id, topic, audience, facts FROM notice WHERE state != 'dropped'")
    subjects = Counter((*row[:3], _subject(json.loads(row[3]))) for row in rows.fetchall())
    connection.close()
    return [f"{count} notices to {subject}" for subject, count in subjects.items() if count > 1]


def is_a_list_doubted(path: Path, since: datetime) -> bool:
    """Whether administrators are informed of a list that lost half of its people, or were ``since`` then.

    It is believed minutes later: only then its people are polled and shown.
    """
    connection = sqlite3.connect(path)
    query = "SELECT count(*) FROM problem WHERE fault = 'lists.shrunk' AND (healed_at IS NULL OR healed_at > ?)"
    (count,) = connection.execute(query, [since.strftime("%Y-%m-%d %H:%M:%S")]).fetchone()
    connection.close()
    return bool(count)


def _subject(facts: dict[str, object]) -> str:
    return f"{facts.get('service', '')} {facts.get('fault', '')}"
