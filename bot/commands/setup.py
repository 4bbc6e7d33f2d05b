"""``setup integration``: four steps in one card, from the credentials of both services to enabled presence.

Typed values are stored in a draft, so an old card's buttons work after a restart. Of the secrets only CloudLink's
is stored between steps: encrypted, once it is proven, until *Save* or *Cancel*.
"""

from collections.abc import Awaitable, Callable, Sequence

from bot.cards import setup as cards
from bot.cards import validation
from bot.cards.field_errors import FormError
from bot.chat.context import Command, CommandHandler, TurnContext
from bot.commands import enable, setup_draft
from storage.tables.conversations import Draft
from sync.domain.errors import CredentialsWrong, SyncError
from sync.domain.model import (
    AlreadySetUp,
    CloudLinkAccount,
    IntegrationView,
    NameTaken,
    TeamsApp,
    TooManyIntegrations,
    UnknownIntegration,
)
from sync.domain.roles import Role

STEPS = ("cloudlink", "register", "teams", "enable")
CLOUDLINK_FIELDS = ("region", "account_id", "cloudlink_client_id")
TEAMS_FIELDS = ("name", "tenant_id", "client_id", "expires_on")

DraftHandler = Callable[[TurnContext, Draft], Awaitable[None]]


async def open_setup(context: TurnContext) -> None:
    """Show the first step, or ask whether to continue an unfinished setup."""
    try:
        await context.operations.integrations.check_room(context.tenant)
    except TooManyIntegrations as error:
        await context.show(cards.too_many(context.texts, error.limit))
        return
    draft = await setup_draft.load(context)
    if draft is None or not draft.values:
        await show_cloudlink(context, draft or await setup_draft.begin(context))
    else:
        name = draft.values.get("name") or draft.values.get("account_name", "")
        step = STEPS.index(draft.step) + 1
        await context.show(cards.resume(context.texts, draft.id, step, name))


async def resume(context: TurnContext, draft: Draft) -> None:
    if draft.step == "register":
        await show_register(context, draft)
    elif draft.step == "teams":
        await show_teams(context, draft)
    else:
        await show_cloudlink(context, draft)


async def restart(context: TurnContext, _: Draft) -> None:
    await show_cloudlink(context, await setup_draft.begin(context))


async def back(context: TurnContext, draft: Draft) -> None:
    draft.step = "register" if context.data.get("to") == "register" else "cloudlink"
    await setup_draft.save(context, draft)
    await resume(context, draft)


async def cancel(context: TurnContext, _: Draft) -> None:
    await setup_draft.forget(context)
    await context.show(cards.cancelled(context.texts))


# Step 1: the CloudLink account


async def show_cloudlink(context: TurnContext, draft: Draft, form_errors: Sequence[FormError] = ()) -> None:
    proven = bool(setup_draft.held_secret(context, draft))
    await context.show(cards.cloudlink_step(context.texts, draft.id, draft.values, proven, form_errors))


async def check_cloudlink(context: TurnContext, draft: Draft) -> None:
    """Check the credentials at CloudLink; store them if accepted, the secret encrypted."""
    typed = validation.entered(context.data, *CLOUDLINK_FIELDS)
    secret = validation.cleaned(context.data.get("cloudlink_secret", "")) or setup_draft.held_secret(context, draft)
    if any(draft.values.get(field, "") != typed[field] for field in CLOUDLINK_FIELDS):
        draft.cloudlink_secret_sealed = None
    await setup_draft.keep(context, draft, typed)
    needed = ("account_id", "cloudlink_client_id", "cloudlink_secret")
    form_errors = validation.check_filled(context.texts, {**typed, "cloudlink_secret": secret}, *needed)
    if form_errors:
        return await show_cloudlink(context, draft, form_errors)
    await context.show(cards.checking(context.texts, 1, "cloudlink"))
    return await _check_at_cloudlink(context, draft, secret)


async def _check_at_cloudlink(context: TurnContext, draft: Draft, secret: str) -> None:
    try:
        found = await context.operations.connection_test.check_cloudlink(
            context.tenant, _account(draft, secret), context.actor
        )
    except SyncError as error:
        if isinstance(error, CredentialsWrong):
            draft.cloudlink_secret_sealed = None
            await setup_draft.save(context, draft)
        return await show_cloudlink(context, draft, [context.form_error(error)])
    draft.step = "register"
    setup_draft.hold_secret(context, draft, secret)
    await setup_draft.keep(context, draft, {"account_name": found.account_name, "people": str(found.people)})
    return await show_register(context, draft)


# Step 2: the application in Azure


async def show_register(context: TurnContext, draft: Draft) -> None:
    await context.show(cards.register_step(context.texts, draft.id, draft.values, context.services.links))


async def registered(context: TurnContext, draft: Draft) -> None:
    if not setup_draft.held_secret(context, draft):
        return await _request_cloudlink_secret_again(context, draft)
    draft.step = "teams"
    await setup_draft.save(context, draft)
    return await show_teams(context, draft)


# Step 3: the four fields


async def show_teams(context: TurnContext, draft: Draft, form_errors: Sequence[FormError] = ()) -> None:
    """Show the form, filled with the chat's tenant, which is most likely the one to connect."""
    own = {"tenant_id": context.tenant} if validation.is_guid(context.tenant) else {}
    await context.show(cards.teams_step(context.texts, draft.id, {**own, **draft.values}, form_errors))


