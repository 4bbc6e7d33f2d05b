"""``install update``: what is new and what it would change here; then the bar, until it is completed."""

from bot.cards import update as cards
from bot.commands.choice import choose
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.turns import Action, Card
from bot.updates import complaint_of
from storage.roles import Role
from sync.errors import SyncError
from sync.model import IntegrationView
from sync.updates.model import CardPlace, Installation


async def open_update(exchange: Exchange) -> None:
    await choose(exchange, "update.show", show_for)


async def show_for(exchange: Exchange, view: IntegrationView) -> None:
    """The dialog; or, while something is being installed, how far that is."""
    running = await exchange.desk.updates.installation(exchange.tenant, view.id)
    if running:
        await _follow(exchange, view, running)
        return
    await exchange.show(cards.looking(exchange.texts, view))
    try:
        offer = await exchange.desk.updates.offer(exchange.tenant, view.id)
    except SyncError as error:
        complaint = exchange.complaint(error, view.tenant_id, view.client_id)
        await exchange.show(cards.not_readable(exchange.texts, view, complaint))
        return
    made = cards.offered if offer.due else cards.nothing_to_install
    await exchange.show(made(exchange.texts, view, offer))


async def show(exchange: Exchange) -> None:
    await show_for(exchange, await exchange.integration())


async def install(exchange: Exchange) -> None:
    """Begin; whoever presses second sees what the first began, and an old dialog is replaced by today's."""
    view = await exchange.integration()
    words = exchange.texts("update.3.words")
    begun = await exchange.desk.updates.begin(
        exchange.tenant, view.id, _version(exchange), words, exchange.actor, _place(exchange)
    )
    await _show(exchange, view, begun)


async def undo(exchange: Exchange) -> None:
    view = await exchange.integration()
    begun = await exchange.desk.updates.undo(
        exchange.tenant, view.id, _version(exchange), exchange.actor, _place(exchange)
    )
    await _show(exchange, view, begun)


async def later(exchange: Exchange) -> None:
    await exchange.show(cards.put_off(exchange.texts, await exchange.integration()))


async def done(exchange: Exchange) -> None:
    await exchange.show(cards.done(exchange.texts, await exchange.integration(), _version(exchange)))


async def _show(exchange: Exchange, view: IntegrationView, begun: Installation | None) -> None:
    if begun is None:
        await show_for(exchange, view)
    else:
        await exchange.show(_card(exchange, begun))


async def _follow(exchange: Exchange, view: IntegrationView, running: Installation) -> None:
    """The pressed card shows it from now on, or a new one."""
    if isinstance(exchange.turn.incoming.what, Action):
        await exchange.desk.updates.installation(exchange.tenant, view.id, _place(exchange))
        await exchange.show(_card(exchange, running))
        return
    sent = await exchange.send(_card(exchange, running))
    await exchange.desk.updates.installation(exchange.tenant, view.id, _place(exchange, sent))


def _card(exchange: Exchange, installation: Installation) -> Card:
    complaint: Complaint | None = complaint_of(installation, exchange.texts, exchange.desk.links)
    return cards.installation_card(exchange.texts, installation, complaint)


def _place(exchange: Exchange, card_id: str = "") -> CardPlace:
    what = exchange.turn.incoming.what
    pressed = what.card_id if isinstance(what, Action) else ""
    return CardPlace(exchange.tenant, exchange.person, card_id or pressed)


def _version(exchange: Exchange) -> int:
    """As the button says; 0, which is never due, for anything else."""
    said = exchange.data.get("version", "")
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
