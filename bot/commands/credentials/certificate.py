"""``certificate``: a certificate or a managed identity instead of a client secret; proven before it is used."""

from collections.abc import Awaitable, Callable

from bot.cards.credentials import certificate as cards
from bot.cards.credentials.rotation import checking, under_way
from bot.cards.integrations import listing as integration_cards
from bot.chat.context import Command, TurnContext
from bot.chat.exports.links import CERTIFICATES, ExportRequest
from bot.commands.choice import choose
from bot.commands.integrations.edit import OF_CREDENTIALS, current, show_outdated
from sync.domain.errors import SyncError
from sync.domain.model import EditedMeanwhile, IntegrationView
from sync.domain.roles import Role
from sync.domain.rotation import RotationUnderWay, RotationView


async def open_certificate(context: TurnContext) -> None:
    await choose(context, "certificate.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView) -> None:
    await context.show(cards.choose(context.texts, view, context.operations.credentials.choices()))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def make(context: TurnContext, error: SyncError | None = None) -> None:
    """Show the public part; until it is used, the same certificate is shown again."""
    view = await context.integration()
    made = await context.operations.credentials.make_certificate(context.tenant, view.id, context.actor)
    said = context.form_error(error, view.client_id) if error else None
    request = ExportRequest(context.tenant, context.person, context.texts.language, view.id)
    service_url = context.turn.incoming.address.service_url
    file = context.services.export_links.create(request, service_url, CERTIFICATES)
    await context.show(cards.handed_out(context.texts, view, made, context.services.links, file, said))


async def use(context: TurnContext) -> None:
    view = await context.integration()
    try:
        await _switch(context, view, context.operations.credentials.use_certificate)
    except SyncError as error:
        await make(context, error)


async def host(context: TurnContext) -> None:
    await _use_hosts(context, context.operations.credentials.use_host_certificate)


async def federated(context: TurnContext) -> None:
    await _use_hosts(context, context.operations.credentials.use_federated)


async def _use_hosts(context: TurnContext, change: Callable[..., Awaitable[RotationView]]) -> None:
    view = await context.integration()
    try:
        await _switch(context, view, change)
    except SyncError as error:
        said = context.form_error(error, view.client_id)
        choices = context.operations.credentials.choices()
        await context.show(cards.choose(context.texts, view, choices, said))


async def _switch(
    context: TurnContext, view: IntegrationView, change: Callable[..., Awaitable[RotationView]]
) -> None:
    """Prove and use it, or continue what this press has begun, and show the progress for some seconds."""
    rotation = await context.operations.credentials.begun(context.tenant, view.id, context.actor)
    if rotation is None:
        rotation = await _begin(context, view, change)
    if rotation is None:
        return
    context.data = {"integration": view.id}
    async for seen in context.operations.credentials.follow(context.tenant, rotation.id):
        now = await context.integration()
        form_error = context.form_error(seen.error, now.client_id) if seen.error else None
        await context.show(cards.progress(context.texts, now, seen, context.services.links, form_error))


async def _begin(
    context: TurnContext, view: IntegrationView, change: Callable[..., Awaitable[RotationView]]
) -> RotationView | None:
    """Prove and use it; None if a card says why not."""
    if await current(context, "certificate.show", OF_CREDENTIALS) is None:
        return None
    await context.show(checking(context.texts, view))
    try:
        return await change(context.tenant, view.id, context.actor, view.revision)
    except EditedMeanwhile:
        await show_outdated(context, view, "certificate.show")
    except RotationUnderWay:
        await context.show(under_way(context.texts, view))
    return None


async def cancel(context: TurnContext) -> None:
    await context.show(integration_cards.kept(context.texts, await context.integration()))


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
