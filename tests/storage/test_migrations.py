"""What the rows of an earlier release become."""

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import column, create_engine, table
from sqlalchemy.pool import NullPool
from sqlmodel import select

from storage.database import open_database, sync_url
from storage.queries.people import endpoints
from storage.schema import MIGRATIONS, migrate
from storage.tables.conversations import Press
from storage.tables.integrations import Integration
from storage.tables.people import Call, Person, SentChanges
from tests.support.storage.people_rows import calls_by_person

EARLIER = "2026-11-29 10:00:00"
LATER = "2026-11-29 11:00:00"


def with_rows_of(url: str, revision: str, insert: Callable[[Any], None]) -> None:
    """Bring an unused database to ``revision``, and fill it."""
    engine = create_engine(sync_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        insert(lambda name, values: _insert(connection, name, values))
    engine.dispose()


def _insert(connection: Any, name: str, values: dict[str, Any]) -> None:
    connection.execute(table(name, *map(column, values)).insert(), values)


def _integration(insert: Any) -> None:
    texts = ("cloudlink_region", "cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")
    others = ("cloudlink_client_id", "subscription_id", "subscription_url_hash", "webhook_token_hash")
    given = {
        "id": "i1",
        "owner_tenant": "t",
        "name": "n",
        "enabled": True,
        "feature_version": 1,
        "created_at": EARLIER,
        "polled_at": LATER,
        "tenant_id": "ENTRA",
        "client_id": "An-Application",
        "cloudlink_account_id": "c",
        "quota_spent": "[]",
    }
    insert("integration", given | dict.fromkeys((*texts, *others), ""))


def _person(insert: Any, row_id: str, **values: Any) -> None:
    given = {
        "id": row_id,
        "integration_id": "i1",
        "cloudlink_user_id": row_id,
        "extension": f"ext {row_id}",
        "address": "",
        "teams_user_id": f"teams {row_id}",
        "excluded": False,
        "gone": False,
        "do_not_disturb": False,
        "offline": False,
        "phone_at": 0,
        "line": "idle",
        "refusal": "",
    }
    insert("person", {**given, "name": row_id, **values})


def _call(insert: Any, person_id: str, call_id: str, state: str, at: int) -> None:
    values = {"person_id": person_id, "call_id": call_id, "state": state, "conference": False, "at": at}
    insert("call", {**values, "heard_at": EARLIER})


def _rows_without_endpoints(insert: Any) -> None:
    shown = {"line": "on_call", "desired": "Busy/InACall", "applied": "Busy/InACall", "desired_at": EARLIER}
    _integration(insert)
    _person(insert, "talking", **shown)
    _person(insert, "disturbed", line="do_not_disturb", do_not_disturb=True, phone_at=7, phone_heard_at=EARLIER)
    _person(insert, "new", line="unknown")
    _person(insert, "no extension", extension=None, **shown)
    _call(insert, "talking", "on", "connected", 5)
    _call(insert, "talking", "over", "ended", 4)
    _call(insert, "talking", "endpoints/ext talking/calls/33", "ended", 9)
    _call(insert, "talking", "33", "connected", 8)
    _call(insert, "talking", "/endpoints/softphone/calls/44", "held", 8)
    _call(insert, "no extension", "x", "connected", 5)


async def test_calls_and_phones_become_those_of_their_persons_own_endpoint(url: str) -> None:
    with_rows_of(url, "0006", _rows_without_endpoints)
    async with open_database(url) as database:
        await migrate(database)
        names = ["talking", "disturbed", "new", "no extension"]
        async with database.session() as session:
            people = {name: await session.get(Person, name) for name in names}
            seen = await endpoints.endpoints_by_person(session, names)
            calls = await calls_by_person(session, names)
    assert {(call.extension, call.call_id): (call.state, call.at) for call in calls["talking"]} == {
        ("ext talking", "on"): ("connected", 5),
        ("ext talking", "over"): ("ended", 4),
        ("ext talking", "33"): ("ended", 9),
        ("softphone", "44"): ("held", 8),
    }
    flags = {
        name: [(row.extension, row.do_not_disturb, row.at, row.heard_at is None) for row in rows]
        for name, rows in seen.items()
    }
    assert flags["disturbed"] == [("ext disturbed", True, 7, False)]
    assert sorted(flags["talking"]) == [("ext talking", False, 0, False), ("softphone", False, 0, False)]
    assert flags["new"] == flags["no extension"] == []
    states = {name: (row.line, row.desired, row.applied) for name, row in people.items() if row}
    assert states["talking"] == states["no extension"] == ("on_call", "Busy/InACall", "Busy/InACall")
    assert states["disturbed"] == ("do_not_disturb", None, None)
    heard = {name: str(row.heard_at)[:19] for name, row in people.items() if row}
    assert heard == {"talking": LATER, "disturbed": LATER, "no extension": LATER, "new": "None"}


async def test_two_people_may_have_one_extension_after_it_and_rows_still_refer_to_each_other(url: str) -> None:
    with_rows_of(url, "0006", _rows_without_endpoints)
    async with open_database(url) as database:
        await migrate(database)
        async with database.writing() as session:
            for name in ("a", "b"):
                session.add(Person(id=name, integration_id="i1", cloudlink_user_id=name, extension="ext talking"))
        async with database.writing() as session:
            person = await session.get(Person, "talking")
            assert person
            await session.delete(person)
        async with database.session() as session:
            assert await session.get(Call, ("talking", "ext talking", "on")) is None


async def test_ids_become_lower_case(url: str) -> None:
    with_rows_of(url, "0006", _integration)
    async with open_database(url) as database:
        await migrate(database)
        async with database.session() as session:
            row = await session.get(Integration, "i1")
    assert row
    assert (row.tenant_id, row.client_id) == ("entra", "an-application")


def _history(insert: Any) -> None:
    _integration(insert)
    empty = dict.fromkeys(("integration_name", "actor_id", "actor_name"), "")
    for row_id, act, result, at in (
        ("a", "enable", "done", EARLIER),
        ("b", "enable", "graph.consent_missing", LATER),
        ("c", "rename", "done", LATER),
    ):
        values = {"id": row_id, "act": act, "result": result, "at": at, "facts": "{}"}
        insert("act", {"owner_tenant": "t", "integration_id": "i1", **values, **empty})


async def test_since_when_presence_is_enabled_is_read_from_the_history(url: str) -> None:
    with_rows_of(url, "0020", _history)
    async with open_database(url) as database:
        await migrate(database)
        async with database.session() as session:
            row = await session.get(Integration, "i1")
    assert row
    assert str(row.enabled_at)[:19] == EARLIER


async def test_what_was_sent_last_is_kept_in_columns(url: str) -> None:
    sent = {"person_id": "talking", "newest_at": LATER, "entries": '[{"at":"2"},{"at":"1"}]'}
    with_rows_of(url, "0006", _rows_without_endpoints)
    with_rows_of(url, "0033", lambda insert: insert("sentchanges", sent))
    async with open_database(url) as database:
        await migrate(database)
        async with database.session() as session:
            row = await session.get(SentChanges, "talking")
    assert row
    assert row.entries == [{"at": "2"}, {"at": "1"}]


def _presses(insert: Any) -> None:
    for stamp, verb, by in (
        ("a", "enable.now", "Ana"),
        ("a", "disable.now", "Rui"),
        ("a", "unfinished:disable.now", "process 1"),
        ("b", "disable.now", "Eva"),
    ):
        values = {"owner_tenant": "t", "stamp": stamp, "verb": verb, "pressed_by": by, "at": EARLIER}
        insert("press", values)


async def test_which_process_does_what_was_pressed_is_in_the_row_of_the_press(url: str) -> None:
    with_rows_of(url, "0036", _presses)
    async with open_database(url) as database:
        await migrate(database)
        async with database.session() as session:
            rows = (await session.exec(select(Press))).all()
    assert {(row.stamp, row.verb): (row.pressed_by, row.locked_by) for row in rows} == {
        ("a", "enable.now"): ("Ana", ""),
        ("a", "disable.now"): ("Rui", "process 1"),
        ("b", "disable.now"): ("Eva", ""),
    }
