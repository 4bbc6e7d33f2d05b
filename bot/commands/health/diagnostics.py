"""``diagnostics``: one file for support, without secrets and without people."""

from bot.cards import exports as cards
from bot.cards.field_errors import Link
from bot.chat.context import Command, TurnContext
from bot.chat.exports.links import DIAGNOSTICS, ExportRequest
from sync.domain.roles import Role


async def show(context: TurnContext) -> None:
    request = ExportRequest(context.tenant, context.person, context.texts.language, "", DIAGNOSTICS)
    url = context.services.export_links.create(request, context.turn.incoming.address.service_url)
    link = Link(context.texts("diagnostics.download"), url) if url else None
    await context.show(cards.diagnostics_card(context.texts, link))


COMMAND = Command(
    key="diagnostics",
    titles={"en": "diagnostics", "pt": "diagnóstico"},
    descriptions={
        "en": "One file for support, without secrets or names",
        "pt": "Um ficheiro para o suporte, sem segredos nem nomes",
    },
    aliases=("diagnostic", "support file", "diagnosticos", "ficheiro de suporte"),
    open=show,
    least=Role.ADMINISTRATOR,
    listed=False,
)
