"""``install update``: what is new and what it would change here; then the bar, until it is completed."""

from bot.activity import Action, Card
from bot.cards import update as cards
from bot.cards.field_errors import FormError
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.proactive.update_cards import form_error_of
from storage.queries.roles import Role
from sync.domain.errors import SyncError
from sync.domain.model import IntegrationView
from sync.updates.model import CardAddress, Installation


async def open_update(context: TurnContext) -> None:
    await choose(context, "update.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    """The dialog; or, while something is being installed, how far that is."""
    running = await context.operations.updates.running(context.tenant, view.id)
    if running:
        await _follow(context, view, running)
        return
    await context.show(cards.looking(context.texts, view))
    try:
        offer = await context.operations.updates.offer(context.tenant, view.id)
    except SyncError as error:
        form_error = context.form_error(error, view.tenant_id, view.client_id)
        await context.show(cards.not_readable(context.texts, view, form_error))
        return
    made = cards.offered if offer.pending else cards.nothing_to_install
    await context.show(made(context.texts, view, offer))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def install(context: TurnContext) -> None:
    """Begin; whoever presses second sees what the first began, and an old dialog is replaced by today's."""
    view = await context.integration()
    words = context.texts("update.3.words")
    begun = await context.operations.updates.install(
        context.tenant, view.id, _version(context), words, context.actor, _place(context)
    )
    await _show(context, view, begun)


async def undo(context: TurnContext) -> None:
    view = await context.integration()
    begun = await context.operations.updates.roll_back(
        context.tenant, view.id, _version(context), context.actor, _place(context)
    )
    await _show(context, view, begun)


async def later(context: TurnContext) -> None:
    await context.show(cards.put_off(context.texts, await context.integration()))


async def done(context: TurnContext) -> None:
    await context.show(cards.done(context.texts, await context.integration(), _version(context)))


async def _show(context: TurnContext, view: IntegrationView, begun: Installation | None) -> None:
    if begun is None:
        await show_for(context, view)
    else:
        await context.show(_card(context, begun))


async def _follow(context: TurnContext, view: IntegrationView, running: Installation) -> None:
    """The pressed card shows it from now on, or a new one."""
    if isinstance(context.turn.incoming.what, Action):
        await context.operations.updates.running(context.tenant, view.id, _place(context))
        await context.show(_card(context, running))
        return
    sent = await context.send(_card(context, running))
    await context.operations.updates.running(context.tenant, view.id, _place(context, sent))


def _card(context: TurnContext, installation: Installation) -> Card:
    form_error: FormError | None = form_error_of(installation, context.texts, context.services.links)
    return cards.installation_card(context.texts, installation, form_error)


def _place(context: TurnContext, card_id: str = "") -> CardAddress:
    what = context.turn.incoming.what
    pressed = what.card_id if isinstance(what, Action) else ""
    return CardAddress(context.tenant, context.person, card_id or pressed)


def _version(context: TurnContext) -> int:
    """As the button says; 0, which is never due, for anything else."""
    said = context.data.get("version", "")
    return int(said) if said.isdecimal() and len(said) < 7 else 0


COMMAND = Command(
    key="update",
    titles={"en": "install update", "pt": "instalar atualização"},
    descriptions={
        "en": "Install a feature update, when there is one",
        "pt": "Instalar uma atualização de funcionalidade",
    },
    aliases=("update", "feature update", "atualizar", "atualização"),
    listed=False,
    open=open_update,
    least=Role.ADMINISTRATOR,
    actions={
        "update.show": show,
        "update.install": install,
        "update.later": later,
        "update.done": done,
        "update.undo": undo,
    },
)
