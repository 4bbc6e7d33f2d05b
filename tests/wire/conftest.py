"""What goes over the wire is the same on SQLite and on PostgreSQL, with the queue that belongs to each."""

from tests.support.stores import each_database as each_database
