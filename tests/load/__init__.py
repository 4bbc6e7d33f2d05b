"""Many tenants under load, for ``docs/scale.md``: ``python -m tests.load --help``."""
