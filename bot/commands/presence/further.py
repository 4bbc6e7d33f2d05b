"""Mappings for some people: listed, added, removed, and chosen for a person."""

from collections.abc import Mapping

from bot.cards.fields import MAX_NAME
from bot.cards.presence import further as cards
from bot.cards.validation import cleaned
from bot.chat.context import CommandHandler, TurnContext
from bot.commands.integrations.edit import revision_of, show_outdated
from bot.commands.people.listing import show_person
from sync.credentials.new_secrets import holds_secret
from sync.domain.model import EditedMeanwhile, IntegrationView
from sync.domain.people import ChangedMeanwhile
from sync.presence.further_mappings import MAX_FURTHER


async def some(context: TurnContext) -> None:
    await _show(context, await context.integration())


async def _show(context: TurnContext, view: IntegrationView, said: str = "", refused: str = "") -> None:
    counts = await context.operations.mappings.counts(context.tenant, view.id)
    await context.show(cards.listed(context.texts, view, counts, said=said, refused=refused))


async def add(context: TurnContext) -> None:
    view, name = await context.integration(), cleaned(context.data.get("name", ""))[:MAX_NAME]
    if refused := _refused(view, name):
        return await _show(context, view, refused=refused)
    mappings = context.operations.mappings
    try:
        added = await mappings.add(context.tenant, view.id, revision_of(context), name, context.actor)
    except EditedMeanwhile:
        return await show_outdated(context, view, "mapping.some")
    return await _show(context, added, context.texts("further.added", name=name))


def _refused(view: IntegrationView, name: str) -> str:
    if len(view.further) >= MAX_FURTHER:
        return "too_many"
    if not name or holds_secret(name):
        return "no_name"
    is_taken = name.casefold() in {each.name.casefold() for each in view.further}
    return "name_taken" if is_taken else ""


async def remove(context: TurnContext) -> None:
    view, mapping_id = await context.integration(), context.data.get("mapping", "")
    mappings = context.operations.mappings
    try:
        left, changed = await mappings.remove(
            context.tenant, view.id, revision_of(context), mapping_id, context.actor
        )
    except EditedMeanwhile:
        return await show_outdated(context, view, "mapping.some")
    return await _show(context, left, context.texts.plural("further.removed", changed))


async def person(context: TurnContext) -> None:
    """Which mapping is to apply to a person."""
    found = await context.operations.roster.card(*_whom(context))
    await context.show(cards.of_person(context.texts, found))


async def choose(context: TurnContext) -> None:
    tenant, integration_id, person_id = _whom(context)
    choices, chosen = context.number("choices"), context.data.get("mapping", cards.BY_RULES)
    mapping_id = "" if chosen == cards.BY_RULES else chosen
    people = context.operations.people
    try:
        await people.choose_mapping(tenant, integration_id, person_id, choices, mapping_id, context.actor)
    except ChangedMeanwhile as changed:
        return await show_person(context, integration_id, person_id, meanwhile=changed.by)
    except EditedMeanwhile:
        return await show_outdated(context, await context.integration(), "mapping.some")
    return await show_person(context, integration_id, person_id, "mapping")


def _whom(context: TurnContext) -> tuple[str, str, str]:
    return context.tenant, context.data.get("integration", ""), context.data.get("person", "")


ACTIONS: Mapping[str, CommandHandler] = {
    "mapping.some": some,
    "mapping.add": add,
    "mapping.remove": remove,
    "mapping.person": person,
    "mapping.choose": choose,
}
