"""The compose file is checked against the program: settings, commands, and each container's isolation."""

import re
from typing import Any

import pytest
import yaml

from app import COMMANDS
from settings import Settings
from tests.deploy.dockerfiles import read_stages
from tests.deploy.settings_files import SECRETS, SETTINGS, read_env_file
from tests.deploy.test_guide import block_with
from tests.support.tools import ROOT

FOLDER = ROOT / "deploy"
ROLES = ("migrate", "web", "worker")
EXAMPLE = FOLDER / "presence.env.example"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Json:
    read: Json = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return read


def test_each_role_is_a_command_of_the_program(compose: Json) -> None:
    commands = {name: compose["services"][name]["command"] for name in ROLES}
    assert commands == {name: [name] for name in ROLES}
    assert set(ROLES) - set(COMMANDS) == set()


def test_there_are_one_web_process_two_workers_and_the_database(compose: Json) -> None:
    assert set(compose["services"]) == {*ROLES, "database"}
    assert compose["services"]["worker"]["deploy"]["replicas"] == 2
    assert "deploy" not in compose["services"]["web"]


def test_the_tables_are_migrated_before_any_service_starts(compose: Json) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["migrate"]["restart"] == "no"
    for role in ("web", "worker"):
        assert services[role]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[role]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", [*ROLES, "database"])
def test_each_container_is_isolated(service: str, compose: Json) -> None:
    container = compose["services"][service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "network_mode", "pid"} & set(container)


@pytest.mark.parametrize("service", [*ROLES, "database"])
def test_no_container_leaves_its_memory_in_a_core_file(service: str, compose: Json) -> None:
    assert compose["services"][service]["ulimits"]["core"] == 0


def test_images_of_others_are_required_variables_that_the_guide_sets_to_a_digest(compose: Json) -> None:
    others = [compose["services"]["database"]["image"]]
    others += {compose["services"][role]["build"]["args"]["PYTHON_IMAGE"] for role in ROLES}
    names = [re.fullmatch(r"\$\{(\w+):\?[^}]*digest\}", image)[1] for image in others]  # type: ignore[index]
    assert sorted(names) == ["POSTGRES_IMAGE", "PYTHON_IMAGE"]
    script = block_with("RepoDigests")
    for name in names:
        assert f'echo "{name}=$(docker image inspect --format "{{{{index .RepoDigests 0}}}}"' in script
    assert script.rstrip().endswith("> deploy/.env")


def test_the_database_makes_the_role_that_the_program_uses(compose: Json) -> None:
    database = compose["services"]["database"]
    mounted = dict(entry.removesuffix(":ro").split(":") for entry in database["volumes"] if entry.endswith(":ro"))
    assert set(mounted) == {"./database-role.sql", "./database-role.sh"}
    script = (FOLDER / "database-role.sh").read_text()
    assert mounted["./database-role.sql"] in script
    assert mounted["./database-role.sh"].startswith("/docker-entrypoint-initdb.d/")
    assert (FOLDER / "database-role.sh").stat().st_mode & 0o111
    assert "/run/secrets/database_password" in script
    assert set(database["secrets"]) == {"postgres_password", "database_password"}
    assert "postgresql://presence_app:" in block_with("mkdir -m 700 deploy/secrets")


@pytest.mark.parametrize("role", ROLES)
def test_the_program_may_write_to_two_places_in_memory_and_gets_time_to_stop(role: str, compose: Json) -> None:
    container = compose["services"][role]
    user, group = read_stages(ROOT / "Dockerfile")[-1].last("USER").text.split(":")
    assert container["tmpfs"] == ["/tmp", f"/data:uid={user},gid={group},mode=0700"]  # noqa: S108
    assert "volumes" not in container
    assert container["stop_grace_period"] == "15s"
    assert "cap_add" not in container


@pytest.mark.parametrize("service", [*ROLES, "database"])
def test_processes_and_files_are_limited(service: str, compose: Json) -> None:
    container = compose["services"][service]
    assert container["pids_limit"] == 256
    if service != "database":
        assert container["ulimits"]["nofile"] > 2 * Settings.model_fields["connections"].default


@pytest.mark.parametrize("service", [*ROLES, "database"])
def test_logs_are_rotated(service: str, compose: Json) -> None:
    """Docker's own default keeps all of them."""
    assert compose["services"][service]["logging"] == {"driver": "local"}


def test_only_the_bot_is_reached_from_outside_and_only_through_this_machine(compose: Json) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:3978:3978"]}


def test_no_secret_is_in_an_environment(compose: Json) -> None:
    for role in ROLES:
        container = compose["services"][role]
        assert "environment" not in container
        assert {name.upper() for name in container["secrets"]} == {
            "DATABASE_URL",
            "SECRET_KEYS",
            "BOT_APP_PASSWORD",
        }
        assert container["env_file"] == "presence.env"
    database = compose["services"]["database"]
    assert database["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    assert "POSTGRES_PASSWORD" not in database["environment"]


def test_every_secret_is_a_file_and_all_but_the_databases_own_are_settings(compose: Json) -> None:
    assert {name: entry["file"] for name, entry in compose["secrets"].items()} == {
        name: f"secrets/{name}" for name in compose["secrets"]
    }
    own = {"POSTGRES_PASSWORD", "DATABASE_PASSWORD"}
    assert {name.upper() for name in compose["secrets"]} - own <= SECRETS & SETTINGS


def test_the_example_sets_what_is_a_setting_and_no_secret() -> None:
    example = read_env_file(EXAMPLE)
    assert set(example) <= SETTINGS - SECRETS
    assert {"BOT_APP_ID", "BOT_TENANT_ID", "PUBLIC_URL"} <= set(example)


def test_filled_in_files_are_ignored_by_git() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/presence.env", "/deploy/.env", "/deploy/secrets/"} <= set(ignored)
