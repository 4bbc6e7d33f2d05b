"""What the speaker may do: read anew at each turn, so that whoever is removed is out at once, everywhere."""

from bot.exchange import Exchange
from bot.turns import RosterUnavailable
from storage import conversations, roles
from storage.roles import Role
from storage.tables import Member

NAMED = 5


async def role_of(exchange: Exchange) -> Role:
    """By the setting, by the store, or by an invitation that is taken up now.

    Raises ``RosterUnavailable`` when a name would decide it and the channel does not tell the name.
    """
    try:
        if await _is_named_in_setting(exchange):
            return Role.OWNER
    except RosterUnavailable:
        member = await _member(exchange)
        if member is None:
            raise
        return Role(member.role)
    member = await _member(exchange) or await _join(exchange)
    return Role(member.role) if member else Role.EVERYONE


async def _is_named_in_setting(exchange: Exchange) -> bool:
    """What is found is kept, so that they can be told of things later; while nothing can be found, it stays."""
    admin_as = await exchange.desk.access.admitted_as(exchange.turn)
    if admin_as != exchange.admin_as:
        async with exchange.desk.database.writing() as session:
            await conversations.set_admin(session, exchange.tenant, exchange.person, admin_as)
        exchange.admin_as = admin_as
    return bool(admin_as)


async def _member(exchange: Exchange) -> Member | None:
    async with exchange.desk.database.session() as session:
        return await roles.find(session, exchange.tenant, exchange.turn.incoming.sender.object_id)


async def _join(exchange: Exchange) -> Member | None:
    """Take up an invitation by the name the channel's roster has; never by one the sender says."""
    sender = exchange.turn.incoming.sender
    async with exchange.desk.database.session() as session:
        if not await roles.has_invitations(session, exchange.tenant, exchange.now):
            return None
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
