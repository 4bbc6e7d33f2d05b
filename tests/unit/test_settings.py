"""Settings: what is refused, and that a refusal never shows what was typed."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from settings import Settings


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMINS", "ana@contoso.example, 11111111-2222-3333-4444-555555555555 ,")
    assert settings().admins == ("ana@contoso.example", "11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("bot_tenant", "allowed", "home"),
    [
        ("", "", ""),
        ("T1", "", "t1"),
        ("t1", "T1,t2", "t1"),
        ("t1", "t2,t3", ""),
        ("t1", "T2", "t2"),
        ("", "t2", "t2"),
        ("", "t2,t3", ""),
    ],
)
def test_a_name_needs_no_tenant_before_it_where_only_one_can_be_meant(
    bot_tenant: str, allowed: str, home: str
) -> None:
    assert settings(bot_tenant_id=bot_tenant, allowed_tenants=allowed).home_tenant == home


@pytest.mark.parametrize("entry", ["contoso", "contoso/", "/fabrikam", "a/b/c", "a b/c"])
def test_an_entry_that_is_no_pair_of_tenants_is_refused(entry: str) -> None:
    with pytest.raises(ValidationError, match="TEAMS_TENANT/ENTRA_TENANT"):
        settings(host_credential_tenants=entry)
    assert settings(host_credential_tenants="a/b, c/d").host_credential_tenants == ("a/b", "c/d")


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=4000\nLOG_LEVEL=DEBUG\n")
    read = Settings(_env_file=tmp_path / ".env")
    assert (read.port, read.log_level) == (4000, "debug")


@pytest.mark.parametrize("url", ["http://graph.example", "http://127.0.0.1.evil.example", "ftp://127.0.0.1"])
def test_plain_http_is_for_loopback_only(url: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        settings(graph_url=url)


def test_plain_http_on_loopback_is_taken() -> None:
    assert settings(graph_url="http://127.0.0.1:3980/").graph_url == "http://127.0.0.1:3980"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "bot.example", "localhost.example"])  # noqa: S104
def test_unauthenticated_is_refused_off_loopback(host: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        settings(host=host, dangerously_allow_unauthenticated=True)


@pytest.mark.parametrize("url", ["https://bot.example", "https://10.0.0.1", "https://localhost.example"])
def test_unauthenticated_is_refused_with_a_public_address(url: str) -> None:
    """What reaches that address reaches this machine: a proxy or a tunnel speaks to loopback too."""
    with pytest.raises(ValidationError, match="PUBLIC_URL"):
        settings(public_url=url, dangerously_allow_unauthenticated=True)


def test_unauthenticated_may_have_an_address_on_loopback() -> None:
    assert settings(public_url="http://127.0.0.1:3978", dangerously_allow_unauthenticated=True).public_url


def test_a_bad_key_is_named_by_number_and_never_shown() -> None:
    with pytest.raises(ValidationError, match="key 2") as caught:
        settings(secret_keys=f"{Fernet.generate_key().decode()},not-a-key-but-secret")
    assert "not-a-key-but-secret" not in str(caught.value)


def test_secrets_do_not_show_in_repr() -> None:
    key = Fernet.generate_key().decode()
    shown = repr(settings(secret_keys=key, bot_app_password="hunter2hunter2"))
    assert key not in shown
    assert "hunter2hunter2" not in shown


def test_another_kind_of_database_is_refused_without_showing_its_address() -> None:
    with pytest.raises(ValidationError, match="PostgreSQL") as caught:
        settings(database_url="mysql://bot:hunter2hunter2@db/presence")
    assert "hunter2" not in str(caught.value)
    assert settings(database_url="postgresql://db/presence").database_url == "postgresql://db/presence"


def test_a_secret_may_be_a_file_in_the_platforms_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    (tmp_path / "secret_keys").write_text(",".join(keys) + "\n")
    (tmp_path / "bot_app_password").write_text("from a file\n")
    (tmp_path / "another_programs").write_text("?")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    read = settings()
    assert [key.get_secret_value() for key in read.secret_keys] == keys
    assert read.bot_app_password.get_secret_value() == "from a file"


def test_the_environment_overrides_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bot_app_password").write_text("from a file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BOT_APP_PASSWORD", "from the environment")
    assert settings().bot_app_password.get_secret_value() == "from the environment"


def test_a_bad_secret_in_a_file_is_named_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret_keys").write_text("oops-a-secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ValidationError, match="secret_keys") as refused:
        settings()
    assert "oops" not in str(refused.value)


def test_without_files_no_warning_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "nowhere"))
    assert settings().secret_keys == ()


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 3978, "http://127.0.0.1:3978"),
        ("::1", 3978, "http://[::1]:3978"),
        ("localhost", 0, ""),
        ("0.0.0.0", 3978, ""),  # noqa: S104
    ],
)
def test_its_own_address_is_known_on_loopback_alone(host: str, port: int, url: str) -> None:
    assert settings(host=host, port=port).local_url == url


def test_operations_have_a_port_of_their_own() -> None:
    with pytest.raises(ValidationError, match="OPERATIONS_PORT must differ from PORT"):
        settings(port=3979)
    assert settings(port=0, operations_port=0)
