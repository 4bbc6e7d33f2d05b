"""``edit integration``: name, CloudLink side and Teams side; changes are proven before they are stored."""

from collections.abc import Awaitable, Collection

from bot.cards import validation
from bot.cards.access import history as history_cards
from bot.cards.field_errors import FormError
from bot.cards.integrations import edit as cards
from bot.cards.setup.steps import already_set_up, checking
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.credentials import expiry
from bot.commands.waiting import waiting_line
from storage.queries import history
from sync.domain.errors import SyncError
from sync.domain.model import (
    AlreadySetUp,
    CloudLinkAccount,
    CredentialKind,
    EditedMeanwhile,
    IntegrationView,
    NameTaken,
    TeamsApp,
)
from sync.domain.roles import Role

EDITS = (
    "rename",
    "edit_cloudlink",
    "edit_teams",
    "rotate",
    "switch_credential",
    "mapping",
    "schedule",
    "status_text",
    "scope",
)
"""The acts that change an integration's revision, each by one: they make an open form outdated."""

OF_CREDENTIALS = ("edit_teams", "rotate", "switch_credential")
"""Those that concern a form for new credentials."""


async def open_edit(context: TurnContext) -> None:
    await choose(context, "edit.open", menu_of)


async def menu_of(context: TurnContext, view: IntegrationView) -> None:
    await context.show(cards.menu(context.texts, view))


async def menu(context: TurnContext) -> None:
    await menu_of(context, await context.integration())


# The name


async def rename(context: TurnContext) -> None:
    await context.show(cards.rename_form(context.texts, await context.integration()))


async def save_name(context: TurnContext) -> None:
    view = await current(context)
    if view is None:
        return None
    typed = validation.entered(context.data, "name")
    form_errors = [
        *validation.check_filled(context.texts, typed, "name"),
        *validation.check_no_secret(context.texts, typed),
    ]
    if form_errors:
        return await context.show(cards.rename_form(context.texts, view, typed, form_errors))
    editor = context.operations.editor
    renaming = editor.rename(context.tenant, view.id, revision_of(context), typed["name"], context.actor)
    try:
        await _save(context, view, renaming, "edit.renamed")
    except NameTaken:
        taken = validation.failed_check(context.texts, "name_taken", "name")
        await context.show(cards.rename_form(context.texts, view, typed, [taken]))


# The CloudLink side


async def cloudlink(context: TurnContext) -> None:
    await context.show(cards.cloudlink_form(context.texts, await context.integration()))


async def save_cloudlink(context: TurnContext) -> None:
    view = await current(context)
    if view is None:
        return None
    typed = validation.entered(context.data, "region", "account_id", "cloudlink_client_id")
    secret = validation.cleaned(context.data.get("cloudlink_secret", ""))
    form_errors = [
        *validation.check_filled(context.texts, typed, "account_id", "cloudlink_client_id"),
        *validation.check_lengths(context.texts, {"region": typed["region"]}),
        *validation.check_no_secret(context.texts, typed, secret),
        *_check_secret(context, "cloudlink_secret", secret),
    ]
    again, shown = _is_again(context, secret), validation.without_secret(typed, secret)
    if form_errors:
        return await context.show(cards.cloudlink_form(context.texts, view, shown, form_errors, again=again))
    await context.show(checking(context.texts, 0, "cloudlink"))
    account = CloudLinkAccount(typed["region"], typed["account_id"], typed["cloudlink_client_id"], secret)
    editor = context.operations.editor
    editing = editor.edit_cloudlink(context.tenant, view.id, revision_of(context), account, context.actor)
    try:
        await _save(context, view, editing, "edit.saved.cloudlink")
    except SyncError as error:
        form_error = context.form_error(error)
        await context.show(cards.cloudlink_form(context.texts, view, typed, [form_error], again=again))


# The Teams side


async def teams(context: TurnContext) -> None:
    await context.show(cards.teams_form(context.texts, await context.integration()))


