"""Who may speak with the bot: the people named in the setting ``ADMINS``, by Entra object id or by UPN."""

from dataclasses import dataclass

from bot.turns import Turn

NAMED = 5


@dataclass(frozen=True, slots=True)
class AccessRules:
    """``admins`` are Entra object ids or user principal names; letter case does not count. None: nobody may."""

    admins: tuple[str, ...]

    async def admit(self, turn: Turn) -> bool:
        """Whether the sender is an administrator."""
        return bool(await self.admitted_as(turn))

    async def admitted_as(self, turn: Turn) -> str:
        """The entry that names the sender, empty for none; the roster is asked only when a name could decide it."""
        entries = self.entries()
        object_id = turn.incoming.sender.object_id.casefold()
        if object_id in entries:
            return object_id
        if not any("@" in entry for entry in entries):
            return ""
        name = (await turn.principal_name()).strip().casefold()
        return name if "@" in name and name in entries else ""

    def entries(self) -> frozenset[str]:
        """The administrators as they are compared: in small letters."""
        return frozenset(admin.strip().casefold() for admin in self.admins) - {""}

    def named(self) -> list[str]:
        """Whom to ask: the administrators that are known by name, the first five."""
        return [admin.strip() for admin in self.admins if "@" in admin][:NAMED]
