"""``rotate secret``: a new client secret, proven before the old one goes; typed in, or made by the bot itself.

What is typed is in nobody's keeping but the store's, sealed, once it is proven: a card that has to be shown
again shows the description and the date, never the secret.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot import inputs
from bot.cards import integrations as things
from bot.cards import rotation as cards
from bot.commands import monitors
from bot.commands.choice import choose
from bot.commands.edit import revision_of, show_outdated
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.turns import Card
from storage.roles import Role
from sync.errors import Fault, SyncError
from sync.model import EditedMeanwhile, IntegrationView, NameTaken
from sync.rotation import Kind, RotationUnderWay, RotationView


async def open_rotate(exchange: Exchange) -> None:
    """From a notice's button, which names the integration, or typed."""
    if exchange.data.get("integration"):
        await ask(exchange)
    else:
        await choose(exchange, "rotate.ask", ask_for)


async def ask_for(exchange: Exchange, view: IntegrationView) -> None:
    going = await exchange.desk.credentials.rotation(exchange.tenant, view.id)
    if going and not going.finished and going.kind is not Kind.BY_HAND:
        return await exchange.show(_progress(exchange, view, going))
    return await show_form(exchange, view, {"description": view.name})


async def ask(exchange: Exchange) -> None:
    await ask_for(exchange, await exchange.integration())


async def show_form(
    exchange: Exchange, view: IntegrationView, values: dict[str, str], complaints: Sequence[Complaint] = ()
) -> None:
    may = await exchange.desk.credentials.may_rotate(exchange.tenant, view.id)
    links = exchange.desk.links
    await exchange.show(cards.form(exchange.texts, view, values, links, complaints, offer_for_me=may))


async def save(exchange: Exchange) -> None:
    """Look the fields over, prove the secret for this very tenant and application, and only then use it."""
    view = await exchange.integration()
    if revision_of(exchange) != view.revision:
        return await show_outdated(exchange, view)
    typed = inputs.entered(exchange.data, "description", "expires_on")
    secret = inputs.cleaned(exchange.data.get("client_secret", ""))
    complaints = _look_over(exchange, typed, secret)
    if complaints:
        return await show_form(exchange, view, typed, complaints)
    await exchange.show(cards.checking(exchange.texts, view))
    try:
        rotation = await exchange.desk.credentials.replace_secret(
            exchange.tenant,
            view.id,
            typed["description"],
            secret,
            inputs.day_of(typed["expires_on"]),
            exchange.actor,
            view.revision,
        )
    except SyncError as error:
        return await show_form(exchange, view, typed, [_complaint(exchange, view, error)])
    except NameTaken:
        return await show_form(exchange, view, typed, [_taken(exchange)])
    except EditedMeanwhile:
        return await show_outdated(exchange, view)
    except RotationUnderWay:
        return await exchange.show(cards.under_way(exchange.texts, view))
    return await _follow(exchange, replace(view, name=typed["description"]), rotation)


def _look_over(exchange: Exchange, typed: dict[str, str], secret: str) -> list[Complaint]:
    filled = {**typed, "client_secret": secret}
    return [
        *inputs.check_filled(exchange.texts, filled, "description", "client_secret"),
        *inputs.check_expiry(exchange.texts, typed["expires_on"], exchange.now.date()),
    ]


def _complaint(exchange: Exchange, view: IntegrationView, error: SyncError) -> Complaint:
    """Beside its field, if the card has that one; a wrong secret is said to be wrong for this application."""
    said = exchange.complaint(error, view.tenant_id, view.client_id)
    if error.fault is Fault.ENTRA_SECRET_WRONG:
        texts = exchange.texts
        said = replace(said, sentence=texts("rotate.other_app"), remedy=texts("rotate.other_app.remedy"))
    return said if said.field in cards.FIELDS else replace(said, field="")


def _taken(exchange: Exchange) -> Complaint:
    texts = exchange.texts
    return Complaint(texts("check.name_taken"), texts("check.name_taken.remedy"), field="description")


# By the bot


async def for_me(exchange: Exchange) -> None:
    await exchange.show(cards.for_me_asked(exchange.texts, await exchange.integration()))


async def start(exchange: Exchange) -> None:
    """Begin; pressed twice, or pressed late, it is the same rotation."""
    view = await exchange.integration()
    rotation = await exchange.desk.credentials.rotate_for_me(exchange.tenant, view.id, exchange.actor)
    await _follow(exchange, view, rotation)


async def progress(exchange: Exchange) -> None:
    view = await exchange.integration()
    rotation = await exchange.desk.credentials.rotation(exchange.tenant, view.id)
    if rotation is None:
        return await ask_for(exchange, view)
    return await _follow(exchange, view, rotation)


async def _follow(exchange: Exchange, view: IntegrationView, rotation: RotationView) -> None:
    """Show each step as it comes, for some seconds; after the last, ask about the monitors."""
    async for seen in exchange.desk.credentials.follow(exchange.tenant, rotation.id):
        rotation = seen
        await exchange.show(_progress(exchange, view, seen))
    if rotation.finished and rotation.trouble is None:
        await monitors.offer(exchange, view)


def _progress(exchange: Exchange, view: IntegrationView, rotation: RotationView) -> Card:
    complaint = _complaint(exchange, view, rotation.trouble) if rotation.trouble else None
    if rotation.kind is Kind.BY_HAND:
        return cards.replaced(exchange.texts, view, rotation, complaint)
    return cards.progress(exchange.texts, view, rotation, complaint)


async def cancel(exchange: Exchange) -> None:
    await exchange.show(things.kept(exchange.texts, await exchange.integration()))


COMMAND = Command(
    key="rotate",
    titles={"en": "rotate secret", "pt": "substituir segredo"},
    descriptions={"en": "Replace the client secret", "pt": "Substituir o segredo do cliente"},
    aliases=(
        "renew secret",
        "replace secret",
        "new secret",
        "renovar segredo",
        "segredo expirado",
        "client secret expired",
    ),
    listed=False,
    open=open_rotate,
    least=Role.ADMINISTRATOR,
    actions={
        "rotate.ask": ask,
        "rotate.save": save,
        "rotate.for_me": for_me,
        "rotate.start": start,
        "rotate.progress": progress,
        "rotate.cancel": cancel,
    },
)
