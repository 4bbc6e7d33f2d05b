"""The stored draft of a setup between its steps."""

from bot.cards.fields import MAX_ID, MAX_NAME
from bot.chat.context import TurnContext
from storage.encryption import SecretUnreadable, place_of
from storage.queries import drafts as rows
from storage.tables.conversations import Draft


async def load(context: TurnContext) -> Draft | None:
    async with context.services.database.session() as session:
        return await rows.load(session, context.tenant, context.person)


async def begin(context: TurnContext) -> Draft:
    draft = Draft(tenant_id=context.tenant, user_object_id=context.person, step="cloudlink", updated_at=context.now)
    await save(context, draft)
    return draft


async def keep(context: TurnContext, draft: Draft, values: dict[str, str]) -> None:
    limits = {field: MAX_NAME if field == "name" else MAX_ID for field in values}
    draft.values = {**draft.values, **{field: value[: limits[field]] for field, value in values.items()}}
    await save(context, draft)


async def save(context: TurnContext, draft: Draft) -> None:
    draft.updated_at = context.now
    async with context.services.database.writing() as session:
        await rows.save(session, draft)


async def forget(context: TurnContext) -> None:
    async with context.services.database.writing() as session:
        await rows.delete_one(session, context.tenant, context.person)


def hold_secret(context: TurnContext, draft: Draft, secret: str) -> None:
    """Set CloudLink's proven secret, encrypted; ``keep`` stores it."""
    place = place_of(draft, "cloudlink_secret_sealed")
    draft.cloudlink_secret_sealed = context.services.encryption.encrypt(secret, place)


def held_secret(context: TurnContext, draft: Draft) -> str:
    """CloudLink's proven secret; empty if there is none or it cannot be decrypted."""
    place = place_of(draft, "cloudlink_secret_sealed")
    try:
        return context.services.encryption.decrypt(draft.cloudlink_secret_sealed or "", place)
    except SecretUnreadable:
        return ""
