"""What a person may do in a tenant."""

from datetime import datetime
from enum import StrEnum

from storage.queries.chat.roles import INVITATION_LIFETIME
from storage.tables import roles


class Role(StrEnum):
    """What a person may do, the least first; ``EVERYONE`` is not stored."""

    EVERYONE = "everyone"
    VIEWER = roles.VIEWER
    ADMINISTRATOR = roles.ADMINISTRATOR
    OWNER = roles.OWNER

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what ``needed`` may."""
        return RANKS[self] >= RANKS[needed]


RANKS = {role: rank for rank, role in enumerate(Role)}
GRANTABLE = tuple(Role(role) for role in roles.ROLES)
NOTIFIED_ROLES = tuple(Role(role) for role in roles.NOTIFIED_ROLES)


def is_expired_invitation(invited_at: datetime, now: datetime) -> bool:
    """Whether an invitation that was not accepted is too old: the name may belong to another person by now."""
    return invited_at <= now - INVITATION_LIFETIME
