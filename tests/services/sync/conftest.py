from tests.support.storage.stores import each_database as each_database
