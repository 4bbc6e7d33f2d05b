"""The setup somebody has under way, between one card and the next."""

from bot.cards.fields import MAX_ID, MAX_NAME
from bot.exchange import Exchange
from storage import drafts as rows
from storage.sealing import Unreadable
from storage.tables import Draft


async def load(exchange: Exchange) -> Draft | None:
    async with exchange.desk.database.session() as session:
        return await rows.load(session, exchange.tenant, exchange.person)


async def begin(exchange: Exchange) -> Draft:
    draft = Draft(
        tenant_id=exchange.tenant, user_object_id=exchange.person, step="cloudlink", updated_at=exchange.now
    )
    await save(exchange, draft)
    return draft


async def keep(exchange: Exchange, draft: Draft, values: dict[str, str]) -> None:
    limits = {field: MAX_NAME if field == "name" else MAX_ID for field in values}
    draft.values = {**draft.values, **{field: value[: limits[field]] for field, value in values.items()}}
    await save(exchange, draft)


async def save(exchange: Exchange, draft: Draft) -> None:
    draft.updated_at = exchange.now
    async with exchange.desk.database.writing() as session:
        await rows.save(session, draft)


async def forget(exchange: Exchange) -> None:
    async with exchange.desk.database.writing() as session:
        await rows.forget(session, exchange.tenant, exchange.person)


def held_secret(exchange: Exchange, draft: Draft) -> str:
    """CloudLink's proven secret; empty when there is none that can be opened."""
    try:
        return exchange.desk.seal.open(draft.cloudlink_secret_sealed) if draft.cloudlink_secret_sealed else ""
    except Unreadable:
        return ""
