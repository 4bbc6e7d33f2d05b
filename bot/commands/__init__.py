"""Every command, in the order of help and docs/en/commands.md, each with its whole conversation in one file."""

from bot.chat.context import Command
from bot.commands import (
    admins,
    alerts,
    auto_rotate,
    certificate,
    claim,
    connection_test,
    diagnostics,
    disable,
    edit,
    enable,
    help,  # noqa: A004
    history,
    integrations,
    language,
    mapping,
    monitors,
    people,
    remove,
    rotate,
    status,
    update,
)
from bot.commands.setup import command as setup

COMMANDS: tuple[Command, ...] = (
    setup.COMMAND,
    enable.COMMAND,
    disable.COMMAND,
    status.COMMAND,
    *people.COMMANDS,
    mapping.COMMAND,
    update.COMMAND,
    connection_test.COMMAND,
    diagnostics.COMMAND,
    remove.COMMAND,
    integrations.COMMAND,
    edit.COMMAND,
    rotate.COMMAND,
    auto_rotate.COMMAND,
    certificate.COMMAND,
    monitors.COMMAND,
    alerts.COMMAND,
    history.COMMAND,
    history.EXPORT,
    admins.COMMAND,
    claim.COMMAND,
    language.COMMAND,
    help.COMMAND,
)
