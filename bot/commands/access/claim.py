"""``claim``: a person with the one-time code becomes an owner of their organisation."""

import structlog

from bot.activity import Message
from bot.cards.access import claim as cards
from bot.chat.context import Command, TurnContext
from bot.roles import claim_codes
from storage.queries.chat import claims as rows
from storage.queries.chat import conversations, roles
from storage.tables.roles import ClaimCode
from sync.audit import Act
from sync.domain.roles import Role

log = structlog.get_logger()


async def open_claim(context: TurnContext) -> None:
    """Try the code typed after the command; without one, ask for it."""
    event = context.event
    typed = event.text.partition(" ")[2] if isinstance(event, Message) else ""
    if typed:
        await _try(context, typed)
    else:
        await context.show(cards.asked(context.texts))


async def now(context: TurnContext) -> None:
    await _try(context, context.data.get(cards.CODE, ""))


async def _try(context: TurnContext, typed: str) -> None:
    """Count the attempt, verify the code, then use it: a code works once, and guessing is limited."""
    if context.role is Role.OWNER:
        return await context.show(cards.owner_already(context.texts))
    code = claim_codes.read(typed)
    code_id = code[: claim_codes.GROUP]
    async with context.services.database.writing() as session:
        is_allowed = await rows.record_attempt(session, context.tenant, context.person, code_id, context.now)
        row = await rows.find_valid(session, context.tenant, code_id, context.now)
    if not is_allowed:
        return await context.show(cards.too_often(context.texts))
    if await claim_codes.verify(row, code) and row and await _use(context, row):
        context.role = Role.OWNER
        return await context.show(cards.claimed(context.texts))
    log.warning("claim_refused", tenant=context.tenant, person=context.person)
    return await context.show(cards.refused(context.texts))


async def _use(context: TurnContext, row: ClaimCode) -> bool:
    """Use the code; False if it was used before, or the person has no Entra object id."""
    sender = context.turn.incoming.sender
    if not sender.object_id:
        return False
    async with context.services.database.writing() as session:
        if not await rows.consume(session, row):
            return False
        await roles.make_owner(session, context.tenant, sender.object_id, sender.name, context.now)
        await conversations.mark_welcomed(session, context.tenant, context.person)
        await context.record(session, None, Act.CLAIM)
    return True


COMMAND = Command(
    key="claim",
    titles={"en": "claim", "pt": "reclamar"},
    descriptions={
        "en": "Become the first owner, with the one-time code",
        "pt": "Tornar-se o primeiro proprietário, com o código",
    },
    open=open_claim,
    least=Role.EVERYONE,
    takes_words=True,
    listed=False,
    actions={"claim.now": now},
)
