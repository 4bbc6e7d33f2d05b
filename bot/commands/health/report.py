"""``report``: what changed and what failed in the last day or week, each with its button; and as a file."""

from bot.activity import Message
from bot.cards import exports as export_cards
from bot.cards.field_errors import Link
from bot.cards.health import report as cards
from bot.chat.context import Command, TurnContext
from bot.chat.exports.links import REPORT, ExportRequest
from bot.chat.router import normalised
from bot.commands.choice import choose
from sync.domain.model import IntegrationView
from sync.domain.roles import Role

WEEK = 7
TODAY = (
    "report today",
    "today's report",
    "daily report",
    "relatório hoje",
    "relatório de hoje",
    "relatório diário",
)
OF_A_DAY = frozenset(normalised(words) for words in TODAY)


async def open_report(context: TurnContext) -> None:
    event = context.event
    is_of_a_day = isinstance(event, Message) and normalised(event.text) in OF_A_DAY
    days = {"days": "1"} if is_of_a_day else {}
    context.data = {**context.data, **days}
    await choose(context, "report.show", show_for, **days)


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    shown = cards.ReportView(
        report=await context.operations.reports.read(context.tenant, view.id, _days(context)),
        integration=view,
        links=context.services.links,
        now=context.now,
        zone=await context.zone(),
    )
    await context.show(cards.report_card(context.texts, shown))


async def export(context: TurnContext) -> None:
    """Show a link to the file, or why there is none."""
    view = await context.integration()
    days = _days(context)
    request = ExportRequest(context.tenant, context.person, context.texts.language, view.id, REPORT, days=days)
    url = context.services.export_links.create(request, context.turn.incoming.address.service_url)
    link = Link(context.texts("export.download"), url) if url else None
    await context.show(export_cards.report_card(context.texts, view, link, days))


def _days(context: TurnContext) -> int:
    days = context.number("days")
    return days if days in cards.PERIODS else WEEK


COMMAND = Command(
    key="report",
    titles={"en": "report", "pt": "relatório"},
    descriptions={
        "en": "What changed and what failed, this week or today",
        "pt": "O que mudou e o que falhou, esta semana ou hoje",
    },
    aliases=("digest", "weekly report", "summary", "resumo", "relatório semanal", *TODAY),
    open=open_report,
    least=Role.VIEWER,
    listed=False,
    actions={"report.show": show, "report.export": export},
)
