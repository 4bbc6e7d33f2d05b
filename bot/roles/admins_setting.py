"""The owners named in the setting ``ADMINS``. All other roles are in the database (``bot.chat.authorization``).

The setting names people by Entra object id, which is globally unique, or by user principal name. A name is valid
only in the bot's home tenant, or in the tenant written before it (``tenant/name``): names that another tenant gives
its people cannot be trusted. In doubt an entry does not apply.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Turn
from storage.queries.chat import conversations, roles
from sync.domain.roles import Role


@dataclass(frozen=True, slots=True)
class AdminsSetting:
    """``admins`` are the setting's entries, compared without letter case. ``home`` is the home tenant, if any."""

    admins: tuple[str, ...]
    home: str = ""

    async def admitted_as(self, turn: Turn) -> str:
        """The entry that names the sender, empty for none; the roster is read only when a name could match.

        Raises ``RosterUnavailable``.
        """
        entries_of = self.entries_of(turn.incoming.tenant_id)
        object_id = turn.incoming.sender.object_id.casefold()
        if not object_id or object_id in entries_of:
            return entries_of.get(object_id, "")
        if not any("@" in who for who in entries_of):
            return ""
        name = (await turn.principal_name()).strip().casefold()
        return entries_of.get(name, "") if "@" in name else ""

    def entries(self) -> frozenset[str]:
        """All entries in lower case."""
        return frozenset(admin.strip().casefold() for admin in self.admins) - {""}

    def entries_of(self, tenant: str) -> Mapping[str, str]:
        """The entries that apply in a tenant, by object id or name."""
        found: dict[str, str] = {}
        for entry in self.entries():
            where, _, who = entry.rpartition("/")
            meant = where or (tenant if "@" not in who else self.home)
            if who and tenant and meant.casefold() == tenant.casefold():
                found[who] = entry
        return found

    def names(self, entry: str, tenant: str) -> bool:
        """Whether ``entry``, by which a person was admitted to the tenant before, still applies."""
        return bool(entry) and entry in self.entries_of(tenant).values()

    async def role_of(self, session: AsyncSession, tenant: str, person: str) -> Role:
        """The role of a person outside a turn: by the setting, as last admitted, or by the database."""
        known = await conversations.find(session, tenant, person)
        if known and self.names(known.admin_as, tenant):
            return Role.OWNER
        member = await roles.find(session, tenant, person)
        return Role(member.role) if member else Role.EVERYONE

    def named(self, tenant: str) -> list[str]:
        """The owners of a tenant that the setting names by principal name."""
        entries_of = set(self.entries_of(tenant).values())
        applying = [admin.strip() for admin in self.admins if admin.strip().casefold() in entries_of]
        return [admin.rpartition("/")[2] for admin in applying if "@" in admin]
