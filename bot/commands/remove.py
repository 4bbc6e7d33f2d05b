"""``remove integration``: explains what is removed, and asks for the integration's name as confirmation."""

from bot.cards import integrations as cards
from bot.cards.field_errors import FormError
from bot.cards.validation import cleaned
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


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
    return await context.show(cards.removed(context.texts, view.name))


async def keep(context: TurnContext) -> None:
    await context.show(cards.kept(context.texts, await context.integration()))


COMMAND = Command(
    key="remove",
    titles={"en": "remove integration", "pt": "remover integração"},
    descriptions={
        "en": "Clear presence and delete the secrets",
        "pt": "Limpar a presença e eliminar os segredos",
    },
    aliases=("remove", "delete integration", "remover", "eliminar integração"),
    open=open_remove,
    least=Role.OWNER,
    actions={"remove.ask": ask, "remove.now": now, "remove.keep": keep},
)
