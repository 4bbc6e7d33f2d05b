"""``status messages``: the text beside the presence, for each state of a phone."""

from bot.cards import validation
from bot.cards.presence import messages as cards
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.integrations.edit import revision_of, show_outdated
from sync.domain.features import STATUS_MESSAGES
from sync.domain.model import EditedMeanwhile, IntegrationView
from sync.domain.presence import BUSY_LINES, LineState
from sync.domain.roles import Role
from sync.presence.status_message_plan import texts_of

MAX_TYPED = 400
"""Characters that are shown again of what is too long."""


async def open_messages(context: TurnContext) -> None:
    await choose(context, "messages.show", show_of)


async def show_of(context: TurnContext, view: IntegrationView) -> None:
    if view.feature_version < STATUS_MESSAGES:
        return await context.show(cards.not_installed(context.texts, view))
    known = texts_of(view.status_text, view.status_texts)
    return await context.show(cards.form(context.texts, view, known))


async def show(context: TurnContext) -> None:
    await show_of(context, await context.integration())


async def save(context: TurnContext) -> None:
    view = await context.integration()
    if view.feature_version < STATUS_MESSAGES:
        return await show_of(context, view)
    entered, revision = _entered(context), revision_of(context)
    if too_long := [state for state, words in entered.items() if len(words) > cards.MAX_STATUS_TEXT]:
        return await context.show(cards.form(context.texts, view, entered, too_long=too_long))
    try:
        saved = await context.operations.messages.save(context.tenant, view.id, revision, entered, context.actor)
    except EditedMeanwhile:
        return await show_outdated(context, view, "messages.show")
    return await context.show(cards.form(context.texts, saved, entered, is_saved=True))


def _entered(context: TurnContext) -> dict[LineState, str]:
    """On one line each."""
    typed = {state: context.data.get(cards.field_of(state), "") for state in BUSY_LINES}
    return {state: validation.cleaned(words)[:MAX_TYPED] for state, words in typed.items()}


COMMAND = Command(
    key="messages",
    titles={"en": "status messages", "pt": "mensagens de estado"},
    descriptions={
        "en": "The text beside the presence, for each phone state",
        "pt": "O texto junto da presença, para cada estado do telefone",
    },
    aliases=("status message", "status text", "messages", "mensagem de estado", "mensagens"),
    open=open_messages,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={"messages.show": show, "messages.save": save},
)
