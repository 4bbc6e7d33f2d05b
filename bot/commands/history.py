"""``history`` and ``export history``: who did what, when, and how it went."""

from bot.cards import history as cards
from bot.complaints import Link
from bot.exchange import Command, Exchange
from bot.exports import Wish, written
from storage import history
from storage.roles import Role


async def show(exchange: Exchange) -> None:
    """A page of the history of everything, or of the integration that ``data`` names."""
    chosen = _chosen(exchange)
    async with exchange.desk.database.session() as session:
        total = await history.count(session, exchange.tenant, chosen)
        page = _page(exchange, total, cards.PAGE)
        acts = await history.page(session, exchange.tenant, page * cards.PAGE, cards.PAGE, chosen)
    views = await exchange.desk.integrations.list(exchange.tenant)
    await exchange.show(cards.history_card(exchange.texts, acts, total, page, exchange.now, views, chosen))


async def export(exchange: Exchange) -> None:
    """A link to the file where one can be had, and the way to read it here."""
    chosen = _chosen(exchange)
    async with exchange.desk.database.session() as session:
        total = await history.count(session, exchange.tenant, chosen)
    url = exchange.desk.exports.link(_wish(exchange, chosen), exchange.turn.incoming.address.service_url)
    link = Link(exchange.texts("export.download"), url) if url else None
    await exchange.show(cards.export_card(exchange.texts, total, link, chosen))


async def as_text(exchange: Exchange) -> None:
    chosen = _chosen(exchange)
    async with exchange.desk.database.session() as session:
        total = await history.count(session, exchange.tenant, chosen)
        page = _page(exchange, total, cards.LINES)
        acts = await history.page(session, exchange.tenant, page * cards.LINES, cards.LINES, chosen)
    cells = [cards.columns(exchange.texts), *(cards.line(exchange.texts, act) for act in acts)]
    lines = [written(line).rstrip() for line in cells]
    await exchange.show(cards.export_text(exchange.texts, lines, total, page, chosen))


def _wish(exchange: Exchange, chosen: str) -> Wish:
    return Wish(exchange.tenant, exchange.person, exchange.texts.language, chosen)


def _chosen(exchange: Exchange) -> str:
    """An integration's id, perhaps of one that is removed; history is the tenant's own, whatever it is."""
    chosen = exchange.data.get("integration", "")
    return "" if chosen == cards.EVERY else chosen


def _page(exchange: Exchange, total: int, size: int) -> int:
    wanted = exchange.data.get("page", "")
    last = max(0, (total - 1) // size)
    return min(int(wanted), last) if wanted.isdecimal() and len(wanted) < 7 else 0


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
