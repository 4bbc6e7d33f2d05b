"""``schedule``: the hours within which calls are shown, tried before they are saved."""

from collections.abc import Mapping

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.presence import schedule as cards
from bot.cards.presence.schedule import Form
from bot.cards.presence.typed_hours import DAYS, HOLIDAYS, schedule_of, typed_of
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.integrations.edit import current, show_outdated
from bot.languages.quiet_hours import local
from sync.domain.model import EditedMeanwhile, IntegrationView
from sync.domain.roles import Role
from sync.domain.schedule import Schedule


async def open_schedule(context: TurnContext) -> None:
    await choose(context, "schedule.show", show_of)


async def show_of(context: TurnContext, view: IntegrationView) -> None:
    await context.show(await _stored(context, view))


async def show(context: TurnContext) -> None:
    await show_of(context, await context.integration())


async def preview(context: TurnContext) -> None:
    view = await current(context, "schedule.show")
    if view is None:
        return
    typed = await _entered(context, view)
    schedule, errors = _read(context, typed)
    cleared = None
    if not errors:
        cleared = await context.operations.schedules.preview(context.tenant, view.id, schedule)
    shown = Form(typed, schedule, errors, cleared)
    await context.show(cards.form(context.texts, view, shown, context.now))


async def save(context: TurnContext) -> None:
    view = await current(context, "schedule.show")
    if view is None:
        return None
    typed = await _entered(context, view)
    schedule, errors = _read(context, typed)
    if errors:
        return await context.show(cards.form(context.texts, view, Form(typed, schedule, errors), context.now))
    schedules = context.operations.schedules
    try:
        saved = await schedules.save(context.tenant, view.id, view.revision, schedule, context.actor)
    except EditedMeanwhile:
        return await show_outdated(context, view, "schedule.show")
    return await context.show(await _stored(context, saved, is_saved=True))


async def _entered(context: TurnContext, view: IntegrationView) -> dict[str, str]:
    """The inputs; of those that cannot be empty, what was not sent is as it is now."""
    now = await _typed(context, view)
    empty = dict.fromkeys((HOLIDAYS, *DAYS), "")
    return {name: context.data.get(name, known) for name, known in {**now, **empty}.items()}


async def _typed(context: TurnContext, view: IntegrationView) -> dict[str, str]:
    zone = await context.zone()
    return typed_of(view.schedule, zone, local(context.now, zone).date())


def _read(context: TurnContext, typed: Mapping[str, str]) -> tuple[Schedule | None, list[FormError]]:
    return schedule_of(context.texts, typed, context.now.date())


async def _stored(context: TurnContext, view: IntegrationView, *, is_saved: bool = False) -> Card:
    typed = await _typed(context, view)
    return cards.form(context.texts, view, Form(typed, view.schedule, is_saved=is_saved), context.now)


COMMAND = Command(
    key="schedule",
    titles={"en": "schedule", "pt": "horário"},
    descriptions={
        "en": "The hours in which calls are shown",
        "pt": "As horas em que as chamadas aparecem",
    },
    aliases=("hours", "office hours", "opening hours", "holidays", "horas", "feriados", "horario de funcionamento"),
    open=open_schedule,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={"schedule.show": show, "schedule.preview": preview, "schedule.save": save},
)
