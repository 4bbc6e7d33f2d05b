"""The units are checked against the program and each other; ``systemd-analyze`` checks them where installed."""

import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from app import COMMANDS
from settings import Settings
from tests.deploy.settings_files import SECRETS, SETTINGS, read_env_file
from tests.support.tools import ROOT, require

FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())
PROGRAM = "/opt/cloudlink-presence/.venv/bin/python app.py"
ALLOWED_EXPOSURE = 20
"""In systemd's own exposure score, from 0 (nothing exposed) to 100."""

Unit = dict[str, list[str]]
every_unit = pytest.mark.parametrize("name", UNITS)


def service(name: str) -> Unit:
    """The entries of ``[Service]``; each may occur more than once."""
    text = (FOLDER / name).read_text().partition("[Service]\n")[2].partition("\n[")[0]
    found: Unit = defaultdict(list)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def environment(unit: Unit) -> dict[str, str]:
    pairs = [pair.split("=", 1) for line in unit["Environment"] for pair in line.split()]
    return {name: value for name, value in pairs if not name.startswith("PYTHON")}


def test_there_is_a_unit_for_all_in_one_and_one_for_each_role() -> None:
    commands = {name: service(name)["ExecStart"] for name in UNITS}
    assert commands == {
        "cloudlink-presence.service": [PROGRAM],
        "cloudlink-presence-web.service": [f"{PROGRAM} web"],
        "cloudlink-presence-worker@.service": [f"/usr/bin/env OPERATIONS_PORT=398%i {PROGRAM} worker"],
    }
    assert {"web", "worker"} - set(COMMANDS) == set()


@every_unit
def test_what_it_sets_are_settings_and_no_secrets(name: str) -> None:
    set_there = set(environment(service(name)))
    assert set_there <= SETTINGS - SECRETS
    assert service(name)["EnvironmentFile"] == ["/etc/cloudlink-presence/presence.env"]


@every_unit
def test_a_setting_of_the_unit_is_not_one_that_the_settings_file_replaces(name: str) -> None:
    """``EnvironmentFile`` has precedence over ``Environment``."""
    offered = {"OPERATIONS_PORT", *read_env_file(ROOT / "deploy/presence.env.example")}
    assert set(environment(service(name))) & offered == set()


@every_unit
def test_secrets_are_credentials_named_as_their_settings(name: str) -> None:
    for entry in service(name)["LoadCredential"]:
        secret, _, path = entry.partition(":")
        assert secret.upper() in SECRETS & SETTINGS
        assert path == f"/etc/cloudlink-presence/secrets/{secret}"


@every_unit
def test_it_gets_a_stop_signal_and_time_to_stop(name: str) -> None:
    unit = service(name)
    assert (unit["KillSignal"], unit["TimeoutStopSec"], unit["Restart"]) == (["SIGTERM"], ["15"], ["on-failure"])


@every_unit
def test_its_files_and_tasks_are_limited_and_suffice_for_the_connections(name: str) -> None:
    unit = service(name)
    assert unit["TasksMax"] == ["256"]
    assert int(unit["LimitNOFILE"][0]) > 2 * Settings.model_fields["connections"].default


def test_all_units_have_the_same_isolation() -> None:
    folders = {"StateDirectory", "StateDirectoryMode", "RuntimeDirectory", "RuntimeDirectoryMode"}
    own = {"ExecStart", "Environment", "LoadCredential"} | folders
    walls = [{key: value for key, value in service(name).items() if key not in own} for name in UNITS]
    assert walls[1:] == walls[:-1]
    assert (walls[0]["DynamicUser"], walls[0]["ProtectSystem"], walls[0]["NoNewPrivileges"]) == (
        ["yes"],
        ["strict"],
        ["yes"],
    )


@every_unit
def test_the_one_place_it_may_write_to_is_its_data_directory(name: str) -> None:
    unit = service(name)
    places = {"StateDirectory": "%S", "RuntimeDirectory": "%t"}
    ((key, root),) = [(key, root) for key, root in places.items() if unit[key]]
    assert (unit[key], unit[f"{key}Mode"]) == (["%N"], ["0700"])
    assert environment(unit)["DATA_DIR"] == f"{root}/%N"
    assert "ReadWritePaths" not in unit


@every_unit
def test_it_leaves_no_core_file_with_its_memory(name: str) -> None:
    assert service(name)["LimitCORE"] == ["0"]


def test_what_is_kept_on_this_machine_survives_a_restart_of_it() -> None:
    assert service("cloudlink-presence.service")["StateDirectory"]


@every_unit
def test_systemd_accepts_it_with_a_low_exposure_score(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name.replace("@.", "@1.")
    unit.write_text((FOLDER / name).read_text().replace("/opt/cloudlink-presence/.venv/bin/python", "/bin/true"))
    for check in (["verify", "--man=no"], ["security", "--offline=true", f"--threshold={ALLOWED_EXPOSURE}"]):
        judged = subprocess.run(
            [require("systemd-analyze"), *check, str(unit)], capture_output=True, text=True, check=False
        )
        form_errors = [line for line in judged.stderr.splitlines() if unit.name.partition("@")[0] in line]
        assert (judged.returncode, form_errors) == (0, [])
