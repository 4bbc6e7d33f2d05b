"""What the welcome says of the tenant's integrations."""

from bot.activity import Card
from bot.cards import welcome as cards
from bot.cards.health.remedies import is_suspected
from bot.cards.welcome import Existing
from bot.chat.context import TurnContext
from sync.domain.model import UnknownIntegration

SHOWN = 3


async def welcome_card(context: TurnContext) -> Card:
    """The welcome, with the state of the first few integrations as it is stored; no service is called."""
    views = await context.operations.integrations.list(context.tenant)
    found: list[Existing] = []
    for view in views[:SHOWN]:
        try:
            status = await context.operations.overview.status(context.tenant, view.id)
        except UnknownIntegration:
            continue
        has_problem = any(each.error and not is_suspected(each.error) for each in status.service_health)
        is_scoped = status.in_scope < status.people
        counts = status.matched, status.in_scope, is_scoped
        found.append(Existing(view.name, view.enabled, has_problem, *counts, closed=view.closed))
    return cards.welcome(context.texts, found, more=max(0, len(views) - SHOWN))