async def save(context: TurnContext, draft: Draft) -> None:
    """Validate the fields, check them at Microsoft, store the integration, and show the preview."""
    typed = validation.entered(context.data, *TEAMS_FIELDS)
    secret = validation.cleaned(context.data.get("client_secret", ""))
    held = setup_draft.held_secret(context, draft)
    await setup_draft.keep(context, draft, typed)
    if not held:
        return await _request_cloudlink_secret_again(context, draft)
    form_errors = await _check_fields(context, typed, secret)
    if form_errors:
        return await show_teams(context, draft, form_errors)
    await context.show(cards.checking(context.texts, 3, "teams"))
    app = TeamsApp(typed["tenant_id"], typed["client_id"], secret)
    try:
        await context.operations.connection_test.check_teams(context.tenant, app, context.actor)
        view = await context.operations.integrations.add(
            context.tenant,
            typed["name"],
            _account(draft, held),
            app,
            validation.day_of(typed["expires_on"]),
            context.actor,
            context.texts("update.3.words"),
        )
    except NameTaken:
        return await show_teams(context, draft, [validation.failed_check(context.texts, "name_taken", "name")])
    except TooManyIntegrations as error:
        return await context.show(cards.too_many(context.texts, error.limit))
    except AlreadySetUp as error:
        return await context.show(cards.already_set_up(context.texts, error.id))
    except SyncError as error:
        form_error = context.form_error(error, typed["tenant_id"], typed["client_id"])
        return await show_teams(context, draft, [form_error])
    return await _saved(context, draft, view)


async def _check_fields(context: TurnContext, typed: dict[str, str], secret: str) -> list[FormError]:
    texts = context.texts
    filled = {**typed, "client_secret": secret}
    found = [
        *validation.check_filled(texts, filled, "name", "tenant_id", "client_id", "client_secret"),
        *validation.check_guids(texts, typed, "tenant_id", "client_id"),
        *validation.check_expiry(texts, typed["expires_on"], context.now.date()),
    ]
    names = {view.name.casefold() for view in await context.operations.integrations.list(context.tenant)}
    if typed["name"].casefold() in names:
        found.append(validation.failed_check(texts, "name_taken", "name"))
    return found


async def _saved(context: TurnContext, draft: Draft, view: IntegrationView) -> None:
    draft.step, draft.integration_id, draft.cloudlink_secret_sealed = "enable", view.id, None
    await setup_draft.save(context, draft)
    await enable.show_preview(context, view, wizard=True)


async def _request_cloudlink_secret_again(context: TurnContext, draft: Draft) -> None:
    draft.step, draft.cloudlink_secret_sealed = "cloudlink", None
    await setup_draft.save(context, draft)
    again = validation.failed_check(context.texts, "cloudlink_again", "cloudlink_secret")
    await show_cloudlink(context, draft, [again])


# Step 4: check and enable


async def preview(context: TurnContext) -> None:
    await enable.show_preview(context, await context.integration(), wizard=True)


async def page(context: TurnContext) -> None:
    await enable.show_page(context, await context.integration(), wizard=True)


async def now(context: TurnContext) -> None:
    view = await context.integration()
    await enable.enable(context, view)
    await _finish(context, view)


async def later(context: TurnContext) -> None:
    view = await context.integration()
    await _finish(context, view)
    await enable.postpone(context, view)


async def _finish(context: TurnContext, view: IntegrationView) -> None:
    draft = await setup_draft.load(context)
    if draft is not None and draft.integration_id == view.id:
        await setup_draft.forget(context)


# The draft


def of_draft(handler: DraftHandler) -> CommandHandler:
    """Run ``handler`` only for the draft of the pressed card; a saved one continues with the last step."""

    async def checked(context: TurnContext) -> None:
        draft = await setup_draft.load(context)
        if draft is None or draft.id != context.data.get("draft"):
            await context.show(cards.ended(context.texts))
        elif draft.integration_id is not None and handler is not restart:
            await _continue_saved(context, draft.integration_id)
        else:
            await handler(context, draft)

    return checked


async def _continue_saved(context: TurnContext, integration_id: str) -> None:
    context.data = {"integration": integration_id}
    try:
        view = await context.integration()
    except UnknownIntegration:
        await setup_draft.forget(context)
        raise
    await enable.show_preview(context, view, wizard=True)


def _account(draft: Draft, secret: str) -> CloudLinkAccount:
    region, account_id, client_id = (draft.values.get(field, "") for field in CLOUDLINK_FIELDS)
    return CloudLinkAccount(region, account_id, client_id, secret)


COMMAND = Command(
    key="setup",
    titles={"en": "setup integration", "pt": "configurar integração"},
    descriptions={
        "en": "Connect CloudLink and Teams, step by step",
        "pt": "Ligar o CloudLink ao Teams, passo a passo",
    },
    aliases=("set up integration", "setup", "add integration", "configurar", "adicionar integração"),
    open=open_setup,
    least=Role.ADMINISTRATOR,
    actions={
        "setup.resume": of_draft(resume),
        "setup.restart": of_draft(restart),
        "setup.back": of_draft(back),
        "setup.cancel": of_draft(cancel),
        "setup.cloudlink": of_draft(check_cloudlink),
        "setup.register": of_draft(registered),
        "setup.save": of_draft(save),
        "setup.preview": preview,
        "setup.page": page,
        "setup.now": now,
        "setup.later": later,
    },
)
