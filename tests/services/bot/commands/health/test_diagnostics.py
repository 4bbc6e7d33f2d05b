"""The file for support: what it says, and that no secret, no person and no other tenant is in it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.chat.exports.diagnostics import settings_facts
from bot.chat.exports.links import DIAGNOSTICS, ExportRequest
from bot.languages import Language
from core.version import VERSION
from settings import Settings
from storage.encryption import Encryption
from storage.tables.people import SentChanges, UnknownState
from storage.tables.problems import Problem
from storage.tables.roles import Member
from sync.domain.roles import Role
from tests.support.bot.chat import KEY, Chat
from tests.support.bot.downloads import fetch, serving_files
from tests.support.bot.fake_operations import real_operations
from tests.support.bot.fakes import STRANGER, TENANT, buttons, link_urls, words
from tests.support.bot.texts import EN
from tests.support.services.fake_services import FakeServiceClients, context_of
from tests.support.storage.stores import integration, person, stored, with_secrets

SECRET_COLUMNS = (
    *("client_secret_sealed", "cloudlink_secret_sealed", "webhook_token_sealed", "certificate_sealed"),
    *("pending_certificate_sealed", "previous_secret_sealed"),
)
KEYS = Fernet.generate_key().decode()
SENT = {"presence": "Busy/InACall", "result": "refused", "detail": "403 Forbidden"}
GIVEN: dict[str, Any] = {
    "public_url": "https://bot.private.example/path-7f",
    "database_url": "postgresql://dbuser:dbpass-7f@db.private.example/presence",
    "secret_keys": KEYS,
    "bot_app_password": "app-password-7f",
    "certificate_password": "certificate-password-7f",
    "certificate_path": "/private-7f/file.pfx",
    "admins": ("owner-7f@private.example",),
    "host_credential_tenants": ("77777777-0000-4000-8000-000000000007/77777777-0000-4000-8000-000000000008",),
    "cloudlink_url": "https://{service}.cloudlink.example/path-7f",
}
HIDDEN = ("7f", "private.example", "77777777", KEYS)


def given_settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, **GIVEN)


@pytest.fixture
async def served(chat: Chat, tmp_path: Path) -> AsyncIterator[Chat]:
    """Two tenants' integrations with secrets, people, a problem and sent changes, and one tenant's chat."""
    encryption = Encryption([KEY])
    chat.operations = real_operations(context_of(chat.database, FakeServiceClients(), clock=chat.clock), encryption)
    for key, tenant in (("i1", TENANT), ("i2", "theirs")):
        row = integration(
            id=key, owner_tenant=tenant, tenant_id=tenant, name=f"Company {key}", status_text="On call"
        )
        secrets = {column: f"plain-{column}" for column in SECRET_COLUMNS}
        cause = {**SENT, "at": chat.now.isoformat(), "cause": f"cause {key}", "request_id": f"request {key}"}
        one = person(f"person-{key}", integration_id=key, address="sofia@contoso.example")
        one.name = "Sofia Conceição"
        problem = Problem(
            integration_id=key,
            service="graph",
            fault="graph.consent_missing",
            facts={"permissions": "Presence", "who": "Rui Costa"},
            since=chat.now,
            checked_at=chat.now,
        )
        await stored(chat.database, with_secrets(row, encryption, **secrets), one, problem)
        await stored(
            chat.database,
            SentChanges(person_id=one.id, newest_at=chat.now, newest=cause),
            UnknownState(integration_id=key, name="Sofia Conceição", count=1, last_at=chat.now),
        )
    async with serving_files(chat, settings_facts(given_settings(tmp_path).model_dump())):
        yield chat


async def downloaded(chat: Chat) -> str:
    (url,) = link_urls(await chat.say("diagnostics"))
    status, headers, text = await fetch(url)
    assert status == 200
    assert headers["Content-Disposition"].endswith('cloudlink-presence-diagnostics-2026-11-22.json"')
    return text


async def test_it_says_what_runs_and_how_the_integrations_do(served: Chat) -> None:
    found = json.loads(await downloaded(served))
    assert (found["version"], found["database"]) == (VERSION, "sqlite")
    assert found["settings"]["public_url_set"] is True
    assert found["settings"]["cloudlink_url"] == "{service}.cloudlink.example"
    (one,) = found["integrations"]
    assert (one["id"], one["people"], one["freshness"]) == ("i1", 1, "no_url")
    at = served.now.isoformat()
    assert one["problems"] == [{"service": "graph", "fault": "graph.consent_missing", "since": at}]
    ids = {"person": "person-i1", "at": at, "cause": "cause i1", "request_id": "request i1"}
    assert one["changes"] == [{**SENT, **ids}]


async def test_no_secret_no_name_and_nothing_of_another_tenant_is_in_it(served: Chat) -> None:
    text = await downloaded(served)
    async with served.database.engine.connect() as connection:
        row = (await connection.exec_driver_sql("SELECT * FROM integration WHERE id = 'i1'")).mappings().one()
    sealed = [row[column] for column in (*SECRET_COLUMNS, "webhook_token_hash")]
    people = ("Sofia", "Conceição", "Concei", "contoso.example", "Rui Costa", "Company", "On call", "ext ")
    theirs = ("theirs", "i2", "cause i2", "person-i2")
    assert all(sealed)
    assert [word for word in (*sealed, "plain-", KEY, *HIDDEN, *people, *theirs) if word in text] == []


def test_every_setting_is_shown_on_purpose(tmp_path: Path) -> None:
    """Whatever a setting holds, only the values of the few that are named are given."""
    facts = json.dumps(settings_facts(given_settings(tmp_path).model_dump()))
    assert [word for word in HIDDEN if word in facts] == []


async def test_a_viewer_has_no_such_file_not_even_by_a_link_of_before(served: Chat) -> None:
    viewer = Member(owner_tenant=TENANT, user_object_id=STRANGER, role=Role.VIEWER, invited_at=served.now)
    await stored(served.database, viewer)
    assert served.export_links
    request = ExportRequest(TENANT, STRANGER, Language.ENGLISH, "", DIAGNOSTICS)
    assert (await fetch(served.export_links.create(request, "")))[0] == 404
    served.person = STRANGER
    await served.say("hello")
    assert EN("not_for_role.title") in words(await served.say("diagnostics"))


async def test_without_a_public_address_the_card_says_so(chat: Chat) -> None:
    card = await chat.say("diagnóstico")
    assert EN("export.unreachable") in words(card)
    assert set(buttons(card)) == {"command.status"}
