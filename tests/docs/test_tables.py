"""The tables of the pages match the program: settings, commands, dependencies, stored data, names on the wire."""

import re
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlmodel import SQLModel

import storage.tables
from app import COMMANDS as PROGRAM
from bot.cards.presence.mapping import shown_as
from bot.commands import COMMANDS
from bot.languages import Language, load_texts
from settings import Settings
from storage.queries.chat.claims import ATTEMPT_WINDOW
from storage.queries.chat.roles import INVITATION_LIFETIME
from sync.domain.people import Reason
from sync.domain.roles import Role
from sync.presence.mapping import chosen_by
from sync.scheduling.cleanup import KEEP_CALLS, KEEP_DELAYS, KEEP_DRAFTS, KEEP_EVENTS, KEEP_FIGURES, KEEP_PRESSES
from tests.support.documents import READMES, table_rows
from tests.support.tools import ROOT

ROLES = {
    "en": dict(zip(Role, ("everybody", "viewer", "administrator", "owner"), strict=True)),
    "pt": dict(zip(Role, ("qualquer pessoa", "leitor", "administrador", "proprietário"), strict=True)),
}
KEPT: dict[str, timedelta] = {
    "seenevent": KEEP_EVENTS,
    "delaycount": KEEP_DELAYS,
    "hourfigure": KEEP_FIGURES,
    "call": KEEP_CALLS,
    "draft": KEEP_DRAFTS,
    "press": KEEP_PRESSES,
    "member": INVITATION_LIFETIME,
    "claimattempt": ATTEMPT_WINDOW,
}
"""What is deleted after a time, by table."""

both_languages = pytest.mark.parametrize("language", READMES)


def shown(default: object) -> str:
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    plain = ",".join(plain) if isinstance(plain, tuple) else plain
    plain = str(plain).lower() if isinstance(plain, bool) else plain
    return "" if plain in ("", None) else f"`{plain}`"


def rows_of(language: str, page: str) -> list[list[str]]:
    """The rows of the table that has the page's name."""
    return table_rows(f"docs/{language}/{page}.md", page)


def test_the_simulation_says_of_every_reason_what_must_be_so() -> None:
    rows = table_rows("docs/simulation.md", "reasons")
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row[0])) == sorted(Reason)


@both_languages
def test_every_setting_is_in_the_table_with_its_default(language: str) -> None:
    expected = [[f"`{name.upper()}`", shown(field.default)] for name, field in Settings.model_fields.items()]
    assert [row[:2] for row in rows_of(language, "settings")] == expected


@both_languages
def test_every_state_of_a_phone_is_in_the_table_with_what_it_shows(language: str) -> None:
    texts = load_texts()[Language(language)]
    expected = [
        [texts(f"mapping.state.{state}"), shown_as(texts, choice)] for state, choice in chosen_by({}).items()
    ]
    assert [[row[0], row[2]] for row in table_rows(f"docs/{language}/presence.md", "states")] == expected


def test_the_english_meanings_are_the_settings_own() -> None:
    meanings = [field.description for field in Settings.model_fields.values()]
    assert [row[2] for row in rows_of("en", "settings")] == meanings


@both_languages
def test_every_command_is_in_the_table_with_its_role(language: str) -> None:
    other = "pt" if language == "en" else "en"
    expected = [
        [f"`{command.titles[language]}`", f"`{command.titles[other]}`", ROLES[language][command.least]]
        for command in COMMANDS
    ]
    rows = rows_of(language, "commands")
    assert [[row[0], row[1], row[3]] for row in rows] == expected
    assert all(row[2] for row in rows)


@both_languages
def test_every_subcommand_is_in_the_table(language: str) -> None:
    rows = table_rows(f"docs/{language}/processes.md", "program")
    assert [row[0] for row in rows] == [f"`python app.py {name}`" for name in PROGRAM]
    assert all(row[1] for row in rows)


def test_every_dependency_has_its_reason() -> None:
    lines = (ROOT / "requirements/runtime.in").read_text().splitlines()
    packages = [line.partition("[")[0] for line in lines if line and not line.startswith("#")]
    rows = table_rows("docs/dependencies.md", "dependencies")
    assert [row[0] for row in rows] == packages
    assert all(row[1] for row in rows)


@both_languages
def test_every_table_of_the_database_is_explained(language: str) -> None:
    rows = table_rows(f"docs/{language}/privacy.md", "stored")
    assert storage.tables
    assert sorted(row[0].strip("`") for row in rows) == sorted(SQLModel.metadata.tables)
    assert all(all(row) for row in rows)


@both_languages
def test_the_times_for_which_rows_are_kept_are_the_programs(language: str) -> None:
    said = {row[0].strip("`"): row[2] for row in table_rows(f"docs/{language}/privacy.md", "stored")}
    for table, time in KEPT.items():
        hours = time // timedelta(hours=1)
        numbers = {str(hours), str(time.days)} - {"0"}
        assert numbers & set(re.findall(r"\d+", said[table])), table


@both_languages
def test_the_graded_names_are_the_programs(language: str) -> None:
    files = [*(ROOT / "sync/cloudlink").glob("*.py"), ROOT / "settings.py"]
    program = "".join(path.read_text() for path in files)
    named = [
        name
        for row in table_rows(f"docs/{language}/cloudlink.md", "grades")
        for name in re.findall(r"`(.+?)`", row[0])
    ]
    assert len(named) > 5
    assert [name for name in named if name.removeprefix("GET ") not in program] == []
