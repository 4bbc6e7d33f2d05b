"""``export people``: everyone of an integration as a CSV file."""

from bot.cards import exports as cards
from bot.cards.field_errors import Link
from bot.chat.context import Command, TurnContext
from bot.chat.exports.links import PEOPLE, ExportRequest
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role


async def open_export(context: TurnContext) -> None:
    await choose(context, "export_people.link", _show)


async def link(context: TurnContext) -> None:
    await _show(context, await context.integration())


async def _show(context: TurnContext, view: IntegrationView) -> None:
    """Show a link to the file, or why there is none."""
    request = ExportRequest(context.tenant, context.person, context.texts.language, view.id, PEOPLE)
    url = context.services.export_links.create(request, context.turn.incoming.address.service_url)
    found = Link(context.texts("export.download"), url) if url else None
    await context.show(cards.people_card(context.texts, view, found))


COMMAND = Command(
    key="export_people",
    titles={"en": "export people", "pt": "exportar pessoas"},
    descriptions={
        "en": "Everyone of an integration as a CSV file",
        "pt": "Todas as pessoas de uma integração em CSV",
    },
    open=open_export,
    least=Role.VIEWER,
    listed=False,
    actions={"export_people.link": link},
)
