#!/bin/sh
# Creates the bot's role: PostgreSQL's image runs this for a new volume; for an older one, docs/en/deploy.md says how.
PGOPTIONS="-c presence.password=$(cat /run/secrets/database_password)" \
  psql --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --set=ON_ERROR_STOP=1 --quiet --file=/presence/database-role.sql
