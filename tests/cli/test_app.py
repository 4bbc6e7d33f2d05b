"""The application as a whole: refused starts, answers to unauthenticated requests, the log."""

import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from app import bring_up_to_date, offer_claim, warn_of_unreadable_files
from core.http.server import CannotListen, listening
from settings import Settings
from tests.support.application import both_ports, running_app
from tests.support.processes import app_process, run_app, run_command
from tests.support.storage.postgres import fresh_database
from tests.support.storage.stores import sqlite_with_tables
from tests.support.tools import ROOT


def test_it_refuses_to_start_without_authentication(tmp_path: Path) -> None:
    code, output, errors = run_command(tmp_path)
    assert (code, output, "Traceback" in errors) == (2, "", False)
    assert "BOT_APP_ID" in errors


MADE = re.compile(r"^In a personal chat with the bot, type: +claim (([A-Z2-9]{4}-){4}[A-Z2-9]{4})$", re.MULTILINE)
KEY = Fernet.generate_key().decode()
SWITCH = {"DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true"}
JSON = "application/json"

Answer = tuple[int, str, Collection[str]]
"""Status, text and the names of the headers."""

Send = Callable[..., Awaitable[Answer]]


@pytest.mark.parametrize(("arguments", "allowed"), [(("--tenant", "T2"), "t1,t2"), ((), "t1")])
def test_it_makes_a_code_for_the_first_owner_of_a_tenant(
    tmp_path: Path, arguments: tuple[str, ...], allowed: str
) -> None:
    assert run_app(tmp_path, "migrate")[0] == 0
    settings = {**SWITCH, "ALLOWED_TENANTS": allowed, "LOG_FORMAT": "json"}
    code, output, errors = run_app(tmp_path, "claim-code", *arguments, **settings)
    assert (code, errors) == (0, "")
    file = tmp_path / "data/claim-code.txt"
    assert str(file.relative_to(tmp_path)) in output
    shown = MADE.findall(file.read_text())[0][0]
    with sqlite3.connect(tmp_path / "data/presence.db") as database:
        ((tenant, name),) = database.execute("SELECT tenant_id, id FROM claimcode").fetchall()
    database.close()
    assert (tenant, name) == (allowed[-2:], shown[:4])
    assert shown not in output
    assert shown.replace("-", "").encode() not in (tmp_path / "data/presence.db").read_bytes()


@pytest.mark.parametrize(("arguments", "allowed"), [(("--tenant", "t3"), "t1,t2"), ((), "t1,t2")])
def test_it_makes_no_code_for_a_tenant_that_is_not_allowed(
    tmp_path: Path, arguments: tuple[str, ...], allowed: str
) -> None:
    code, output, errors = run_app(tmp_path, "claim-code", *arguments, **SWITCH, ALLOWED_TENANTS=allowed)
    assert (code, output) == (2, "")
    assert "--tenant" in errors


@pytest.mark.parametrize(("admins", "codes"), [("", 1), ("ana@valeverde.example", 0)])
async def test_without_an_owner_a_start_makes_a_code_and_neither_prints_nor_logs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], admins: str, codes: int
) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, admins=admins, allowed_tenants=str(UUID(int=1)))
    await bring_up_to_date(settings)
    with capture_logs() as logs:
        await offer_claim(settings)
    file = tmp_path / "claim-code.txt"
    assert len(MADE.findall(file.read_text() if file.exists() else "")) == codes
    assert not MADE.findall(capsys.readouterr().out)
    assert logs == []


def test_it_refuses_to_be_open_to_others_without_authentication(tmp_path: Path) -> None:
    code, _, errors = run_app(tmp_path, **SWITCH, HOST="0.0.0.0")  # noqa: S104
    assert code == 2
    assert "loopback" in errors


@pytest.mark.parametrize(
    ("name", "value"),
    [("PRESENCE_QUOTA", "none"), ("SECRET_KEYS", "oops-a-secret"), ("BOT_APP_TYPE", "SingelTenant")],
)
def test_it_names_a_wrong_setting_and_does_not_show_its_value(name: str, value: str, tmp_path: Path) -> None:
    code, output, errors = run_app(tmp_path, **{**SWITCH, name: value})
    assert code == 2
    assert name in errors
    assert value not in errors + output


