"""Who may speak with the bot: the people named in the setting ``ADMINS``, by Entra object id or by UPN."""

from dataclasses import dataclass

from bot.turns import Turn

NAMED = 5


@dataclass(frozen=True, slots=True)
class AccessRules:
    """``admins`` are Entra object ids or user principal names; letter case does not count. None: nobody may."""

    admins: tuple[str, ...]

    async def admit(self, turn: Turn) -> bool:
        """Whether the sender is an administrator; the roster is asked only when a name could decide it."""
        admins = {admin.strip().casefold() for admin in self.admins} - {""}
        if turn.incoming.sender.object_id.casefold() in admins:
            return True
        if not any("@" in admin for admin in admins):
            return False
        name = (await turn.principal_name()).strip().casefold()
        return "@" in name and name in admins

    def named(self) -> list[str]:
        """Whom to ask: the administrators that are known by name, the first five."""
        return [admin.strip() for admin in self.admins if "@" in admin][:NAMED]
