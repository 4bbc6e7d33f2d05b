"""``history`` and ``export history``: who did what, when, and with which result."""

from bot.cards.access import history as cards
from bot.cards.field_errors import Link
from bot.chat.context import Command, TurnContext
from bot.chat.exports.csv_lines import csv_line
from bot.chat.exports.links import ExportRequest
from storage.queries import history
from sync.domain.roles import Role


async def show(context: TurnContext) -> None:
    """Show a page of the history of all integrations, or of the one in ``data``."""
    chosen = _chosen(context)
    async with context.services.database.session() as session:
        total = await history.count(session, context.tenant, chosen)
        page = _page(context, total, cards.PAGE)
        acts = await history.page(session, context.tenant, page * cards.PAGE, cards.PAGE, chosen)
    views = await context.operations.integrations.list(context.tenant)
    zone = await context.zone()
    await context.show(cards.history_card(context.texts, acts, total, page, context.now, zone, views, chosen))


async def export(context: TurnContext) -> None:
    """Show a link to the file if it is reachable, and a button to read it as text."""
    chosen = _chosen(context)
    async with context.services.database.session() as session:
        total = await history.count(session, context.tenant, chosen)
    request = ExportRequest(context.tenant, context.person, context.texts.language, chosen)
    url = context.services.export_links.create(request, context.turn.incoming.address.service_url)
    link = Link(context.texts("export.download"), url) if url else None
    await context.show(cards.export_card(context.texts, total, link, chosen))


async def as_text(context: TurnContext) -> None:
    chosen = _chosen(context)
    async with context.services.database.session() as session:
        total = await history.count(session, context.tenant, chosen)
        page = _page(context, total, cards.LINES)
        acts = await history.page(session, context.tenant, page * cards.LINES, cards.LINES, chosen)
    cells = [cards.columns(context.texts), *(cards.line(context.texts, act) for act in acts)]
    lines = [csv_line(line, context.texts.language).rstrip() for line in cells]
    await context.show(cards.export_text(context.texts, lines, total, page, chosen))


def _chosen(context: TurnContext) -> str:
    """An integration's id, which may be removed by now; history is filtered by tenant in any case."""
    chosen = context.data.get("integration", "")
    return "" if chosen == cards.EVERY else chosen


def _page(context: TurnContext, total: int, size: int) -> int:
    return min(context.number("page"), max(0, (total - 1) // size))


COMMAND = Command(
    key="history",
    titles={"en": "history", "pt": "histórico"},
    descriptions={"en": "Who did what, and when", "pt": "Quem fez o quê, e quando"},
    aliases=("show history", "log", "who did what", "mostrar histórico", "registo"),
    open=show,
    least=Role.VIEWER,
    listed=False,
    actions={"history.show": show, "history.page": show, "history.filter": show},
)

EXPORT = Command(
    key="export",
    titles={"en": "export history", "pt": "exportar histórico"},
    descriptions={"en": "The history as a CSV file", "pt": "O histórico como ficheiro CSV"},
    aliases=("export", "csv", "exportar"),
    open=export,
    least=Role.VIEWER,
    listed=False,
    actions={"export.link": export, "export.text": as_text},
)
