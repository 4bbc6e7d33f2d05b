import subprocess
import sys
from pathlib import Path

import pytest

from manifest import packer
from manifest.__main__ import main
from manifest.packer import SAMPLE_DEVELOPER, Developer

BOT_ID = "7d0f4a52-3c1e-4c39-9f0b-5a1f9a2c8e11"
DOMAIN = "presence.contoso.com"
DEVELOPER_OPTIONS = [
    "--developer-name=Contoso",
    "--website-url=https://contoso.com",
    "--privacy-url=https://contoso.com/privacy",
    "--terms-url=https://contoso.com/terms",
]


def options(out: Path, *more: str, bot_id: str = BOT_ID, domain: str = DOMAIN) -> list[str]:
    return ["--bot-id", bot_id, "--domain", domain, "--out", str(out), *more]


def test_it_writes_the_package_to_the_given_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "app.zip"
    assert main(options(out, *DEVELOPER_OPTIONS)) == 0
    developer = Developer(
        "Contoso", "https://contoso.com", "https://contoso.com/privacy", "https://contoso.com/terms"
    )
    assert out.read_bytes() == packer.package(BOT_ID, DOMAIN, developer)
    assert str(out) in capsys.readouterr().out


def test_it_requires_the_organisation_responsible_for_the_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "app.zip"
    with pytest.raises(SystemExit, match="2"):
        main(options(out, *DEVELOPER_OPTIONS[:2]))
    said = capsys.readouterr().err
    assert "--privacy-url, --terms-url (or --sample-developer" in said
    assert "--website-url," not in said.partition("error:")[2]
    assert not out.exists()


def test_the_sample_developer_must_be_asked_for_by_name(tmp_path: Path) -> None:
    out = tmp_path / "app.zip"
    assert main(options(out, "--sample-developer")) == 0
    assert out.read_bytes() == packer.package(BOT_ID, DOMAIN, SAMPLE_DEVELOPER)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"bot_id": "my-bot"}, "argument --bot-id: not an application"),
        ({"domain": "https://presence.contoso.com"}, "argument --domain: not a public host name"),
    ],
)
def test_it_refuses_a_bad_detail_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: dict[str, str], reason: str
) -> None:
    out = tmp_path / "app.zip"
    with pytest.raises(SystemExit, match="2"):
        main(options(out, *DEVELOPER_OPTIONS, **bad))
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    out = tmp_path / "app.zip"
    command = [sys.executable, "-m", "manifest", *options(out, "--sample-developer")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert out.stat().st_size > 1000
