"""What the speaker may do: read anew at each turn, so that whoever is removed is out at once, everywhere."""

from bot.activity import RosterUnavailable
from bot.chat.context import TurnContext
from storage.queries import conversations, roles
from storage.queries.roles import Role
from storage.tables.roles import Member
from sync.audit import Act

NAMED = 5


async def role_of(context: TurnContext) -> Role:
    """By the setting, by the store, or by an invitation that is taken up now.

    Raises ``RosterUnavailable`` when a name would decide it and the channel does not tell the name.
    """
    try:
        if await _is_named_in_setting(context):
            return Role.OWNER
    except RosterUnavailable:
        member = await _member(context)
        if member is None:
            raise
        return Role(member.role)
    member = await _member(context) or await _join(context)
    return Role(member.role) if member else Role.EVERYONE


async def _is_named_in_setting(context: TurnContext) -> bool:
    """What is found is kept, so that they can be told of things later; while nothing can be found, it stays."""
    admin_as = await context.services.access.admitted_as(context.turn)
    if admin_as != context.admin_as:
        async with context.services.database.writing() as session:
            await conversations.set_admin(session, context.tenant, context.person, admin_as)
        context.admin_as = admin_as
    return bool(admin_as)


async def _member(context: TurnContext) -> Member | None:
    async with context.services.database.session() as session:
        return await roles.find(session, context.tenant, context.turn.incoming.sender.object_id)


async def _join(context: TurnContext) -> Member | None:
    """Take up an invitation by the name the channel's roster has; never by one the sender says."""
    sender = context.turn.incoming.sender
    async with context.services.database.session() as session:
        if not await roles.has_invitations(session, context.tenant, context.now):
            return None
    address = (await context.turn.principal_name()).strip().casefold()
    async with context.services.database.writing() as session:
        member = await roles.accept_invitation(
            session, context.tenant, address, sender.object_id, sender.name, context.now
        )
        if member:
            await context.record(session, None, Act.ADMINS_JOIN, person=address, role=member.role)
    return member


async def whom_to_ask(context: TurnContext) -> list[str]:
    """The tenant's owners by name, a few of them."""
    async with context.services.database.session() as session:
        members = await roles.list_members(session, context.tenant)
    owners = [one.name for one in members if one.role == Role.OWNER and one.user_object_id and one.name]
    return [*owners, *context.services.access.named(context.tenant)][:NAMED]
