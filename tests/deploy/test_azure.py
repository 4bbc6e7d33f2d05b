"""The Bicep file, as far as it can be read without Azure's compiler: its shape, its settings, its secrets.

Nothing here knows Azure's resource types: only a deployment proves those.
"""

import re

import pytest
import tree_sitter_bicep
from tree_sitter import Language, Parser

from app import COMMANDS
from bot.hosting import AppType
from settings import Settings
from tests.deploy.settings_files import SECRETS, SETTINGS
from tests.support.tools import ROOT

TEXT = (ROOT / "deploy/azure/main.bicep").read_text()
CODE = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("//"))


def settings_given() -> dict[str, str]:
    return dict(re.findall(r"\{ name: '([A-Z_]+)', ((?:value|secretRef): .+?) \}$", CODE, re.MULTILINE))


def declared(kind: str) -> set[str]:
    return set(re.findall(rf"^ *{kind} (\w+)", CODE, re.MULTILINE))


def has_error(code: str) -> bool:
    """Whether the language's grammar, as editors use it, rejects the text."""
    return Parser(Language(tree_sitter_bicep.language())).parse(code.encode()).root_node.has_error


def test_it_is_bicep() -> None:
    assert not has_error(TEXT)


@pytest.mark.parametrize("broken", ["param", "var a = {", "resource x 'y' = [ }"])
def test_invalid_bicep_is_detected(broken: str) -> None:
    assert has_error(broken)


def test_every_parameter_and_output_says_what_it_is() -> None:
    described = re.findall(r"@description\('.+'\)\n(?:@.+\n)*(?:param|output) (\w+)", CODE)
    assert set(described) == declared("param") | declared("output")


def test_everything_declared_is_used() -> None:
    words = re.findall(r"\w+", CODE)
    names = declared("param") | declared("var")
    assert {name for name in names if words.count(name) < 2} == set()


def test_only_settings_are_set_and_secrets_come_from_the_vault() -> None:
    given = settings_given()
    assert set(given) <= SETTINGS
    assert {name for name, value in given.items() if value.startswith("secretRef")} == set(given) & SECRETS
    assert {"PUBLIC_URL", "DATABASE_URL", "SECRET_KEYS", "BOT_APP_ID", "BOT_TENANT_ID"} <= set(given)


def test_the_settings_start_a_bot_that_has_no_secret_of_its_own() -> None:
    kind = settings_given()["BOT_APP_TYPE"].partition("'")[2].rstrip("'")
    assert kind == AppType.USER_ASSIGNED_MSI
    assert "BOT_APP_PASSWORD" not in settings_given()
    assert f"msaAppType: '{kind}'" in CODE
    assert Settings(_env_file=None, bot_app_type=kind, bot_app_id="id", bot_tenant_id="tenant")


def test_a_secret_is_a_secure_parameter_and_goes_only_to_the_vault() -> None:
    secure = set(re.findall(r"@secure\(\)\n(?:@.+\n)*param (\w+)", CODE))
    assert secure == {"secretKeys", "databasePassword"}
    outputs = re.findall(r"^output .+$", CODE, re.MULTILINE)
    assert outputs
    assert not [output for output in outputs if any(secret in output for secret in secure)]
    for secret in secure:
        lines = [line.strip() for line in CODE.splitlines() if secret in line and not line.startswith("param")]
        assert all("value:" in line or line.startswith("administratorLoginPassword:") for line in lines)


def test_each_app_runs_its_role() -> None:
    roles = re.findall(r"args: \['(\w+)'\]", CODE)
    assert roles == ["web", "worker"]
    assert set(roles) - set(COMMANDS) == set()


def test_only_the_app_that_listens_is_reached_and_over_https() -> None:
    assert re.findall(r"ingress: \{.+\}", CODE) == [
        "ingress: { external: true, targetPort: port, transport: 'auto', allowInsecure: false }"
    ]


def test_the_probes_ask_what_the_program_answers() -> None:
    probes = re.findall(r"httpGet: \{ path: '(/\w+)', port: (\w+) \}", CODE)
    assert set(probes) == {("/healthz", "operationsPort"), ("/readyz", "operationsPort")}
    assert re.search(
        rf"^var operationsPort = {Settings.model_fields['operations_port'].default}$", CODE, re.MULTILINE
    )
    assert re.search(rf"^var port = {Settings.model_fields['port'].default}$", CODE, re.MULTILINE)


def test_the_operations_port_is_not_reached_from_outside() -> None:
    assert settings_given()["OPERATIONS_PORT"] == "value: string(operationsPort)"
    assert "operationsPort" not in "".join(re.findall(r"ingress: \{.+\}", CODE))
    assert "additionalPortMappings" not in CODE


def test_teams_speaks_to_where_the_bot_listens() -> None:
    assert "endpoint: '${url}/api/messages'" in CODE
    assert "name: 'MsTeamsChannel'" in CODE
