"""``claim``: whoever has the one-time code becomes an owner of their organisation."""

import structlog

from bot import claims
from bot.cards import claim as cards
from bot.exchange import Command, Exchange
from bot.turns import Message
from storage import claims as rows
from storage import conversations, roles
from storage.roles import Role
from storage.tables import ClaimCode

log = structlog.get_logger()


async def open_claim(exchange: Exchange) -> None:
    """With a code behind the word it is tried at once; without, it is asked for."""
    what = exchange.turn.incoming.what
    typed = what.text.partition(" ")[2] if isinstance(what, Message) else ""
    if typed:
        await _try(exchange, typed)
    else:
        await exchange.show(cards.asked(exchange.texts))


async def now(exchange: Exchange) -> None:
    await _try(exchange, exchange.data.get(cards.CODE, ""))


async def _try(exchange: Exchange, typed: str) -> None:
    """Count first, then prove, then use: of all who have the code one gets in, and guessing ends soon."""
    if exchange.role is Role.OWNER:
        return await exchange.show(cards.owner_already(exchange.texts))
    async with exchange.desk.database.writing() as session:
        if not await rows.attempt(session, exchange.tenant, exchange.person, exchange.now):
            return await exchange.show(cards.too_often(exchange.texts))
        code = claims.read(typed)
        row = await rows.find(session, exchange.tenant, code[: claims.GROUP], exchange.now)
    if await claims.prove(row, code) and row and await _use(exchange, row):
        exchange.role = Role.OWNER
        return await exchange.show(cards.claimed(exchange.texts))
    log.warning("claim_refused", tenant=exchange.tenant, person=exchange.person)
    return await exchange.show(cards.refused(exchange.texts))


async def _use(exchange: Exchange, row: ClaimCode) -> bool:
    """Whether this one was first. Somebody Entra does not know cannot own anything."""
    sender = exchange.turn.incoming.sender
    if not sender.object_id:
        return False
    async with exchange.desk.database.writing() as session:
        if not await rows.use(session, row):
            return False
        await roles.make_owner(session, exchange.tenant, sender.object_id, sender.name, exchange.now)
        await conversations.mark_welcomed(session, exchange.tenant, exchange.person)
        await exchange.record(session, None, "claim")
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
