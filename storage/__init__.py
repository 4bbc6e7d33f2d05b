"""What is kept between restarts: tables, queries, encryption at rest, migrations."""
