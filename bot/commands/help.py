"""``help``, and whatever else one says first: what can be said here."""

from bot.cards.welcome import help_card
from bot.exchange import Command, Exchange
from storage.roles import GRANTED, Role


async def open_help(exchange: Exchange) -> None:
    """What the speaker may say."""
    language = exchange.texts.language
    mine = [one for one in exchange.desk.commands if exchange.role.covers(one.least) and one.least in GRANTED]
    said = [(command.titles[language], command.descriptions[language]) for command in mine]
    await exchange.show(help_card(exchange.texts, said))


COMMAND = Command(
    key="help",
    titles={"en": "help", "pt": "ajuda"},
    descriptions={"en": "What the bot does and understands", "pt": "O que o bot faz e entende"},
    aliases=("hi", "hello", "hey", "?", "olá", "oi", "bom dia", "boa tarde", "boa noite", "start", "menu"),
    open=open_help,
    least=Role.VIEWER,
)
