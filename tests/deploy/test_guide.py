"""The guide's commands are run, as far as they need no network and no service manager."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.hosting.config import SERVICE_HOSTS
from settings import Settings
from storage.database import database_url
from tests.support.documents import table_rows
from tests.support.tools import ROOT

CALLED = ("entra_url", "graph_url", "bot_openid_metadata_url", "cloudlink_url")
PAGES = [ROOT / "docs" / language / "deploy.md" for language in ("en", "pt")]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def block_with(words: str) -> str:
    (found,) = [block for block in blocks(PAGES[0]) if words in block]
    return found


def test_both_languages_have_the_same_commands() -> None:
    english, portuguese = map(blocks, PAGES)
    assert english == portuguese
    assert len(english) > 10


@pytest.mark.parametrize("block", blocks(PAGES[0]))
def test_every_file_of_ours_that_is_named_exists(block: str) -> None:
    made = ("deploy/presence.env", "deploy/.env", "deploy/secrets")
    named = re.findall(r"(?<![\w/.-])(?:deploy|requirements)/[\w./@*-]+", block)
    assert [name for name in named if not name.startswith(made) and not (ROOT / name).exists()] == []


def test_the_secrets_it_makes_are_settings_that_the_program_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy").mkdir()
    typed = subprocess.run(
        ["bash", "-euc", block_with("mkdir -m 700 deploy/secrets")],
        cwd=tmp_path,
        input="the bot's own password\n",
        text=True,
        check=False,
    )
    assert typed.returncode == 0
    folder = tmp_path / "deploy/secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    for name in ("SECRET_KEYS", "DATABASE_URL", "BOT_APP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    read = Settings(_env_file=None)
    assert len(read.secret_keys) == 1
    assert read.bot_app_password.get_secret_value() == "the bot's own password"
    address = database_url(read.database_url)
    assert (address.host, address.database) == ("database", "presence")
    assert address.username == "presence_app"
    assert address.password == (folder / "database_password").read_text().strip()
    assert address.password != (folder / "postgres_password").read_text().strip()


def test_the_guides_package_command_works(tmp_path: Path) -> None:
    (arguments,) = re.findall(r'ARGS="(.+?)"', block_with("make package"), re.DOTALL)
    command = f'"$PYTHON" -m manifest {arguments}'
    environment = {"PYTHON": sys.executable, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-euc", command], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["cloudlink-presence.zip"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_host_that_the_program_calls_by_default_is_listed(page: Path) -> None:
    addresses = [Settings.model_fields[name].default for name in CALLED]
    called = {urlsplit(address.replace("{service}", "*")).hostname for address in addresses} | {SERVICE_HOSTS[0]}
    listed = {row[0].strip("`") for row in table_rows(str(page.relative_to(ROOT)), "outbound")}
    assert called - listed == set()


def test_a_good_start_is_logged_as_the_guide_shows() -> None:
    shown = block_with("database_migrated")
    program = "".join(path.read_text() for path in (ROOT / "app.py", *(ROOT / "storage").glob("*.py")))
    events = re.findall(r'"event":"(\w+)"', shown)
    assert events == ["database_migrated", "listening"]
    assert [event for event in events if f'"{event}"' not in program] == []


def test_the_proxies_forward_the_public_paths_only() -> None:
    (caddy,) = re.findall(r"@bot path (.+)", block_with("reverse_proxy"))
    assert caddy.split() == ["/api/messages", "/webhooks/*", "/exports/*"]
    (nginx,) = re.findall(r"location ~ (\S+) \{", block_with("proxy_pass"))
    for path in ("/api/messages", "/webhooks/cloudlink/token", "/exports/token"):
        assert re.search(nginx, path)
    for path in ("/metrics", "/readyz", "/healthz", "/", "/api/messages/x", "/x/webhooks/"):
        assert not re.search(nginx, path)


def test_the_proxies_limit_silence_size_and_where_they_can_the_number_of_connections() -> None:
    nginx, caddy = block_with("proxy_pass"), block_with("reverse_proxy")
    for setting in ("client_header_timeout", "client_body_timeout", "send_timeout", "limit_conn presence"):
        assert re.search(rf"^    {setting} \w+;$", nginx, re.MULTILINE)
    assert "proxy_http_version 1.1;" in nginx
    for setting in ("max_header_size", "read_header", "read_body", "idle"):
        assert re.search(rf"^ +{setting} \w+$", caddy, re.MULTILINE)
