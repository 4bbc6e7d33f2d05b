"""Settings: what is refused, and that a refusal never shows what was typed."""

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from settings import Settings

ID = "ffffffff-0000-4000-8000-1234567890ab"


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
    typed = {name: re.sub("[tT][123]", _id_of, text) for name, text in (("own", bot_tenant), ("allowed", allowed))}
    found = settings(bot_tenant_id=typed["own"], allowed_tenants=typed["allowed"]).home_tenant
    assert found == re.sub("t[12]", _id_of, home)


def _id_of(name: re.Match[str]) -> str:
    """An id for t1 and t2, in the letter case of the name."""
    one = ID.replace("f", name[0][1])
    return one.upper() if name[0].isupper() else one


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("admins", "Ana Silva"),
        ("admins", "ana@contoso.example, Rui"),
        ("admins", "contoso.example/ana@contoso.example"),
        ("admins", '"ana@contoso.example"'),
        ("allowed_tenants", "lisbon.example"),
        ("allowed_tenants", f"{ID}, Contoso"),
        ("bot_tenant_id", "contoso.onmicrosoft.com"),
        ("bot_app_id", "'" + ID + "'"),
        ("managed_identity_client_id", "my-identity"),
        ("graph_url", "https://graph.microsoft.com/v1.0"),
        ("entra_url", f"https://login.microsoftonline.com/{ID}"),
        ("allowed_service_hosts", "https://smba.trafficmanager.net/emea"),
        ("host_credential_tenants", "contoso"),
        ("host_credential_tenants", f"{ID}/"),
        ("host_credential_tenants", f"{ID}/{ID}/{ID}"),
        ("bot_token_issuer", "http://api.botframework.com"),
        ("public_url", '"https://bot.example"'),
        ("public_url", "https://:443"),
        ("public_url", "https:///path"),
        ("public_url", "https://bot example"),
        ("public_url", "https://bot.example "),
        ("public_url", "https://bot.example?y=1"),
        ("public_url", "https://bot.example/x#z"),
        ("public_url", "https://user:sesame@bot.example"),
        ("public_url", "https://user@bot.example"),
        ("public_url", "https://bot.example:99999"),
        ("public_url", "https://bot.example:"),
        ("entra_url", "https://:443"),
        ("graph_url", "https://user:sesame@graph.microsoft.com"),
        ("cloudlink_url", "https://{service}.api.mitel.io?x"),
        ("bot_openid_metadata_url", "https://:443"),
        ("bot_token_issuer", "https://api.botframework.com/#x"),
    ],
)
def test_a_wrong_value_is_refused_with_its_setting(setting: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{setting: value})
    (error,) = caught.value.errors()
    assert setting.upper() in f"{''.join(map(str, error['loc'])).upper()} {error['msg']}"
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("admins", f"{ID}, ana@contoso.example, {ID}/rui#EXT#@contoso.example"),
        ("allowed_tenants", f"{ID.upper()},{ID}"),
        ("host_credential_tenants", f"{ID}/{ID}"),
        ("allowed_service_hosts", "smba.trafficmanager.net, *.teams.example, localhost, 127.0.0.1, [::1]"),
        ("graph_url", "https://graph.microsoft.com/"),
        ("public_url", "https://bot.example:8443/presence/"),
        ("public_url", "http://[::1]:3978"),
        ("cloudlink_url", "http://127.0.0.1:3980/{service}"),
    ],
)
def test_a_right_value_is_taken(setting: str, value: str) -> None:
    assert getattr(settings(**{setting: value}), setting)


def test_the_playgrounds_ids_have_any_shape() -> None:
    assert settings(admins="user-0", allowed_tenants="t1", dangerously_allow_unauthenticated=True)


def test_addresses_of_two_clouds_are_refused() -> None:
    us = {"graph_url": "https://graph.microsoft.us", "entra_url": "https://login.microsoftonline.us"}
    assert settings(**us, bot_token_issuer="https://api.botframework.us")
    for wrong in (us, {"graph_url": us["graph_url"]}, {"entra_url": us["entra_url"]}):
        with pytest.raises(ValidationError, match=r"different Microsoft clouds.*docs/en/settings\.md"):
            settings(**wrong)


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=4000\nLOG_LEVEL=DEBUG\n")
    read = Settings(_env_file=tmp_path / ".env")
    assert (read.port, read.log_level) == (4000, "debug")


def test_an_empty_setting_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment, in ``.env`` and in a file of secrets; what is set elsewhere counts then."""
    nothing = settings().model_dump()
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert settings().model_dump() == nothing
    (tmp_path / ".env").write_text("PORT=4000\nCERTIFICATE_PATH=\nDATA_DIR=\n")
    (tmp_path / "certificate_path").write_text("\n")
    (tmp_path / "bot_app_password").write_text("from a file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    read = Settings(_env_file=tmp_path / ".env")
    assert (read.port, read.certificate_path, read.data_dir) == (4000, None, Path("data"))
    assert read.bot_app_password.get_secret_value() == "from a file"


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
