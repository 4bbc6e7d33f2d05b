"""The last day of a client secret, entered on the card that says that it is unknown."""

from contextlib import suppress

from bot.cards import validation
from bot.cards.health.expiry import asks_for_date
from bot.chat.context import TurnContext
from bot.commands.health.status import show, show_for
from sync.domain.model import EditedMeanwhile


async def save(context: TurnContext) -> None:
    """Store the date and show the status, with the errors of the date if there are any.

    On an old card it may be that of a former secret.
    """
    view, today = await context.integration(), context.now.date()
    if not asks_for_date(view, today):
        return await show(context)
    typed = validation.entered(context.data, "expires_on")
    form_errors = validation.check_filled(context.texts, typed, "expires_on")
    form_errors = form_errors or validation.check_expiry(context.texts, typed["expires_on"], today)
    day = validation.day_of(typed["expires_on"])
    if form_errors or day is None:
        return await show_for(context, view, form_errors)
    editor = context.operations.editor
    with suppress(EditedMeanwhile):
        await editor.correct_expiry(context.tenant, view.id, view.revision, day, context.actor)
    return await show(context)
