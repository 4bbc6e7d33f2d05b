"""What the speaker may do: read anew at each turn, so that whoever is removed is out at once, everywhere."""

from bot.exchange import Exchange
from storage import conversations, roles
from storage.roles import Role
from storage.tables import Member

NAMED = 5


async def role_of(exchange: Exchange) -> Role:
    """By the setting, by the store, or by an invitation that is taken up now."""
    desk, sender = exchange.desk, exchange.turn.incoming.sender
    admin_as = await desk.access.admitted_as(exchange.turn)
    if admin_as != exchange.admin_as:
        async with desk.database.writing() as session:
            await conversations.set_admin(session, exchange.tenant, exchange.person, admin_as)
        exchange.admin_as = admin_as
    if admin_as:
        return Role.OWNER
    async with desk.database.session() as session:
        member = await roles.find(session, exchange.tenant, sender.object_id)
        may_join = member is None and await roles.has_invitations(session, exchange.tenant, exchange.now)
    if may_join:
        member = await _join(exchange)
    return Role(member.role) if member else Role.EVERYONE


async def _join(exchange: Exchange) -> Member | None:
    """Take up an invitation by the name the channel's roster has; never by one the sender says."""
    sender = exchange.turn.incoming.sender
    address = (await exchange.turn.principal_name()).strip().casefold()
    async with exchange.desk.database.writing() as session:
        member = await roles.join(session, exchange.tenant, address, sender.object_id, sender.name, exchange.now)
        if member:
            await exchange.record(session, None, "admins_join", person=address, role=member.role)
    return member


async def whom_to_ask(exchange: Exchange) -> list[str]:
    """The tenant's owners by name, a few of them."""
    async with exchange.desk.database.session() as session:
        members = await roles.listed(session, exchange.tenant)
    owners = [one.name for one in members if one.role == Role.OWNER and one.user_object_id and one.name]
    return [*owners, *exchange.desk.access.named(exchange.tenant)][:NAMED]
