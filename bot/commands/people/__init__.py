"""The commands about people: the list, one person, why Teams shows what it shows, and a person's own presence."""

from bot.chat.context import Command
from bot.commands.people import export, importing, listing, opt_out, own, person, scope, why

COMMANDS: tuple[Command, ...] = (
    listing.COMMAND,
    export.COMMAND,
    importing.COMMAND,
    why.COMMAND,
    person.COMMAND,
    scope.COMMAND,
    own.COMMAND,
    opt_out.COMMAND,
)
