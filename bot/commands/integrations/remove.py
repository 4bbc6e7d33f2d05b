"""``remove integration``: explains what is removed, and asks for the integration's name as confirmation."""

import asyncio

from bot.cards.field_errors import FormError
from bot.cards.integrations import listing as cards
from bot.cards.validation import cleaned
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role

FOLLOW_INTERVAL, FOLLOW_TIMES = 0.5, 16
"""Seconds between the looks, and how many: Teams waits about ten seconds."""


async def open_remove(context: TurnContext) -> None:
    await choose(context, "remove.ask", ask_for)


async def ask_for(context: TurnContext, view: IntegrationView) -> None:
    await context.show(cards.remove_asked(context.texts, view))


async def ask(context: TurnContext) -> None:
    await ask_for(context, await context.integration())


async def now(context: TurnContext) -> None:
    view = await context.integration()
    typed = cleaned(context.data.get("typed_name", ""))
    if typed.casefold() != cleaned(view.name).casefold():
        texts = context.texts
        other = FormError(texts("remove.other_name"), texts("remove.other_name.remedy"), field="typed_name")
        return await context.show(cards.remove_asked(texts, view, other))
    await context.operations.integrations.remove(context.tenant, view.id, context.actor)
    context.services.previews.drop(context.tenant, view.id)
    return await _follow(context, view.id, view.name)


async def progress(context: TurnContext) -> None:
    """Whether presence is cleared by now."""
    await _follow(context, context.data.get("integration", ""), context.data.get("name", ""))


async def _follow(context: TurnContext, integration_id: str, name: str) -> None:
    """Show that it is being removed, and after some seconds at most whether it is."""
    operations = context.operations.integrations
    left = await operations.left_by_removal(context.tenant, integration_id)
    await context.show(cards.removed(context.texts, integration_id, name, left))
    for _ in range(FOLLOW_TIMES if left is None else 0):
        await asyncio.sleep(FOLLOW_INTERVAL)
        left = await operations.left_by_removal(context.tenant, integration_id)
        if left is not None:
            return await context.show(cards.removed(context.texts, integration_id, name, left))
    return None


async def keep(context: TurnContext) -> None:
    await context.show(cards.kept(context.texts, await context.integration()))


COMMAND = Command(
    key="remove",
    titles={"en": "remove integration", "pt": "remover integração"},
    descriptions={
        "en": "Clear presence and delete the secrets",
        "pt": "Retirar a presença e eliminar os segredos",
    },
    aliases=("remove", "delete integration", "remover", "eliminar integração"),
    open=open_remove,
    least=Role.OWNER,
    actions={"remove.ask": ask, "remove.now": now, "remove.progress": progress, "remove.keep": keep},
)
