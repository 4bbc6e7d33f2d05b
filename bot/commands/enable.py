"""``enable presence``: whom it would concern, then the switch. The wizard's last step is the same conversation."""

from bot.cards import integrations as things
from bot.cards import preview as cards
from bot.cards.setup import checking
from bot.commands.choice import choose
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.errors import SyncError
from sync.model import IntegrationView


async def open_enable(exchange: Exchange) -> None:
    await choose(exchange, "enable.preview", ask)


async def ask(exchange: Exchange, view: IntegrationView) -> None:
    if view.enabled:
        await exchange.show(things.already_enabled(exchange.texts, view))
    else:
        await show_preview(exchange, view)


async def show_preview(exchange: Exchange, view: IntegrationView, wizard: bool = False) -> None:
    """Read both directories now; what cannot be read is said, with another try."""
    await exchange.show(checking(exchange.texts, 4 if wizard else 0, "people"))
    try:
        found = await exchange.desk.integrations.preview(exchange.tenant, view.id)
    except SyncError as error:
        complaint = exchange.complaint(error, view.tenant_id, view.client_id)
        await exchange.show(cards.preview_failed(exchange.texts, view, complaint, wizard))
    else:
        exchange.desk.previews.keep(exchange.tenant, view.id, found)
        await exchange.show(cards.preview_card(exchange.texts, view, found, wizard=wizard))


async def show_page(exchange: Exchange, view: IntegrationView, wizard: bool = False) -> None:
    """Another page of those who are left out; read anew when the reading is some minutes old."""
    found = exchange.desk.previews.recall(exchange.tenant, view.id)
    if found is None:
        found = await exchange.desk.integrations.preview(exchange.tenant, view.id)
        exchange.desk.previews.keep(exchange.tenant, view.id, found)
    wanted = exchange.data.get("page", "")
    page = min(int(wanted), cards.pages(found) - 1) if wanted.isdecimal() and len(wanted) < 7 else 0
    await exchange.show(cards.preview_card(exchange.texts, view, found, page, wizard))


async def enable(exchange: Exchange, view: IntegrationView) -> None:
    enabled = await exchange.desk.integrations.enable(exchange.tenant, view.id)
    exchange.desk.previews.drop(exchange.tenant, view.id)
    await exchange.show(cards.enabled_card(exchange.texts, enabled))


async def put_off(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.show(cards.later_card(exchange.texts, view))


async def preview(exchange: Exchange) -> None:
    await ask(exchange, await exchange.integration())


async def page(exchange: Exchange) -> None:
    await show_page(exchange, await exchange.integration())


async def now(exchange: Exchange) -> None:
    await enable(exchange, await exchange.integration())


async def later(exchange: Exchange) -> None:
    await put_off(exchange, await exchange.integration())


COMMAND = Command(
    key="enable",
    titles={"en": "enable presence", "pt": "ativar presença"},
    descriptions={
        "en": "Start to show in Teams who is on the phone",
        "pt": "Começar a mostrar no Teams quem está ao telefone",
    },
    aliases=("enable", "turn on presence", "habilitar presença", "ligar presença"),
    open=open_enable,
    least=Role.ADMINISTRATOR,
    actions={
        "enable.preview": preview,
        "enable.page": page,
        "enable.now": now,
        "enable.later": later,
    },
)