async def save_teams(context: TurnContext) -> None:
    view = await current(context)
    if view is None:
        return None
    typed = validation.entered(context.data, "tenant_id", "client_id", "expires_on")
    secret = validation.cleaned(context.data.get("client_secret", ""))
    form_errors = _check_fields(context, view, typed, secret)
    again, shown = _is_again(context, secret), validation.without_secret(typed, secret)
    if form_errors:
        return await context.show(cards.teams_form(context.texts, view, shown, form_errors, again=again))
    await context.show(checking(context.texts, 0, "teams"))
    app = TeamsApp(typed["tenant_id"], typed["client_id"], secret)
    expires_on = validation.day_of(typed["expires_on"])
    editor = context.operations.editor
    waiting = waiting_line(context)
    editing = editor.edit_teams(
        context.tenant, view.id, revision_of(context), app, expires_on, context.actor, waiting
    )
    try:
        await _save(context, view, editing, "edit.saved.teams")
    except SyncError as error:
        form_error = context.form_error(error, typed["client_id"])
        await context.show(cards.teams_form(context.texts, view, typed, [form_error], again=again))


def _check_fields(
    context: TurnContext, view: IntegrationView, typed: dict[str, str], secret: str
) -> list[FormError]:
    texts, known = context.texts, cards.teams_values(view)
    found = [
        *validation.check_filled(texts, typed, "tenant_id", "client_id"),
        *validation.check_guids(texts, typed, "tenant_id", "client_id"),
        *validation.check_no_secret(texts, typed, secret),
        *_check_secret(context, "client_secret", secret),
    ]
    if secret or typed["expires_on"] != known["expires_on"]:
        found += validation.check_expiry(texts, typed["expires_on"], context.now.date())
    has_moved = any(typed[name].lower() != known[name].lower() for name in ("tenant_id", "client_id"))
    if has_moved and not secret and view.credential is CredentialKind.SECRET:
        needed = validation.failed_check(texts, "secret_moves", "client_secret")
        found.append(needed)
    return found


def _is_again(context: TurnContext, secret: str) -> bool:
    """Whether a secret was typed, now or before: it is not kept, and a form shown again needs it again."""
    return bool(secret) or context.data.get("again") == "yes"


def _check_secret(context: TurnContext, field: str, secret: str) -> list[FormError]:
    return validation.check_filled(context.texts, {field: secret}, field) if _is_again(context, secret) else []


# Storing


async def _save(context: TurnContext, view: IntegrationView, saving: Awaitable[IntegrationView], said: str) -> None:
    try:
        saved = await saving
    except EditedMeanwhile:
        await show_outdated(context, view)
    except AlreadySetUp as error:
        existing = {each.id: each for each in await context.operations.integrations.list(context.tenant)}
        await context.show(already_set_up(context.texts, existing.get(error.id), error.name))
    else:
        context.services.previews.drop(context.tenant, view.id)
        await context.show(cards.menu(context.texts, saved, said))


async def current(
    context: TurnContext, again: str = "edit.open", concerning: Collection[str] = EDITS
) -> IntegrationView | None:
    """The integration of a form, unless an act ``concerning`` it came since it was opened: then that is shown."""
    view = await context.integration()
    if not await _is_outdated(context, view, concerning):
        return view
    await show_outdated(context, view, again)
    return None


async def _is_outdated(context: TurnContext, view: IntegrationView, concerning: Collection[str]) -> bool:
    """Whether the form is of an earlier revision, unless each act since then is known and does not concern it."""
    later = view.revision - revision_of(context)
    if later <= 0 or concerning == EDITS:
        return later != 0
    async with context.services.database.session() as session:
        acts = await history.newest(session, context.tenant, view.id, EDITS, later)
    return len(acts) < later or any(each.act in concerning for each in acts)


async def show_outdated(context: TurnContext, view: IntegrationView, again: str = "edit.open") -> None:
    async with context.services.database.session() as session:
        last = await history.latest(session, context.tenant, view.id, EDITS)
    by = history_cards.who(context.texts, last) if last and last.actor_id != context.actor.id else ""
    ago = context.texts.relative(last.at, context.now) if last else ""
    await context.show(cards.outdated(context.texts, view, last, by, ago, again))


def revision_of(context: TurnContext) -> int:
    """The revision the form was opened with; 0, which no integration has, if it is missing."""
    return context.number("revision")


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
        "edit.save_expiry": expiry.save,
    },
)
