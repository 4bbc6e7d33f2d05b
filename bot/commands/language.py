"""``language``: the language of the chat, independent of the client's."""

from bot.cards.welcome import languages
from bot.chat.context import Command, TurnContext
from bot.chat.welcome import welcome_card
from bot.languages import Language
from storage.queries.chat import conversations
from sync.domain.roles import Role


async def open_language(context: TurnContext) -> None:
    await context.show(languages(context.texts, changed=False))


async def choose(context: TurnContext) -> None:
    wanted = context.data.get("language", "")
    if wanted not in list(Language):
        return await open_language(context)
    async with context.services.database.writing() as session:
        await conversations.set_language(session, context.tenant, context.person, wanted)
    context.texts = context.services.languages[Language(wanted)]
    if context.data.get("show") == "welcome":
        return await context.show(await welcome_card(context))
    return await context.show(languages(context.texts, changed=True))


COMMAND = Command(
    key="language",
    titles={"en": "language", "pt": "idioma"},
    descriptions={"en": "English or Portuguese", "pt": "Inglês ou português"},
    aliases=("change language", "língua", "mudar idioma"),
    open=open_language,
    least=Role.VIEWER,
    actions={"language.set": choose},
)
