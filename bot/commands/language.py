"""``language``: the chat's language, whatever the client's."""

from bot.cards.welcome import languages
from bot.exchange import Command, Exchange
from bot.languages import Language
from storage import conversations
from storage.roles import Role


async def open_language(exchange: Exchange) -> None:
    await exchange.show(languages(exchange.texts, changed=False))


async def choose(exchange: Exchange) -> None:
    wanted = exchange.data.get("language", "")
    if wanted not in list(Language):
        return await open_language(exchange)
    async with exchange.desk.database.writing() as session:
        await conversations.set_language(session, exchange.tenant, exchange.person, wanted)
    exchange.texts = exchange.desk.languages[Language(wanted)]
    return await exchange.show(languages(exchange.texts, changed=True))


COMMAND = Command(
    key="language",
    titles={"en": "language", "pt": "idioma"},
    descriptions={"en": "English or Portuguese", "pt": "Inglês ou português"},
    aliases=("change language", "língua", "mudar idioma"),
    open=open_language,
    least=Role.VIEWER,
    actions={"language.set": choose},
)
