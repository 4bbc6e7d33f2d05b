"""The stored draft of a setup between its steps.

Whatever was typed is kept, so that nothing has to be pasted twice: an old card's buttons work after a restart too.
Both secrets are kept encrypted, until they are used, refused by their service, or the setup is cancelled.
"""

from bot.cards import validation
from bot.cards.fields import MAX_ID, MAX_NAME, MAX_SECRET
from bot.chat.context import TurnContext
from storage.encryption import SecretUnreadable, place_of
from storage.queries.chat import drafts as rows
from storage.tables.conversations import Draft

CLOUDLINK, MICROSOFT, ENABLE = "cloudlink", "microsoft", "enable"
STEPS = {CLOUDLINK: 1, MICROSOFT: 2, "register": 2, "teams": 2, ENABLE: 3}
"""The number of each step's card, with the steps of releases before 0.2."""

CLOUDLINK_SECRET, CLIENT_SECRET = "cloudlink_secret", "client_secret"
"""The fields of the two secrets."""


async def load(context: TurnContext) -> Draft | None:
    async with context.services.database.session() as session:
        return await rows.load(session, context.tenant, context.person)


async def begin(context: TurnContext) -> Draft:
    draft = Draft(tenant_id=context.tenant, user_object_id=context.person, step=CLOUDLINK, updated_at=context.now)
    await save(context, draft)
    return draft


def keep(draft: Draft, values: dict[str, str]) -> None:
    """Set values of the draft; ``save`` stores them."""
    limits = {field: MAX_NAME if field == "name" else MAX_ID for field in values}
    draft.values = {**draft.values, **{field: value[: limits[field]] for field, value in values.items()}}


async def save(context: TurnContext, draft: Draft) -> None:
    draft.updated_at = context.now
    async with context.services.database.writing() as session:
        await rows.save(session, draft)


async def forget(context: TurnContext) -> None:
    async with context.services.database.writing() as session:
        await rows.delete_one(session, context.tenant, context.person)


def take_secret(context: TurnContext, draft: Draft, field: str) -> str:
    """The secret just typed, which is kept encrypted from now on, or else the kept one; ``save`` stores it."""
    typed = validation.cleaned(context.data.get(field, ""))
    if not typed or len(typed) > MAX_SECRET:
        return typed or held_secret(context, draft, field)
    column = f"{field}_sealed"
    setattr(draft, column, context.services.encryption.encrypt(typed, place_of(draft, column)))
    return typed


def held_secret(context: TurnContext, draft: Draft, field: str) -> str:
    """The kept secret; empty if there is none or it cannot be decrypted."""
    column = f"{field}_sealed"
    try:
        return context.services.encryption.decrypt(getattr(draft, column) or "", place_of(draft, column))
    except SecretUnreadable:
        return ""


def drop_secret(draft: Draft, field: str) -> None:
    """Its service refused it; ``save`` deletes it."""
    setattr(draft, f"{field}_sealed", None)
