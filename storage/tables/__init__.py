"""The tables, one file for each subject.

Times are UTC; a column named ``*_sealed`` holds a secret encrypted by ``storage.encryption``.
"""

from storage.tables import (
    columns,
    conversations,
    directory,
    effects,
    history,
    imports,
    integrations,
    notices,
    people,
    polls,
    problems,
    roles,
    rotations,
    secrets,
    updates,
)

__all__ = [
    "columns",
    "conversations",
    "directory",
    "effects",
    "history",
    "imports",
    "integrations",
    "notices",
    "people",
    "polls",
    "problems",
    "roles",
    "rotations",
    "secrets",
    "updates",
]
