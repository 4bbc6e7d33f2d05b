"""``certificate``: a certificate, or no secret at all, in place of a client secret; proven before it is used."""

from collections.abc import Awaitable, Callable

from bot.cards import certificate as cards
from bot.cards import integrations as things
from bot.cards.rotation import checking, under_way
from bot.commands.choice import choose
from bot.commands.edit import revision_of, show_outdated
from bot.exchange import Command, Exchange
from storage.roles import Role
from sync.errors import SyncError
from sync.model import EditedMeanwhile, IntegrationView
from sync.rotation import RotationUnderWay, RotationView


async def open_certificate(exchange: Exchange) -> None:
    await choose(exchange, "certificate.show", show_for)


async def show_for(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.show(cards.choose(exchange.texts, view, exchange.desk.credentials.choices()))


async def show(exchange: Exchange) -> None:
    await show_for(exchange, await exchange.integration())


async def make(exchange: Exchange, error: SyncError | None = None) -> None:
    """Hand out the public part; asked again before it is used, the same one."""
    view = await exchange.integration()
    made = await exchange.desk.credentials.make_certificate(exchange.tenant, view.id, exchange.actor)
    said = exchange.complaint(error, view.tenant_id, view.client_id) if error else None
    await exchange.show(cards.handed_out(exchange.texts, view, made, exchange.desk.links, said))


async def use(exchange: Exchange) -> None:
    view = await exchange.integration()
    try:
        await _switch(exchange, view, exchange.desk.credentials.use_certificate)
    except SyncError as error:
        await make(exchange, error)


async def host(exchange: Exchange) -> None:
    await _use_hosts(exchange, exchange.desk.credentials.use_host_certificate)


async def federated(exchange: Exchange) -> None:
    await _use_hosts(exchange, exchange.desk.credentials.use_federated)


async def _use_hosts(exchange: Exchange, change: Callable[..., Awaitable[RotationView]]) -> None:
    view = await exchange.integration()
    try:
        await _switch(exchange, view, change)
    except SyncError as error:
        said = exchange.complaint(error, view.tenant_id, view.client_id)
        choices = exchange.desk.credentials.choices()
        await exchange.show(cards.choose(exchange.texts, view, choices, said))


async def _switch(
    exchange: Exchange, view: IntegrationView, change: Callable[..., Awaitable[RotationView]]
) -> None:
    """Prove and use it, and show how it fares for some seconds."""
    if revision_of(exchange) != view.revision:
        return await show_outdated(exchange, view)
    await exchange.show(checking(exchange.texts, view))
    try:
        rotation = await change(exchange.tenant, view.id, exchange.actor, view.revision)
    except EditedMeanwhile:
        return await show_outdated(exchange, view)
    except RotationUnderWay:
        return await exchange.show(under_way(exchange.texts, view))
    exchange.data = {"integration": view.id}
    view = await exchange.integration()
    async for seen in exchange.desk.credentials.follow(exchange.tenant, rotation.id):
        await exchange.show(cards.switched(exchange.texts, view, seen))
    return None


async def cancel(exchange: Exchange) -> None:
    await exchange.show(things.kept(exchange.texts, await exchange.integration()))


COMMAND = Command(
    key="certificate",
    titles={"en": "certificate", "pt": "certificado"},
    descriptions={
        "en": "Use a certificate instead of a secret",
        "pt": "Usar um certificado em vez de segredo",
    },
    aliases=("use certificate", "managed identity", "usar certificado", "identidade gerida"),
    listed=False,
    open=open_certificate,
    least=Role.ADMINISTRATOR,
    actions={
        "certificate.show": show,
        "certificate.make": make,
        "certificate.use": use,
        "certificate.host": host,
        "certificate.federated": federated,
        "certificate.cancel": cancel,
    },
)
