"""What must survive a restart: tables, queries, encryption at rest, migrations."""
