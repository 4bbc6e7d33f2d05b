from tests.stores import each_database as each_database
