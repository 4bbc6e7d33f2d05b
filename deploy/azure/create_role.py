"""Runs deploy/database-role.sql, which is in ROLE_SQL, as the database's administrator; the secrets are files."""

import os
from pathlib import Path

import psycopg

secrets = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/secrets"))
password = (secrets / "database_password").read_text().strip()
with psycopg.connect(
    (secrets / "admin_url").read_text().strip(), options=f"-c presence.password={password}", autocommit=True
) as database:
    database.execute(os.environ["ROLE_SQL"])
print("The role presence_app is ready.")
