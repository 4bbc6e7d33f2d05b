"""The READMEs match the program: their tables are checked against settings, commands and dependencies."""

import re

import pytest
from pydantic import SecretStr

from app import COMMANDS as PROGRAM
from bot.commands import COMMANDS
from settings import Settings
from sync.domain.roles import Role
from tests.support.documents import table_rows
from tests.support.tools import ROOT

LANGUAGES = {"README.md": "en", "README.pt.md": "pt"}
ROLES = {
    "en": dict(zip(Role, ("everybody", "viewer", "administrator", "owner"), strict=True)),
    "pt": dict(zip(Role, ("qualquer pessoa", "leitor", "administrador", "proprietário"), strict=True)),
}


def shown(default: object) -> str:
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    plain = ",".join(plain) if isinstance(plain, tuple) else plain
    plain = str(plain).lower() if isinstance(plain, bool) else plain
    return "" if plain in ("", None) else f"`{plain}`"


@pytest.mark.parametrize("readme", LANGUAGES)
def test_every_setting_is_in_the_table_with_its_default(readme: str) -> None:
    expected = [[f"`{name.upper()}`", shown(field.default)] for name, field in Settings.model_fields.items()]
    assert [row[:2] for row in table_rows(readme, "settings")] == expected


def test_the_english_meanings_are_the_settings_own() -> None:
    meanings = [field.description for field in Settings.model_fields.values()]
    assert [row[2] for row in table_rows("README.md", "settings")] == meanings


@pytest.mark.parametrize(("readme", "language"), LANGUAGES.items())
def test_every_command_is_in_the_table(readme: str, language: str) -> None:
    other = "pt" if language == "en" else "en"
    expected = [[f"`{c.titles[language]}`", f"`{c.titles[other]}`"] for c in COMMANDS]
    assert [row[:2] for row in table_rows(readme, "commands")] == expected


@pytest.mark.parametrize(("readme", "language"), LANGUAGES.items())
def test_every_command_is_listed_with_its_role(readme: str, language: str) -> None:
    assert [row[3] for row in table_rows(readme, "commands")] == [ROLES[language][c.least] for c in COMMANDS]


@pytest.mark.parametrize("readme", LANGUAGES)
def test_every_subcommand_is_in_the_table(readme: str) -> None:
    rows = table_rows(readme, "program")
    assert [row[0] for row in rows] == [f"`python app.py {name}`" for name in PROGRAM]
    assert all(row[1] for row in rows)


@pytest.mark.parametrize("readme", LANGUAGES)
def test_every_dependency_has_its_reason(readme: str) -> None:
    lines = (ROOT / "requirements/runtime.in").read_text().splitlines()
    packages = [line.partition("[")[0] for line in lines if line and not line.startswith("#")]
    rows = table_rows(readme, "dependencies")
    assert [row[0] for row in rows] == packages
    assert all(row[1] for row in rows)


@pytest.mark.parametrize("readme", LANGUAGES)
def test_every_linked_file_exists(readme: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / readme).read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
