"""``mapping``: what Teams shows for each state of a phone, tried on those concerned before it is saved."""

from collections.abc import Mapping

from bot.cards.presence import mapping as cards
from bot.cards.presence.mapping import Preview
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.integrations.edit import current, revision_of, show_outdated
from bot.commands.presence import further, rules
from sync.domain.model import EditedMeanwhile, FurtherMapping, IntegrationView
from sync.domain.presence import LineState
from sync.domain.roles import Role
from sync.presence.mapping import QUIET, Choice, Chosen, choices_of, chosen_by


async def open_mapping(context: TurnContext) -> None:
    await choose(context, "mapping.show", show_of)


async def show_of(context: TurnContext, view: IntegrationView) -> None:
    await _show_form(context, view, chosen_by(_now(context, view)))


async def show(context: TurnContext) -> None:
    await show_of(context, await context.integration())


async def quiet(context: TurnContext) -> None:
    view = await context.integration()
    await _show_preview(context, view, {**chosen_by(_now(context, view)), **QUIET})


async def reset(context: TurnContext) -> None:
    await _show_preview(context, await context.integration(), chosen_by({}))


async def preview(context: TurnContext) -> None:
    view = await current(context, "mapping.show")
    if view is None:
        return None
    chosen = _entered(context, view)
    if isinstance(chosen, LineState):
        return await _refuse(context, view, chosen)
    return await _show_preview(context, view, chosen)


async def save(context: TurnContext) -> None:
    view = await context.integration()
    chosen = _entered(context, view)
    if isinstance(chosen, LineState):
        return await _refuse(context, view, chosen)
    mappings = context.operations.mappings
    try:
        saved, changed = await mappings.save(
            context.tenant, view.id, revision_of(context), chosen, context.actor, mapping_id_of(context)
        )
    except EditedMeanwhile:
        return await show_outdated(context, view, "mapping.show")
    said = context.texts.plural("mapping.saved", changed)
    return await _show_form(context, saved, chosen, said=said)


def mapping_id_of(context: TurnContext) -> str:
    """The further mapping that a button is about; empty for the integration's own."""
    return context.data.get("mapping", "")


def _further(context: TurnContext, view: IntegrationView) -> FurtherMapping | None:
    return next((each for each in view.further if each.id == mapping_id_of(context)), None)


async def _show_form(
    context: TurnContext,
    view: IntegrationView,
    chosen: Chosen,
    preview: Preview | None = None,
    *,
    said: str = "",
    refused: LineState | None = None,
) -> None:
    further = _further(context, view)
    card = cards.form(context.texts, view, chosen, preview, further=further, said=said, refused=refused)
    await context.show(card)


def _now(context: TurnContext, view: IntegrationView) -> Mapping[str, str | None]:
    """What is chosen in the mapping that a button is about; in the integration's own if it is gone."""
    further = _further(context, view)
    return further.overrides if further else view.mapping


def _entered(context: TurnContext, view: IntegrationView) -> Chosen | LineState:
    """What was chosen, as it is now for a state that was not sent; or the state for which it cannot be chosen."""
    entered: dict[LineState, Choice] = {}
    for state, now in chosen_by(_now(context, view)).items():
        allowed = {cards.value_of(one): one for one in choices_of(state)}
        typed = context.data.get(cards.field_of(state), cards.value_of(now))
        if typed not in allowed:
            return state
        entered[state] = allowed[typed]
    return entered


async def _refuse(context: TurnContext, view: IntegrationView, state: LineState) -> None:
    await _show_form(context, view, chosen_by(_now(context, view)), refused=state)


async def _show_preview(context: TurnContext, view: IntegrationView, chosen: Chosen) -> None:
    mapping_id = mapping_id_of(context)
    try:
        mappings = context.operations.mappings
        found = await mappings.preview(context.tenant, view.id, chosen, mapping_id)
        replay = await mappings.replay(context.tenant, view.id, chosen, mapping_id)
    except EditedMeanwhile:
        return await show_outdated(context, view, "mapping.show")
    return await _show_form(context, view, chosen, Preview(*found, replay))


COMMAND = Command(
    key="mapping",
    titles={"en": "presence profiles", "pt": "perfis de presença"},
    descriptions={
        "en": "What Teams shows for each state of a phone",
        "pt": "O que o Teams mostra para cada estado do telefone",
    },
    aliases=("mapping", "presence mapping", "quiet second call", "estados", "segunda chamada silenciosa"),
    open=open_mapping,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={
        "mapping.show": show,
        "mapping.preview": preview,
        "mapping.quiet": quiet,
        "mapping.reset": reset,
        "mapping.save": save,
        **further.ACTIONS,
        **rules.ACTIONS,
    },
)
