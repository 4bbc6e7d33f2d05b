"""Who is an owner by the setting ``ADMINS``. All other roles are in the store (``bot.chat.authorization``).

The setting names people by Entra object id, which nobody else has anywhere, or by user principal name. A name
counts in the bot's home tenant alone, or in the tenant that is written before it (``tenant/name``): what another
tenant calls its people is not for us to trust. Whatever is in doubt does not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Turn
from storage.queries import conversations, roles
from sync.domain.roles import Role


@dataclass(frozen=True, slots=True)
class AdminsSetting:
    """``admins`` are the setting's entries; letter case does not count. ``home`` is the home tenant, if any."""

    admins: tuple[str, ...]
    home: str = ""

    async def admitted_as(self, turn: Turn) -> str:
        """The entry that names the sender, empty for none; the roster is asked only when a name could decide it.

        Raises ``RosterUnavailable``.
        """
        counting = self.counting(turn.incoming.tenant_id)
        object_id = turn.incoming.sender.object_id.casefold()
        if not object_id or object_id in counting:
            return counting.get(object_id, "")
        if not any("@" in who for who in counting):
            return ""
        name = (await turn.principal_name()).strip().casefold()
        return counting.get(name, "") if "@" in name else ""

    def entries(self) -> frozenset[str]:
        """All entries as they are compared: in small letters."""
        return frozenset(admin.strip().casefold() for admin in self.admins) - {""}

    def counting(self, tenant: str) -> Mapping[str, str]:
        """The entries that count in a tenant, by the object id or name they mean."""
        found: dict[str, str] = {}
        for entry in self.entries():
            where, _, who = entry.rpartition("/")
            meant = where or (tenant if "@" not in who else self.home)
            if who and tenant and meant.casefold() == tenant.casefold():
                found[who] = entry
        return found

    def names(self, entry: str, tenant: str) -> bool:
        """Whether somebody who was once admitted to the tenant as ``entry`` still is."""
        return bool(entry) and entry in self.counting(tenant).values()

    async def role_of(self, session: AsyncSession, tenant: str, person: str) -> Role:
        """Of somebody who does not speak just now: by the setting, as they were last admitted, or by the store."""
        known = await conversations.find(session, tenant, person)
        if known and self.names(known.admin_as, tenant):
            return Role.OWNER
        member = await roles.find(session, tenant, person)
        return Role(member.role) if member else Role.EVERYONE

    def named(self, tenant: str) -> list[str]:
        """The owners of a tenant that are known by name, as the setting has them."""
        counting = set(self.counting(tenant).values())
        known = [admin.strip() for admin in self.admins if admin.strip().casefold() in counting]
        return [admin.rpartition("/")[2] for admin in known if "@" in admin]
