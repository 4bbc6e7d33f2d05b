"""The command: where a setup begins, continues and ends, and its last step.

Typed values are stored in a draft, see ``bot.commands.setup.draft``.
"""

from collections.abc import Awaitable, Callable

from bot.cards.setup import steps as cards
from bot.chat.context import Command, CommandHandler, TurnContext
from bot.commands.presence import enable
from bot.commands.setup import draft as drafts
from bot.commands.setup import steps
from storage.tables.conversations import Draft
from sync.domain.model import IntegrationView, TooManyIntegrations, UnknownIntegration
from sync.domain.roles import Role

DraftHandler = Callable[[TurnContext, Draft], Awaitable[None]]


async def open_setup(context: TurnContext) -> None:
    """Show the first step, or ask whether to continue an unfinished setup."""
    try:
        await context.operations.integrations.check_room(context.tenant)
    except TooManyIntegrations as error:
        await context.show(cards.too_many(context.texts, error.limit))
        return
    draft = await drafts.load(context)
    if draft is None or not draft.values:
        await steps.show_cloudlink(context, draft or await drafts.begin(context))
    else:
        name = draft.values.get("name") or draft.values.get("account_name", "")
        await context.show(cards.resume(context.texts, draft.id, drafts.STEPS.get(draft.step, 1), name))


async def resume(context: TurnContext, draft: Draft) -> None:
    if drafts.STEPS.get(draft.step, 1) == 1:
        await steps.show_cloudlink(context, draft)
    elif drafts.held_secret(context, draft, drafts.CLOUDLINK_SECRET):
        await steps.show_microsoft(context, draft)
    else:
        await steps.request_cloudlink_secret_again(context, draft)


async def restart(context: TurnContext, _: Draft) -> None:
    await steps.show_cloudlink(context, await drafts.begin(context))


async def back(context: TurnContext, draft: Draft) -> None:
    draft.step = drafts.MICROSOFT if context.data.get("to") == "register" else drafts.CLOUDLINK
    await drafts.save(context, draft)
    await resume(context, draft)


async def cancel(context: TurnContext, _: Draft) -> None:
    await drafts.forget(context)
    await context.show(cards.cancelled(context.texts))


# The last step: check and enable


async def preview(context: TurnContext) -> None:
    await enable.show_preview(context, await context.integration(), wizard=True)


async def page(context: TurnContext) -> None:
    await enable.show_page(context, await context.integration(), wizard=True)


async def now(context: TurnContext) -> None:
    view = await context.integration()
    await enable.enable(context, view)
    await _finish(context, view)


async def later(context: TurnContext) -> None:
    view = await context.integration()
    await _finish(context, view)
    await enable.postpone(context, view)


async def _finish(context: TurnContext, view: IntegrationView) -> None:
    draft = await drafts.load(context)
    if draft is not None and draft.integration_id == view.id:
        await drafts.forget(context)


# The draft


def of_draft(handler: DraftHandler) -> CommandHandler:
    """Run ``handler`` only for the draft of the pressed card; a saved one continues with the last step."""

    async def checked(context: TurnContext) -> None:
        draft = await drafts.load(context)
        if draft is None or draft.id != context.data.get("draft"):
            await context.show(cards.ended(context.texts))
        elif draft.integration_id is not None and handler is not restart:
            await _continue_saved(context, draft.integration_id)
        else:
            await handler(context, draft)

    return checked


async def _continue_saved(context: TurnContext, integration_id: str) -> None:
    context.data = {"integration": integration_id}
    try:
        view = await context.integration()
    except UnknownIntegration:
        await drafts.forget(context)
        raise
    await enable.show_preview(context, view, wizard=True)


COMMAND = Command(
    key="setup",
    titles={"en": "setup integration", "pt": "configurar integração"},
    descriptions={
        "en": "Connect CloudLink and Teams, step by step",
        "pt": "Ligar o CloudLink ao Teams, passo a passo",
    },
    aliases=("set up integration", "setup", "add integration", "configurar", "adicionar integração"),
    open=open_setup,
    least=Role.ADMINISTRATOR,
    actions={
        "setup.resume": of_draft(resume),
        "setup.restart": of_draft(restart),
        "setup.back": of_draft(back),
        "setup.cancel": of_draft(cancel),
        "setup.cloudlink": of_draft(steps.check_cloudlink),
        "setup.register": of_draft(steps.use_ids),
        "setup.save": of_draft(steps.save),
        "setup.preview": preview,
        "setup.page": page,
        "setup.now": now,
        "setup.later": later,
    },
)
