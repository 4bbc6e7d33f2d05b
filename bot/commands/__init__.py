"""Every command, in the order of help and docs/en/commands.md, each with its whole conversation in one file."""

from bot.chat.context import Command
from bot.commands import help, language, people  # noqa: A004
from bot.commands.access import admins, claim, history
from bot.commands.credentials import auto_rotate, certificate, monitors, rotate
from bot.commands.health import alerts, connection_test, diagnostics, drill, report, status
from bot.commands.integrations import edit, listing, remove, update
from bot.commands.presence import disable, enable, mapping, messages, schedule
from bot.commands.setup import command as setup

COMMANDS: tuple[Command, ...] = (
    setup.COMMAND,
    enable.COMMAND,
    disable.COMMAND,
    status.COMMAND,
    report.COMMAND,
    *people.COMMANDS,
    mapping.COMMAND,
    schedule.COMMAND,
    messages.COMMAND,
    update.COMMAND,
    connection_test.COMMAND,
    diagnostics.COMMAND,
    drill.COMMAND,
    remove.COMMAND,
    listing.COMMAND,
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
