"""``enable presence``: a preview of who is matched, then enabling. Setup's last step uses the same handlers."""

from bot.cards.integrations import listing as integration_cards
from bot.cards.presence import preview as cards
from bot.cards.setup.steps import checking
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.errors import SyncError
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_enable(context: TurnContext) -> None:
    await choose(context, "enable.preview", show_preview)


async def show_preview(context: TurnContext, view: IntegrationView, wizard: bool = False) -> None:
    """Read both directories now; an error is shown with a button to try again."""
    if view.enabled:
        return await context.show(integration_cards.already_enabled(context.texts, view))
    await context.show(checking(context.texts, 3 if wizard else 0, "people"))
    try:
        found = await context.operations.overview.preview(context.tenant, view.id)
    except SyncError as error:
        form_error = context.form_error(error, view.client_id)
        return await context.show(cards.preview_failed(context.texts, view, form_error, wizard))
    context.services.previews.put(context.tenant, view.id, found)
    return await context.show(cards.preview_card(context.texts, view, found, wizard=wizard))


async def show_page(context: TurnContext, view: IntegrationView, wizard: bool = False) -> None:
    """Show another page of unmatched people; read the directories again if the cached preview has expired."""
    found = context.services.previews.get(context.tenant, view.id)
    if found is None:
        found = await context.operations.overview.preview(context.tenant, view.id)
        context.services.previews.put(context.tenant, view.id, found)
    page = min(context.number("page"), cards.pages(found) - 1)
    await context.show(cards.preview_card(context.texts, view, found, page, wizard))


async def enable(context: TurnContext, view: IntegrationView) -> None:
    enabled = await context.operations.integrations.enable(context.tenant, view.id, context.actor)
    context.services.previews.drop(context.tenant, view.id)
    await context.show(cards.enabled_card(context.texts, enabled, context.now, await context.zone()))


async def postpone(context: TurnContext, view: IntegrationView) -> None:
    card = integration_cards.already_enabled if view.enabled else cards.later_card
    await context.show(card(context.texts, view))


async def preview(context: TurnContext) -> None:
    await show_preview(context, await context.integration())


async def page(context: TurnContext) -> None:
    await show_page(context, await context.integration())


async def now(context: TurnContext) -> None:
    await enable(context, await context.integration())


async def later(context: TurnContext) -> None:
    await postpone(context, await context.integration())


COMMAND = Command(
    key="enable",
    titles={"en": "enable presence", "pt": "ativar presença"},
    descriptions={
        "en": "Start to show in Teams who is on the phone",
        "pt": "Começar a mostrar no Teams quem está ao telefone",
    },
    aliases=("enable", "resume", "turn on presence", "habilitar presença", "ligar presença"),
    open=open_enable,
    least=Role.ADMINISTRATOR,
    actions={
        "enable.preview": preview,
        "enable.page": page,
        "enable.now": now,
        "enable.later": later,
    },
)
