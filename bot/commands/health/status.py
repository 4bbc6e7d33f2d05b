"""``status``: what Teams shows of an integration now; a fault, and its remedy, first."""

from collections.abc import Sequence

from bot.cards.field_errors import FormError
from bot.cards.health.status import StatusView, status_card
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_status(context: TurnContext) -> None:
    await choose(context, "status.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView, form_errors: Sequence[FormError] = ()) -> None:
    """``form_errors`` are those of the date that was entered on the card."""
    shown = StatusView(
        status=await context.operations.overview.status(context.tenant, view.id),
        links=context.services.links,
        now=context.now,
        zone=await context.zone(),
        reader=context.turn.incoming.sender.channel_id,
        may_edit=context.may("edit.save_expiry"),
        form_errors=form_errors,
    )
    await context.show(status_card(context.texts, shown))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


COMMAND = Command(
    key="status",
    titles={"en": "status", "pt": "estado"},
    descriptions={"en": "What Teams shows now, and what is wrong", "pt": "O que o Teams mostra e o que falha"},
    aliases=("health", "how is it going", "como está", "ponto de situação"),
    open=open_status,
    least=Role.VIEWER,
    actions={"status.show": show},
)
