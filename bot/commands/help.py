"""``help`` and greetings: the commands the user may type."""

from bot.cards.welcome import help_card
from bot.chat.context import Command, TurnContext
from sync.domain.roles import GRANTABLE, Role


async def open_help(context: TurnContext) -> None:
    """Show the commands that the user's role allows."""
    language = context.texts.language
    mine = [one for one in context.services.commands if context.role.covers(one.least) and one.least in GRANTABLE]
    said = [(command.titles[language], command.descriptions[language]) for command in mine]
    await context.show(help_card(context.texts, said))


COMMAND = Command(
    key="help",
    titles={"en": "help", "pt": "ajuda"},
    descriptions={"en": "What the bot does and understands", "pt": "O que o bot faz e entende"},
    aliases=("hi", "hello", "hey", "?", "olá", "oi", "bom dia", "boa tarde", "boa noite", "start", "menu"),
    open=open_help,
    least=Role.VIEWER,
)
