"""``remove integration``: says what will happen, and does it when the integration's name is typed."""

from bot.cards import integrations as cards
from bot.commands.choice import choose
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.inputs import cleaned
from storage.roles import Role
from sync.model import IntegrationView


async def open_remove(exchange: Exchange) -> None:
    await choose(exchange, "remove.ask", ask_for)


async def ask_for(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.show(cards.remove_asked(exchange.texts, view))


async def ask(exchange: Exchange) -> None:
    await ask_for(exchange, await exchange.integration())


async def now(exchange: Exchange) -> None:
    view = await exchange.integration()
    typed = cleaned(exchange.data.get("typed_name", ""))
    if typed.casefold() != cleaned(view.name).casefold():
        texts = exchange.texts
        other = Complaint(texts("remove.other_name"), texts("remove.other_name.remedy"), field="typed_name")
        return await exchange.show(cards.remove_asked(texts, view, other))
    await exchange.desk.integrations.remove(exchange.tenant, view.id)
    exchange.desk.previews.drop(exchange.tenant, view.id)
    return await exchange.show(cards.removed(exchange.texts, view.name))


async def keep(exchange: Exchange) -> None:
    await exchange.show(cards.kept(exchange.texts, await exchange.integration()))


COMMAND = Command(
    key="remove",
    titles={"en": "remove integration", "pt": "remover integração"},
    descriptions={
        "en": "Clear presence and forget the secrets",
        "pt": "Limpar a presença e esquecer os segredos",
    },
    aliases=("remove", "delete integration", "remover", "eliminar integração"),
    open=open_remove,
    least=Role.OWNER,
    actions={"remove.ask": ask, "remove.now": now, "remove.keep": keep},
)
