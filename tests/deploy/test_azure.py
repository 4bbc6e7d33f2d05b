"""The Bicep file, as far as it can be read without Azure's compiler: its shape, its settings, its secrets.

Nothing here knows Azure's resource types: only a deployment proves those.
"""

import re
import runpy
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import tree_sitter_bicep
from tree_sitter import Language, Parser

from app import COMMANDS
from bot.hosting import AppType
from settings import CONTAINER_SECRETS, Settings
from tests.deploy.settings_files import SECRETS, SETTINGS
from tests.deploy.test_guide import PAGES
from tests.support.storage.postgres import fresh_database
from tests.support.tools import ROOT

FOLDER = ROOT / "deploy/azure"
TEXT = (FOLDER / "main.bicep").read_text()
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


def test_only_settings_are_set_and_none_is_a_secret() -> None:
    given = settings_given()
    assert set(given) <= SETTINGS - SECRETS
    assert {"PUBLIC_URL", "BOT_APP_ID", "BOT_TENANT_ID"} <= set(given)


def test_secrets_come_from_the_vault_as_files_named_as_their_settings() -> None:
    files = dict(re.findall(r"\{ secretRef: '([a-z-]+)', path: '([a-z_]+)' \}", CODE))
    assert all(path == name.replace("-", "_") for name, path in files.items())
    assert {"DATABASE_URL", "SECRET_KEYS"} == {path.upper() for path in files.values()} & SETTINGS
    assert set(re.findall(r"\{ name: '([a-z-]+)', keyVaultUrl:", CODE)) == set(files)
    mounts = re.search(r"var secretMounts = \[\{ volumeName: '(\w+)', mountPath: '(.+)' \}\]", CODE)
    assert mounts
    assert mounts[2] == CONTAINER_SECRETS
    assert CODE.count("volumeMounts: secretMounts") == 3
    assert CODE.count("      volumes: secretFiles") == 2


def test_the_program_has_a_role_of_its_own_and_verifies_the_server() -> None:
    assert "'postgresql://${databaseUser}:${databasePassword}@" in CODE
    assert "var databaseUser = 'presence_app'" in CODE
    assert "ALTER ROLE presence_app LOGIN" in (ROOT / "deploy/database-role.sql").read_text()
    assert re.findall(r"sslmode=[\w-]+", CODE) == ["sslmode=verify-full"]
    assert CODE.count("?${verified}'") == 2
    assert "administratorLogin: adminUser" in CODE


def test_the_job_makes_that_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh_database() as url:
        for name, content in (("admin_url", url), ("database_password", "a-password\n")):
            (tmp_path / name).write_text(content)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        monkeypatch.setenv("ROLE_SQL", (FOLDER.parent / "database-role.sql").read_text())
        for _ in range(2):
            runpy.run_path(str(FOLDER / "create_role.py"))
        with psycopg.connect(url) as connection:
            role = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'presence_app'").fetchone()
            assert role == (True,)
            connection.execute("DROP OWNED BY presence_app CASCADE; DROP ROLE presence_app")
    assert "loadTextContent('create_role.py')" in CODE
    assert "{ name: 'ROLE_SQL', value: loadTextContent('../database-role.sql') }" in CODE


def test_the_image_is_named_by_its_digest() -> None:
    example = "cloudlink-presence@sha256:" + "0" * 64
    length = re.search(r"@minLength\((\d+)\)\nparam image string", CODE)
    assert length
    assert len("a@sha256:" + "0" * 64) == int(length[1]) <= len(example)
    assert set(re.findall(r"^ +image: (.+)$", CODE, re.MULTILINE)) == {
        "'${registry.properties.loginServer}/${image}'"
    }
    for page in PAGES:
        images = re.findall(r"--parameters registryName=\S+ image=(\S+)", page.read_text())
        assert images == ["cloudlink-presence@$DIGEST"]


def test_only_the_apps_network_reaches_the_vault() -> None:
    rules = CODE.partition("networkAcls: {")[2].partition("}\n    }")[0]
    assert "defaultAction: 'Deny'" in rules
    assert "virtualNetworkRules: [{ id: network::appsSubnet.id }]" in CODE
    assert "serviceEndpoints: [{ service: 'Microsoft.KeyVault' }]" in CODE


def test_the_settings_start_a_bot_that_has_no_secret_of_its_own() -> None:
    kind = settings_given()["BOT_APP_TYPE"].partition("'")[2].rstrip("'")
    assert kind == AppType.USER_ASSIGNED_MSI
    assert "BOT_APP_PASSWORD" not in settings_given()
    assert f"msaAppType: '{kind}'" in CODE
    assert Settings(_env_file=None, bot_app_type=kind, bot_app_id=str(UUID(int=1)), bot_tenant_id=str(UUID(int=2)))


def test_a_secret_is_a_secure_parameter_and_goes_only_to_the_vault() -> None:
    secure = set(re.findall(r"@secure\(\)\n(?:@.+\n)*param (\w+)", CODE))
    assert secure == {"secretKeys", "adminPassword", "databasePassword"}
    outputs = re.findall(r"^output .+$", CODE, re.MULTILINE)
    assert outputs
    assert not [output for output in outputs if any(secret in output for secret in secure)]
    for secret in secure:
        lines = [line.strip() for line in CODE.splitlines() if re.search(rf"\b{secret}\b", line)]
        goes = ("param ", "value: ", "properties: { value: ", "administratorLoginPassword: ")
        assert [line for line in lines if not line.startswith(goes)] == []


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
