"""The settings in the files of a deployment, and which of them are secrets."""

from pathlib import Path

from pydantic import SecretStr

from settings import Settings

SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {
    name.upper() for name, field in Settings.model_fields.items() if SecretStr.__name__ in str(field.annotation)
} | {"DATABASE_URL"}
"""What must be in no environment and on no command line; a database's address holds its password."""


def read_env_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
