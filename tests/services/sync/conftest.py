from tests.support.stores import each_database as each_database
