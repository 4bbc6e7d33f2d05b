"""What the user may do. Roles are read at each turn, and again where an act is stored (``bot.chat.authority``)."""

import structlog

from bot.activity import Action, RosterUnavailable
from bot.cards import welcome as cards
from bot.chat.authority import RoleWithdrawn
from bot.chat.context import Proceed, TurnContext
from bot.chat.dispatcher import Dispatcher
from bot.chat.router import Router
from bot.chat.turn_metrics import Outcome
from storage.queries.chat import conversations, roles
from storage.tables.roles import Member
from sync.audit import Act
from sync.domain.roles import Role

log = structlog.get_logger()

MAX_NAMED = 5


class MembersOnly:
    """Stops users without a role, except for commands that need none, and shows them whom to ask."""

    def __init__(self, router: Router, dispatcher: Dispatcher) -> None:
        self._router = router
        self._dispatcher = dispatcher

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        await recognise(context)
        event = context.event
        if context.role is not Role.EVERYONE:
            await proceed()
        elif needed_role(context, self._router) is Role.EVERYONE:
            await self._dispatcher.dispatch(context)
        elif not context.recognised:
            context.measured.outcome = Outcome.FAILED
            retry_verb = "" if isinstance(event, Action) else self._router.verb_of(event)
            await context.send(cards.not_recognised(context.texts, retry_verb))
        else:
            log.info("sender_refused", tenant=context.tenant, person=context.person)
            context.measured.outcome = Outcome.REFUSED
            await context.show(cards.refused(context.texts, await whom_to_ask(context)))


class CommandPermission:
    """Checks the role that a command requires, for its typed words and for its buttons."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, context: TurnContext, proceed: Proceed) -> None:
        needed = needed_role(context, self._router)
        if needed is None or context.role.covers(needed):
            try:
                return await proceed()
            except RoleWithdrawn:
                await recognise(context)
        context.measured.outcome = Outcome.REFUSED
        log.info("command_refused", tenant=context.tenant, person=context.person, role=context.role.value)
        owners = await whom_to_ask(context)
        if needed is None or context.role is Role.EVERYONE:
            return await context.show(cards.refused(context.texts, owners))
        return await context.show(cards.not_for_role(context.texts, context.role, needed, owners))


def needed_role(context: TurnContext, router: Router) -> Role | None:
    """The least role for the typed command or pressed button; None for an unknown one."""
    event = context.event
    if isinstance(event, Action):
        return context.needed(event.verb)
    command = router.command_of(event)
    return command.least if command else None


async def recognise(context: TurnContext) -> Role:
    """Set the user's role in ``context``; while the roster is unavailable it stays ``EVERYONE``."""
    try:
        context.role = await role_of(context)
    except RosterUnavailable:
        context.recognised = False
    return context.role


async def role_of(context: TurnContext) -> Role:
    """The user's role by the setting, by the database, or by an invitation that is accepted now.

    Raises ``RosterUnavailable`` when the role depends on a name that the channel does not provide now.
    """
    try:
        context.owner_by_setting = await _is_named_in_setting(context)
        if context.owner_by_setting:
            return Role.OWNER
    except RosterUnavailable:
        member = await _member(context)
        if member is None:
            raise
        return Role(member.role)
    member = await _member(context) or await _join(context)
    return Role(member.role) if member else Role.EVERYONE


async def _is_named_in_setting(context: TurnContext) -> bool:
    """Store the matching entry, so that the notifier knows the user as an owner; unchanged if the roster fails."""
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
    """Accept an invitation by the name in the channel's roster, never by a name the sender gives."""
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
    """The names of a few of the tenant's owners."""
    async with context.services.database.session() as session:
        members = await roles.list_members(session, context.tenant)
    owners = [one.name for one in members if one.role == Role.OWNER and one.user_object_id and one.name]
    return [*owners, *context.services.access.named(context.tenant)][:MAX_NAMED]