@pytest.mark.parametrize("command", ["serve", "migrate", "copy-database", "rotate-keys"])
@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://bot:sesame@open@db.example/presence", "write @ as %40"),
        ("postgresql://bot:sesame", "is no address"),
        ("postgresql://bot:x@127.0.0.1:1/presence?connect_timeout=sesame", "does not accept an option"),
    ],
)
def test_a_wrong_database_address_is_a_sentence_that_repeats_nothing_of_it(
    address: str, says: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    sqlite_with_tables(tmp_path / "data")
    code, output, errors = run_app(tmp_path, command, **SWITCH, SECRET_KEYS=KEY, DATABASE_URL=address)
    assert (code, "Traceback" in output + errors) == (2, False)
    assert ("DATABASE_URL" in errors, says in errors) == (True, True)
    assert not [word for word in ("sesame", "open@", "bot:") if word in output + errors]


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output, errors = run_app(tmp_path, **SWITCH, PORT=port)
    assert (code, "Traceback" in output + errors) == (2, False)
    assert f"port {port}: another program listens there" in errors
    assert "PORT" in errors


@pytest.mark.parametrize(
    ("host", "says"), [("192.0.2.1", "another address"), ("no.such.host.invalid", "no address")]
)
async def test_an_address_of_another_machine_is_a_sentence(host: str, says: str) -> None:
    with pytest.raises(CannotListen, match=says):
        async with listening(web.Application(), host, 0):
            pass


@pytest.mark.parametrize("command", ["serve", "migrate", "rotate-keys"])
@pytest.mark.parametrize("is_file", [True, False], ids=["a file", "below a file"])
def test_a_folder_that_cannot_be_used_is_named_with_its_setting(
    is_file: bool, command: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" if is_file else tmp_path / "file/data"
    code, output, errors = run_app(tmp_path, command, **SWITCH, DATA_DIR=str(folder))
    assert (code, "Traceback" in output + errors) == (2, False)
    assert f"DATA_DIR: {folder}:" in errors


def test_a_database_that_cannot_be_opened_under_the_folder_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "data/presence.db").mkdir(parents=True)
    code, _, errors = run_app(tmp_path, **SWITCH)
    assert (code, "DATA_DIR: The database does not answer" in errors) == (2, True)


def test_files_that_are_not_there_yet_are_logged_with_their_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    missing = tmp_path / "missing"
    with capture_logs() as logs:
        for certificate, token in ((tmp_path / "file", missing), (tmp_path, tmp_path / "file")):
            warn_of_unreadable_files(
                Settings(_env_file=None, certificate_path=certificate, federated_token_file=token)
            )
    assert [(each["event"], each["setting"], each["path"]) for each in logs] == [
        ("file_unreadable", "FEDERATED_TOKEN_FILE", str(missing)),
        ("file_unreadable", "CERTIFICATE_PATH", str(tmp_path)),
    ]


def test_it_refuses_wrong_cloudlink_tables(tmp_path: Path) -> None:
    tables = tmp_path / "tables.json"
    tables.write_text('{"call_states": {"talking": "dancing"}}')
    code, _, errors = run_app(tmp_path, **SWITCH, CLOUDLINK_TABLES=str(tables))
    assert code == 2
    assert "CLOUDLINK_TABLES" in errors


@pytest.mark.parametrize(
    ("environment", "arguments", "says"),
    [
        ({}, (), "BOT_APP_ID"),
        ({}, ("claim-code", "--tenant", "t1"), "BOT_APP_ID"),
        ({**SWITCH, "CLOUDLINK_TABLES": "tables.json"}, (), "CLOUDLINK_TABLES"),
        (SWITCH, ("web",), "DATABASE_URL"),
        (SWITCH, (), "secret.key"),
        ({}, ("rotate-keys",), "secret.key"),
    ],
)
def test_a_refused_start_leaves_the_database_alone(
    environment: dict[str, str], arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    (tmp_path / "tables.json").write_text('{"call_states": {"talking": "dancing"}}')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secret.key").touch(0o600)
    (tmp_path / "data/secret.key").write_text("not a key")
    code, _, errors = run_app(tmp_path, *arguments, **environment)
    assert (code, "Traceback" in errors) == (2, False)
    assert says in errors
    assert not (tmp_path / "data/presence.db").exists()


@pytest.mark.parametrize(
    ("environment", "arguments", "missing"),
    [
        ({}, ("rotate-keys",), "secret.key"),
        ({"SECRET_KEYS": KEY}, ("rotate-keys",), "presence.db"),
        ({"DATABASE_URL": "postgresql://bot@127.0.0.1:1/presence"}, ("rotate-keys",), "secret.key"),
        ({**SWITCH, "ALLOWED_TENANTS": "t1"}, ("claim-code", "--tenant", "t1"), "presence.db"),
    ],
)
def test_a_command_on_what_is_stored_makes_no_store_and_no_key(
    environment: dict[str, str], arguments: tuple[str, ...], missing: str, tmp_path: Path
) -> None:
    code, output, errors = run_app(tmp_path, *arguments, **environment)
    assert (code, output) == (2, "")
    assert f"DATA_DIR: {tmp_path / 'data'}: there is no {missing}." in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_torn", [True, False], ids=["torn", "something else"])
def test_a_damaged_database_is_a_sentence(is_torn: bool, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    sqlite_with_tables(tmp_path / "data")
    file = tmp_path / "data/presence.db"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if is_torn else b"something else " * 9999)
    code, _, errors = run_app(tmp_path, **SWITCH)
    assert code == 2
    assert "The database is damaged" in errors
    assert "put it back from a backup" in errors
    assert "Traceback" not in errors


def test_it_refuses_a_database_newer_than_itself(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data/presence.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.close()
    code, _, errors = run_app(tmp_path, **SWITCH)
    assert code == 2
    assert "newer" in errors


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with app_process(tmp_path, **SWITCH, LOG_FORMAT="text") as process:
        assert any("listening" in line for line in iter(process.stdout.readline, ""))
        assert "claim-code --tenant ID" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (tmp_path / "data/secret.key").stat().st_mode & 0o777 == 0o600


def test_slow_imports_are_deferred() -> None:
    """A start takes a second; each of these would add as much, or is not always needed."""
    slow = [
        "msgraph",
        "kiota_abstractions",
        "alembic",
        "procrastinate",
        "psycopg",
        "azure.identity",
        "azure.keyvault",
    ]
    loaded = f"import sys, app; print(*(name for name in {slow} if name in sys.modules))"
    loaded_slow = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded_slow.stdout.split() == []


async def test_it_is_alive_ready_and_measured(tmp_path: Path) -> None:
    async with both_ports(tmp_path) as running:
        for path, text in (("healthz", "alive"), ("readyz", "ready"), ("metrics", "cloudlink_presence_")):
            async with running.http.get(f"{running.operations}/{path}") as response:
                assert response.status == 200
                assert text in await response.text()


@pytest.fixture
async def send(tmp_path: Path) -> AsyncIterator[Send]:
    """Sends requests to the running application: method, path, body, content type."""
    async with running_app(tmp_path) as (url, http):

        async def send(method: str, path: str, body: bytes = b"", content_type: str = JSON) -> Answer:
            headers = {"Content-Type": content_type}
            async with http.request(method, url + path, data=body, headers=headers) as response:
                return response.status, await response.text(), response.headers.keys()

        yield send


async def test_a_bad_message_is_a_4xx_and_one_log_line(
    send: Send, capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    for method, body, content_type, expected in (
        ("GET", b"", JSON, 405),
        ("PUT", b"{}", JSON, 405),
        ("POST", b"{}", "text/plain", 415),
        ("POST", b"{broken", JSON, 400),
        ("POST", b"[]", JSON, 400),
        ("POST", b"{}", JSON, 400),
        ("POST", b'{"type": "conquest"}', JSON, 400),
        ("POST", b" " * 300_000, JSON, 413),
    ):
        with subtests.test(f"{method} {content_type} {body[:20]!r}"):
            capsys.readouterr()
            status, _, _ = await send(method, "/api/messages", body, content_type)
            assert status == expected
            logged = capsys.readouterr().out.splitlines()
            assert len([line for line in logged if "refused" in line]) == 1


async def test_an_unknown_path_is_404_and_says_nothing(send: Send, subtests: pytest.Subtests) -> None:
    for method, path in (
        ("POST", "/webhooks/cloudlink/guess"),
        ("POST", "/webhooks/cloudlink/" + "x" * 500),
        ("POST", "/webhooks/other/x"),
        ("GET", "/exports/guess"),
        ("GET", "/exports/" + "x" * 3000),
    ):
        with subtests.test(path[:40]):
            status, text, headers = await send(method, path, b"{}" if method == "POST" else b"")
            assert status == 404
            assert "token" not in text.lower()
            assert "Content-Disposition" not in headers


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_role_of_its_own_needs_a_postgresql(tmp_path: Path, role: str) -> None:
    code, output, errors = run_app(tmp_path, role, **SWITCH)
    assert code == 2
    assert "DATABASE_URL" in errors
    assert "Traceback" not in errors + output


def test_migrate_brings_the_tables_up_to_date_and_ends(tmp_path: Path) -> None:
    with fresh_database() as url:
        for times in range(2):
            code, output, errors = run_app(tmp_path, "migrate", DATABASE_URL=url)
            assert (code, errors) == (0, "")
            assert output.count("database_migrated") == (times == 0)
