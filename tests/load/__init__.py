"""Many tenants under load: ``python -m tests.load --help``. For ``docs/scale.md``, not for every run of the tests."""
