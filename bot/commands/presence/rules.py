"""Whom a mapping for some people selects: rules and its place in the order, tried before they are saved."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.cards.people.scope import Typed
from bot.cards.presence import further as further_cards
from bot.cards.presence import rules as cards
from bot.cards.presence.rules import Subject
from bot.chat.context import CommandHandler, TurnContext
from bot.commands.integrations.edit import current, show_outdated
from bot.commands.people.scope import FindGroup, known_sites, rules_entered, side_of, typed_rules
from sync.domain.model import EditedMeanwhile
from sync.integrations.mapping_editor import WantedRules
from sync.people.scope.rules import ScopeView


async def show(context: TurnContext) -> None:
    of = await _subject(context)
    if of is None:
        return
    found = await context.operations.scopes.view(context.tenant, of.view.id)
    await context.show(cards.form(context.texts, of, found, Typed.of_rules(of.mapping.rules), of.place))


@dataclass(frozen=True, slots=True)
class Entered:
    """The rules that were entered for a mapping."""

    of: Subject
    found: ScopeView
    wanted: WantedRules


async def change(context: TurnContext) -> None:
    """Back from the dry run to what was entered."""
    entered = await _entered(context, context.operations.scopes.known_group)
    if entered:
        typed, place = Typed.of_rules(entered.wanted.rules), entered.wanted.place
        await context.show(cards.form(context.texts, entered.of, entered.found, typed, place))


async def preview(context: TurnContext) -> None:
    entered = await _entered(context, context.operations.scopes.group)
    if entered is None:
        return None
    of, wanted = entered.of, entered.wanted
    try:
        trial = await context.operations.mappings.try_rules(context.tenant, of.view.id, wanted)
    except EditedMeanwhile:
        return await show_outdated(context, of.view, "mapping.some")
    return await context.show(cards.dry_run(context.texts, of, wanted, trial, entered.found))


async def page(context: TurnContext) -> None:
    """Everyone who would get the mapping, or no longer, ten a page."""
    entered = await _entered(context, context.operations.scopes.known_group)
    if entered is None:
        return None
    of, wanted = entered.of, entered.wanted
    side, after = side_of(context), context.data.get("after", "")
    mappings = context.operations.mappings
    try:
        people, has_more = await mappings.trial_page(context.tenant, of.view.id, wanted, side, after)
    except EditedMeanwhile:
        return await show_outdated(context, of.view, "mapping.some")
    return await context.show(cards.page(context.texts, of, wanted, side, people, has_more=has_more))


async def save(context: TurnContext) -> None:
    """Store what the dry run showed: its groups are those that were read for it."""
    entered = await _entered(context, context.operations.scopes.known_group)
    if entered is None:
        return None
    view, mappings = entered.of.view, context.operations.mappings
    try:
        saved, changed = await mappings.save_rules(
            context.tenant, view.id, view.revision, entered.wanted, context.actor
        )
    except EditedMeanwhile:
        return await show_outdated(context, view, "mapping.some")
    counts = await mappings.counts(context.tenant, saved.id)
    said = context.texts.plural("rules.saved", changed)
    return await context.show(further_cards.listed(context.texts, saved, counts, said=said))


async def _subject(context: TurnContext) -> Subject | None:
    """The mapping that a button is about; when it is gone, that is said."""
    view, mapping_id = await context.integration(), context.data.get("mapping", "")
    for each in view.further:
        if each.id == mapping_id:
            return Subject(view, each)
    await show_outdated(context, view, "mapping.some")
    return None


async def _entered(context: TurnContext, find: FindGroup) -> Entered | None:
    """What was entered; what is wrong with it, or that the form is outdated, is shown."""
    of = await _subject(context) if await current(context, "mapping.some") else None
    if of is None:
        return None
    found, typed = await context.operations.scopes.view(context.tenant, of.view.id), typed_rules(context)
    place = min(context.number("place") or of.place, len(of.view.further))
    rules = await rules_entered(context, of.view, typed, known_sites(found, of.mapping.rules), find)
    if isinstance(rules, list):
        await context.show(cards.form(context.texts, of, found, typed, place, rules))
        return None
    return Entered(of, found, WantedRules(of.mapping.id, rules, place))


ACTIONS: Mapping[str, CommandHandler] = {
    "mapping.rules_show": show,
    "mapping.rules_change": change,
    "mapping.rules_preview": preview,
    "mapping.rules_page": page,
    "mapping.rules_save": save,
}
