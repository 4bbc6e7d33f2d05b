"""The manifest against Microsoft's own schema, and the languages against each other."""

import copy
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft6Validator
from jsonschema.validators import extend

from manifest import packer
from manifest.packer import FOLDER, SAMPLE_DEVELOPER
from tests.support.tools import ROOT, require

Json = dict[str, Any]
MAX_COMMANDS, MAX_TITLE, MAX_DESCRIPTION = 10, 32, 128


Validator = extend(Draft4Validator, {"const": Draft6Validator.VALIDATORS["const"]})
"""Microsoft's schema says Draft 4 and uses ``const``, which came later and Draft 4 ignores."""


def validator(name: str) -> Draft4Validator:
    path = Path(require("app-manifest")) / "build/json-schemas/teams/v1.19" / name
    schema = json.loads(path.read_text("utf-8-sig"))
    Validator.check_schema(schema)
    found: Draft4Validator = Validator(schema)
    return found


@pytest.fixture(scope="module")
def manifest_schema() -> Draft4Validator:
    return validator("MicrosoftTeams.schema.json")


@pytest.fixture(scope="module")
def language_schema() -> Draft4Validator:
    return validator("MicrosoftTeams.Localization.schema.json")


@pytest.fixture
def manifest() -> Json:
    return packer.manifest("7d0f4a52-3c1e-4c39-9f0b-5a1f9a2c8e11", "presence.contoso.com", SAMPLE_DEVELOPER)


@pytest.fixture
def portuguese() -> dict[str, str]:
    texts: dict[str, str] = json.loads((FOLDER / "pt.json").read_text("utf-8"))
    return texts


def problems(schema: Draft4Validator, document: Json) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in schema.iter_errors(document)]


def localisable(manifest: Json) -> Iterator[tuple[str, str]]:
    """Every string a language file may translate, by its flat path."""
    for part in ("name", "description"):
        for length in ("short", "full"):
            yield f"{part}.{length}", manifest[part][length]
    for b, bot in enumerate(manifest["bots"]):
        for c, commands in enumerate(bot["commandLists"]):
            for i, command in enumerate(commands["commands"]):
                for field in ("title", "description"):
                    yield f"bots[{b}].commandLists[{c}].commands[{i}].{field}", command[field]


def test_the_manifest_is_what_microsofts_schema_asks_for(manifest: Json, manifest_schema: Draft4Validator) -> None:
    assert problems(manifest_schema, manifest) == []


def test_the_portuguese_file_is_what_microsofts_schema_asks_for(
    portuguese: Json, language_schema: Draft4Validator
) -> None:
    assert problems(language_schema, portuguese) == []


def _too_many_commands(manifest: Json) -> None:
    commands = manifest["bots"][0]["commandLists"][0]["commands"]
    commands.extend([commands[0]] * (MAX_COMMANDS + 1 - len(commands)))


MUTATIONS: dict[str, Callable[[Json], object]] = {
    "no version": lambda m: m.pop("version"),
    "no icons": lambda m: m.pop("icons"),
    "a misspelt field": lambda m: m.update(developr=m["developer"]),
    "a misspelt field within": lambda m: m["bots"][0].update(supportFiles=False),
    "another schema version": lambda m: m.update(manifestVersion="1.18"),
    "an id that is no GUID": lambda m: m.update(id="bot"),
    "a bot id left unfilled": lambda m: m["bots"][0].update(botId="${BOT_ID}"),
    "a name too long": lambda m: m["name"].update(short="x" * 31),
    "a description too long": lambda m: m["description"].update(short="x" * 81),
    "a page without a scheme": lambda m: m["developer"].update(privacyUrl="contoso.com"),
    "an unknown scope": lambda m: m["bots"][0].update(scopes=["private"]),
    "too many commands": _too_many_commands,
    "a command title too long": lambda m: m["bots"][0]["commandLists"][0]["commands"][0].update(title="x" * 33),
    "a command without a description": lambda m: m["bots"][0]["commandLists"][0]["commands"][0].pop("description"),
    "a text for a flag": lambda m: m["bots"][0].update(supportsFiles="false"),
    "an accent colour by name": lambda m: m.update(accentColor="blue"),
}


@pytest.mark.parametrize("fault", MUTATIONS)
def test_a_faulty_manifest_is_refused(fault: str, manifest: Json, manifest_schema: Draft4Validator) -> None:
    MUTATIONS[fault](manifest)
    assert len(problems(manifest_schema, manifest)) == 1


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("bots[0].commandLists[0].commands[0].titel", "x"),
        ("bots[0].commandLists[3].commands[0].title", "x"),
        ("bots[0].commandLists[0].commands[0].title", "x" * (MAX_TITLE + 1)),
        ("bots[0].commandLists[0].commands[0].description", "x" * (MAX_DESCRIPTION + 1)),
        ("name.short", 5),
    ],
)
def test_a_faulty_language_file_is_refused(
    key: str, text: object, portuguese: Json, language_schema: Draft4Validator
) -> None:
    assert len(problems(language_schema, portuguese | {key: text})) == 1


def test_the_committed_file_differs_from_the_packed_one_in_its_placeholders_only(manifest: Json) -> None:
    names = set(re.findall(r"\$\{(\w+)\}", json.dumps(packer.template())))
    assert names == {"BOT_ID", "DOMAIN", "DEVELOPER_NAME", "WEBSITE_URL", "PRIVACY_URL", "TERMS_URL"}
    assert list(packer.template()) == list(manifest)


def test_every_text_is_in_portuguese_too_and_nothing_else_is(manifest: Json, portuguese: Json) -> None:
    assert set(portuguese) - {"$schema"} == {path for path, _ in localisable(manifest)}
    assert all(text.strip() == text != "" for text in portuguese.values())


def test_only_the_apps_name_is_the_same_in_both_languages(manifest: Json, portuguese: Json) -> None:
    assert [path for path, text in localisable(manifest) if portuguese[path] == text] == ["name.short"]


def test_a_text_without_its_portuguese_would_be_noticed(manifest: Json, portuguese: Json) -> None:
    more = copy.deepcopy(manifest)
    more["bots"][0]["commandLists"][0]["commands"].append({"title": "new", "description": "New"})
    assert set(portuguese) - {"$schema"} != {path for path, _ in localisable(more)}


def test_portuguese_is_shipped_for_every_portuguese_client(manifest: Json) -> None:
    tags = [entry["languageTag"] for entry in manifest["localizationInfo"]["additionalLanguages"]]
    assert "pt" in tags
    assert manifest["localizationInfo"]["defaultLanguageTag"] == "en"


@pytest.mark.parametrize("part", ["short", "full"])
def test_the_apps_name_keeps_the_stores_rule(part: str, manifest: Json, portuguese: dict[str, str]) -> None:
    for name in (manifest["name"][part], portuguese[f"name.{part}"]):
        assert "teams" not in name.lower()
        assert "microsoft" not in name.lower()


def test_the_bot_is_met_in_personal_chats_and_added_to_a_team_only_for_its_alerts(manifest: Json) -> None:
    (bot,) = manifest["bots"]
    assert bot["scopes"] == ["personal", "team"]
    assert [commands["scopes"] for commands in bot["commandLists"]] == [["personal"]]
    assert (bot["supportsFiles"], bot["isNotificationOnly"]) == (True, False)


def test_the_app_and_the_project_have_the_same_version(manifest: Json) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert manifest["version"] == project["version"]
