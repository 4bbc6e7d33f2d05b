"""``install update``: release notes and dry run, then the progress until the update is completed."""

from bot.activity import Action, Card
from bot.cards import validation
from bot.cards.field_errors import FormError
from bot.cards.integrations import update as cards
from bot.cards.presence.messages import MAX_STATUS_TEXT
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.proactive.update_cards import form_error_of
from sync.domain.errors import SyncError
from sync.domain.model import IntegrationView
from sync.domain.roles import Role
from sync.updates.model import CardAddress, Installation


async def open_update(context: TurnContext) -> None:
    await choose(context, "update.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    """Show the offer; while an installation runs, show its progress."""
    running = await context.operations.updates.running(context.tenant, view.id)
    if running:
        await _follow(context, view, running)
        return
    await context.show(cards.checking(context.texts, view))
    try:
        offer = await context.operations.updates.offer(context.tenant, view.id)
    except SyncError as error:
        form_error = context.form_error(error, view.client_id)
        await context.show(cards.not_readable(context.texts, view, form_error))
        return
    made = cards.offered if offer.pending else cards.nothing_to_install
    await context.show(made(context.texts, view, offer))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def install(context: TurnContext) -> None:
    """Start the installation; a second press shows the running one, and an outdated offer is replaced."""
    view = await context.integration()
    begun = await context.operations.updates.install(
        context.tenant, view.id, _version(context), _status_text(context), context.actor, _place(context)
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
    """From now on the pressed card, or a new one, shows the progress."""
    if isinstance(context.event, Action):
        await context.operations.updates.running(context.tenant, view.id, _place(context))
        await context.show(_card(context, running))
        return
    sent = await context.send(_card(context, running))
    await context.operations.updates.running(context.tenant, view.id, _place(context, sent))


def _card(context: TurnContext, installation: Installation) -> Card:
    form_error: FormError | None = form_error_of(installation, context.texts, context.services.links)
    return cards.installation_card(context.texts, installation, form_error)


def _place(context: TurnContext, card_id: str = "") -> CardAddress:
    event = context.event
    pressed = event.card_id if isinstance(event, Action) else ""
    return CardAddress(context.tenant, context.person, card_id or pressed)


def _status_text(context: TurnContext) -> str:
    """The status message that was entered: on one line, and cut where the field ends."""
    return validation.cleaned(context.data.get("status_text", ""))[:MAX_STATUS_TEXT]


def _version(context: TurnContext) -> int:
    """The version in the button's data; 0, which is never due, if it is malformed."""
    return context.number("version")


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
