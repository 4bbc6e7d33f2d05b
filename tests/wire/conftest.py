"""The wire tests run on SQLite and on PostgreSQL, each with its own job queue."""

from tests.support.storage.stores import each_database as each_database
