"""Every command, in the order of help and README, each with its whole conversation in one file."""

from bot.commands import (
    connection_test,
    disable,
    enable,
    help,  # noqa: A004
    integrations,
    language,
    remove,
    setup,
    status,
)
from bot.exchange import Command

COMMANDS: tuple[Command, ...] = (
    setup.COMMAND,
    enable.COMMAND,
    disable.COMMAND,
    status.COMMAND,
    connection_test.COMMAND,
    remove.COMMAND,
    integrations.COMMAND,
    language.COMMAND,
    help.COMMAND,
)
