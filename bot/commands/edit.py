"""``edit integration``: rename, CloudLink side, Teams side; proven before it is stored, and nothing deleted."""

from collections.abc import Awaitable

from bot import inputs
from bot.cards import edit as cards
from bot.cards import history as past
from bot.cards.setup import checking
from bot.commands.choice import choose
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.turns import Card
from storage import history
from storage.roles import Role
from sync.errors import SyncError
from sync.model import CloudLinkAccount, CredentialKind, EditedMeanwhile, IntegrationView, NameTaken, TeamsApp

EDITS = ("rename", "edit_cloudlink", "edit_teams", "rotate", "switch_credential")
"""The acts that make a form out of date."""


async def open_edit(exchange: Exchange) -> None:
    await choose(exchange, "edit.open", menu_of)


async def menu_of(exchange: Exchange, view: IntegrationView) -> None:
    await exchange.show(cards.menu(exchange.texts, view))


async def menu(exchange: Exchange) -> None:
    await menu_of(exchange, await exchange.integration())


# The name


async def rename(exchange: Exchange) -> None:
    await exchange.show(cards.rename_form(exchange.texts, await exchange.integration()))


async def save_name(exchange: Exchange) -> None:
    view = await exchange.integration()
    typed = inputs.entered(exchange.data, "name")
    complaints = inputs.check_filled(exchange.texts, typed, "name")
    if complaints:
        return await show_again(exchange, view, cards.rename_form(exchange.texts, view, typed, complaints))
    port = exchange.desk.integrations
    renaming = port.rename(exchange.tenant, view.id, revision_of(exchange), typed["name"], exchange.actor)
    try:
        await _save(exchange, view, renaming, "edit.renamed")
    except NameTaken:
        taken = inputs.name_taken(exchange.texts)
        await exchange.show(cards.rename_form(exchange.texts, view, typed, [taken]))


# The CloudLink side


async def cloudlink(exchange: Exchange) -> None:
    await exchange.show(cards.cloudlink_form(exchange.texts, await exchange.integration()))


async def save_cloudlink(exchange: Exchange) -> None:
    view = await exchange.integration()
    typed = inputs.entered(exchange.data, "region", "account_id", "cloudlink_client_id")
    secret = inputs.cleaned(exchange.data.get("cloudlink_secret", ""))
    complaints = [
        *inputs.check_filled(exchange.texts, typed, "account_id", "cloudlink_client_id"),
        *inputs.check_lengths(exchange.texts, {"region": typed["region"], "cloudlink_secret": secret}),
    ]
    if complaints:
        return await show_again(exchange, view, cards.cloudlink_form(exchange.texts, view, typed, complaints))
    await exchange.show(checking(exchange.texts, 0, "cloudlink"))
    account = CloudLinkAccount(typed["region"], typed["account_id"], typed["cloudlink_client_id"], secret)
    port = exchange.desk.integrations
    editing = port.edit_cloudlink(exchange.tenant, view.id, revision_of(exchange), account, exchange.actor)
    try:
        await _save(exchange, view, editing, "edit.saved.cloudlink")
    except SyncError as error:
        complaint = exchange.complaint(error)
        await exchange.show(cards.cloudlink_form(exchange.texts, view, typed, [complaint]))


# The Teams side


async def teams(exchange: Exchange) -> None:
    await exchange.show(cards.teams_form(exchange.texts, await exchange.integration()))


async def save_teams(exchange: Exchange) -> None:
    view = await exchange.integration()
    typed = inputs.entered(exchange.data, "tenant_id", "client_id", "expires_on")
    secret = inputs.cleaned(exchange.data.get("client_secret", ""))
    complaints = _look_over(exchange, view, typed, secret)
    if complaints:
        return await show_again(exchange, view, cards.teams_form(exchange.texts, view, typed, complaints))
    await exchange.show(checking(exchange.texts, 0, "teams"))
    app = TeamsApp(typed["tenant_id"], typed["client_id"], secret)
    expires_on = inputs.day_of(typed["expires_on"])
    port = exchange.desk.integrations
    editing = port.edit_teams(exchange.tenant, view.id, revision_of(exchange), app, expires_on, exchange.actor)
    try:
        await _save(exchange, view, editing, "edit.saved.teams")
    except SyncError as error:
        complaint = exchange.complaint(error, typed["tenant_id"], typed["client_id"])
        await exchange.show(cards.teams_form(exchange.texts, view, typed, [complaint]))


def _look_over(exchange: Exchange, view: IntegrationView, typed: dict[str, str], secret: str) -> list[Complaint]:
    texts, known = exchange.texts, cards.teams_values(view)
    found = [
        *inputs.check_filled(texts, typed, "tenant_id", "client_id"),
        *inputs.check_guids(texts, typed, "tenant_id", "client_id"),
        *inputs.check_lengths(texts, {"client_secret": secret}),
    ]
    if secret or typed["expires_on"] != known["expires_on"]:
        found += inputs.check_expiry(texts, typed["expires_on"], exchange.now.date())
    has_moved = any(typed[name].lower() != known[name].lower() for name in ("tenant_id", "client_id"))
    if has_moved and not secret and view.credential is CredentialKind.SECRET:
        needed = Complaint(texts("check.secret_moves"), texts("check.secret_moves.remedy"), field="client_secret")
        found.append(needed)
    return found


# Storing


async def _save(exchange: Exchange, view: IntegrationView, saving: Awaitable[IntegrationView], said: str) -> None:
    try:
        saved = await saving
    except EditedMeanwhile:
        await show_outdated(exchange, view)
    else:
        exchange.desk.previews.drop(exchange.tenant, view.id)
        await exchange.show(cards.menu(exchange.texts, saved, said))


async def show_again(exchange: Exchange, view: IntegrationView, form: Card) -> None:
    """The form with its complaints, unless somebody changed meanwhile what it was filled from."""
    if revision_of(exchange) != view.revision:
        return await show_outdated(exchange, view)
    return await exchange.show(form)


async def show_outdated(exchange: Exchange, view: IntegrationView) -> None:
    async with exchange.desk.database.session() as session:
        last = await history.latest(session, exchange.tenant, view.id, EDITS)
    by = past.who(exchange.texts, last) if last else ""
    ago = exchange.texts.relative(last.at, exchange.now) if last else ""
    await exchange.show(cards.outdated(exchange.texts, view, last, by, ago))


def revision_of(exchange: Exchange) -> int:
    """The revision the form was filled from; what is none equals no integration's."""
    revision = exchange.data.get("revision", "")
    return int(revision) if revision.isdecimal() and len(revision) < 10 else 0


COMMAND = Command(
    key="edit",
    titles={"en": "edit integration", "pt": "editar integração"},
    descriptions={
        "en": "Change the name or the credentials",
        "pt": "Mudar o nome ou as credenciais",
    },
    aliases=("edit", "rename integration", "reconfigure", "editar", "mudar o nome", "reconfigurar"),
    open=open_edit,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={
        "edit.open": menu,
        "edit.rename": rename,
        "edit.save_name": save_name,
        "edit.cloudlink": cloudlink,
        "edit.save_cloudlink": save_cloudlink,
        "edit.teams": teams,
        "edit.save_teams": save_teams,
    },
)
