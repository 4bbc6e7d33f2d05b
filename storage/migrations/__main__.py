"""Writes the next migration: the difference between the migrations so far and ``storage/tables``."""

import sys

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from storage.schema import HEAD, MIGRATIONS, upgrade


def main(message: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=f"{int(HEAD) + 1:04}")
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
