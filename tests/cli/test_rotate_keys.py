"""``python app.py rotate-keys``, as a process: killed and resumed, while a bot is running, with a vault's keys."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, insert
from sqlalchemy.pool import NullPool
from sqlmodel import Session, select

from storage.database import sync_url
from storage.encryption import Encryption, place_of
from storage.tables.integrations import Integration
from tests.support.processes import app_process, run_app, run_command
from tests.support.services.vaults import Vault, open_vault
from tests.support.storage.stores import each_database as each_database
from tests.support.storage.stores import empty_database, integration

OLD, NEW, FOREIGN = (Fernet.generate_key().decode() for _ in range(3))
SEALED = ("cloudlink_secret_sealed", "client_secret_sealed", "webhook_token_sealed")
"""What each integration has."""

OFFLINE = dict.fromkeys(("ENTRA_URL", "GRAPH_URL", "CLOUDLINK_URL"), "http://127.0.0.1:1") | {
    "DANGEROUSLY_ALLOW_UNAUTHENTICATED": "true"
}


@pytest.fixture
def url(each_database: str, tmp_path: Path) -> Iterator[str]:
    with empty_database(tmp_path) as url:
        assert run_app(tmp_path, "migrate", DATABASE_URL=url)[0] == 0
        yield url


def fill(url: str, count: int, key: str = OLD) -> None:
    """Integrations whose secrets are bare tokens of an earlier release; nothing polls for them."""
    sealed = dict.fromkeys(SEALED, Fernet(key).encrypt(b"hunter2hunter2").decode())
    rows = [integration(id=f"i{number:06}", enabled=False, **sealed).model_dump() for number in range(count)]
    with create_engine(sync_url(url), poolclass=NullPool).begin() as connection:
        connection.execute(insert(Integration), rows)


def sealed_with(url: str, key: str) -> int:
    """How many secrets are encrypted with this key, for their place."""
    encryption = Encryption([key])
    with Session(create_engine(sync_url(url), poolclass=NullPool)) as session:
        rows = session.exec(select(Integration)).all()
    return sum(encryption.can_decrypt(getattr(row, name), place_of(row, name)) for row in rows for name in SEALED)


@pytest.mark.long
def test_killed_half_way_it_continues_where_it_was(url: str, tmp_path: Path) -> None:
    fill(url, 2000)
    keys = f"{NEW},{OLD}"
    with app_process(tmp_path, "rotate-keys", DATABASE_URL=url, SECRET_KEYS=keys) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "integration.cloudlink_secret_sealed: 500 again, 0 already, 0 unreadable\n"
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    done = sealed_with(url, NEW)
    assert 500 <= done < 6_000
    code, output, errors = run_app(tmp_path, "rotate-keys", DATABASE_URL=url, SECRET_KEYS=keys)
    assert (code, errors, sealed_with(url, NEW)) == (0, "", 6_000)
    last = f"{6_000 - done} secrets encrypted again with the first key, {done} had it already."
    assert output.splitlines()[-1] == last
    assert not {NEW, OLD, "hunter2hunter2"} & set(output.split())


@pytest.mark.long
def test_starts_that_are_killed_and_two_at_a_time_bind_every_secret(url: str, tmp_path: Path) -> None:
    """A start encrypts what an earlier release stored for its place; what was done stays done."""
    fill(url, 2000, NEW)
    settings = {"DATABASE_URL": url, "SECRET_KEYS": NEW, **OFFLINE}
    with app_process(tmp_path, "serve", **settings) as killed:
        while not (done := sealed_with(url, NEW)):
            assert killed.returncode is None
        killed.kill()
        assert killed.wait(60) == -signal.SIGKILL
    assert done <= sealed_with(url, NEW) <= 6_000  # all of them if the machine was busy elsewhere
    with app_process(tmp_path, "serve", **settings) as first, app_process(tmp_path, "serve", **settings) as second:
        for bot in (first, second):
            assert any("listening" in line for line in iter(bot.stdout.readline, "")), bot.stderr.read()
            assert sealed_with(url, NEW) == 6_000


def test_an_unreadable_secret_is_exit_code_1_and_says_what_to_do(url: str, tmp_path: Path) -> None:
    fill(url, 2, FOREIGN)
    code, output, _ = run_app(tmp_path, "rotate-keys", DATABASE_URL=url, SECRET_KEYS=f"{NEW},{OLD}")
    assert code == 1
    assert "6 cannot be decrypted" in output.splitlines()[-1]
    assert "enter the secrets again" in output.splitlines()[-1]
    assert run_app(tmp_path, "rotate-keys", DATABASE_URL=url, SECRET_KEYS=f"{NEW},{FOREIGN}")[0] == 0
    assert sealed_with(url, NEW) == 6


def test_with_one_key_it_says_that_none_was_changed(url: str, tmp_path: Path) -> None:
    said = [run_app(tmp_path, "rotate-keys", DATABASE_URL=url, SECRET_KEYS=keys) for keys in (OLD, f"{NEW},{OLD}")]
    assert ["There is only one key" in output for _, output, _ in said] == [True, False]
    assert [code for code, _, _ in said] == [0, 0]


def test_a_running_bot_continues(url: str, tmp_path: Path) -> None:
    fill(url, 50)
    settings = {"DATABASE_URL": url, "SECRET_KEYS": f"{NEW},{OLD}", **OFFLINE}
    with app_process(tmp_path, "serve", **settings) as bot:
        assert bot.stdout is not None
        assert any("listening" in line for line in iter(bot.stdout.readline, ""))
        assert run_app(tmp_path, "rotate-keys", **settings)[0] == 0
        bot.send_signal(signal.SIGTERM)
        output, errors = bot.communicate(timeout=60)
    assert (bot.returncode, errors) == (0, "")
    assert "unreadable" not in output
    assert sealed_with(url, NEW) == 150


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    async with open_vault(tmp_path) as vault:
        yield vault


async def with_the_vaults_keys(vault: Vault, folder: Path, *arguments: str) -> tuple[int, str, str]:
    settings = {"KEY_VAULT_SECRET": vault.secret_url(), **vault.environment}
    return await asyncio.to_thread(run_command, folder, *arguments, **settings)


async def test_the_keys_may_be_in_a_vault(vault: Vault, tmp_path: Path) -> None:
    vault.secrets["presence-keys"] = f"{NEW},{OLD}"
    url = f"sqlite:///{tmp_path / 'data/presence.db'}"
    assert (await asyncio.to_thread(run_app, tmp_path, "migrate"))[0] == 0
    fill(url, 2)
    code, output, errors = await with_the_vaults_keys(vault, tmp_path, "rotate-keys")
    assert (code, errors, sealed_with(url, NEW)) == (0, "", 6)
    assert not (tmp_path / "data/secret.key").exists()
    assert NEW not in output


@pytest.mark.long
@pytest.mark.parametrize(
    ("value", "status", "says"),
    [("", 403, "may not read"), (f"{NEW},hunter2hunter2", 200, "key 2 is not a Fernet key")],
    ids=["that may not be read", "with a wrong key"],
)
async def test_a_vault_without_good_keys_is_a_sentence(
    value: str, status: int, says: str, vault: Vault, tmp_path: Path
) -> None:
    vault.secrets["presence-keys"], vault.status = value, status
    code, output, errors = await with_the_vaults_keys(vault, tmp_path, "rotate-keys")
    assert (code, "Traceback" in output + errors) == (2, False)
    assert "KEY_VAULT_SECRET" in errors
    assert says in errors
    assert not [secret for secret in (NEW, "hunter2") if secret in output + errors]
