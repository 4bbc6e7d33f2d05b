"""The first two steps: each shows its form, and checks what was typed at its service."""

from collections.abc import Sequence

from bot.cards import validation
from bot.cards.field_errors import FIELD_OF, FormError
from bot.cards.fields import MAX_NAME, OTHER
from bot.cards.parts import capped
from bot.cards.setup import forms
from bot.cards.setup import steps as cards
from bot.chat.context import TurnContext
from bot.commands.presence import enable
from bot.commands.setup import draft as drafts
from bot.commands.setup.draft import CLIENT_SECRET, CLOUDLINK_SECRET
from bot.commands.waiting import waiting_line
from storage.tables.conversations import Draft
from sync.domain.errors import Fault, SyncError
from sync.domain.model import (
    AlreadySetUp,
    CloudLinkAccount,
    IntegrationView,
    NameTaken,
    TeamsApp,
    TeamsCheck,
    TooManyIntegrations,
)

ACCOUNT_FIELDS = ("account_id", "cloudlink_client_id", "region")
APP_FIELDS = ("client_id", "tenant_id")
TEAMS_FIELDS = (*APP_FIELDS, "name", "expires_in", "expires_on")
REGION_MAY_HELP = frozenset(
    {
        Fault.CLOUDLINK_REFUSED,
        Fault.CLOUDLINK_ACCOUNT_UNKNOWN,
        Fault.CLOUDLINK_REGION_INVALID,
        Fault.CLOUDLINK_UNREACHABLE,
        Fault.CLOUDLINK_UNREADABLE,
    }
)
"""The faults after which the region is asked for."""

REFUSED_SECRETS = frozenset({Fault.ENTRA_SECRET_WRONG, Fault.ENTRA_SECRET_IS_ID, Fault.ENTRA_SECRET_EXPIRED})
"""The faults of a secret itself: it is not kept. CloudLink does not say whether the secret or an ID is wrong."""


# The CloudLink account


async def show_cloudlink(context: TurnContext, draft: Draft, form_errors: Sequence[FormError] = ()) -> None:
    kept = bool(drafts.held_secret(context, draft, CLOUDLINK_SECRET))
    links = context.services.links
    form = forms.cloudlink_form(context.texts, draft.id, draft.values, links, kept=kept, form_errors=form_errors)
    await context.show(form)


async def check_cloudlink(context: TurnContext, draft: Draft) -> None:
    """Check the account at CloudLink, and continue with the second step."""
    typed, secret, form_errors = _typed(context, draft, ACCOUNT_FIELDS, CLOUDLINK_SECRET)
    await drafts.save(context, draft)
    filled = {**typed, CLOUDLINK_SECRET: secret}
    needed = ("account_id", "cloudlink_client_id", CLOUDLINK_SECRET)
    form_errors += validation.check_filled(context.texts, filled, *needed)
    if form_errors:
        return await show_cloudlink(context, draft, _first_of_each(form_errors))
    await context.show(cards.checking(context.texts, 1, "cloudlink"))
    try:
        found = await context.operations.connection_test.check_cloudlink(
            context.tenant, _account(draft, secret), context.actor
        )
    except SyncError as error:
        await _forget_refused(context, draft, error)
        return await show_cloudlink(context, draft, [context.form_error(error)])
    known = {"account_name": found.account_name, "people": str(found.people), "region": found.region}
    drafts.keep(draft, known)
    draft.step = drafts.MICROSOFT
    await drafts.save(context, draft)
    return await show_microsoft(context, draft)


def _account(draft: Draft, secret: str) -> CloudLinkAccount:
    account_id, client_id, region = (draft.values.get(field, "") for field in ACCOUNT_FIELDS)
    return CloudLinkAccount(region, account_id, client_id, secret)


async def request_cloudlink_secret_again(context: TurnContext, draft: Draft) -> None:
    draft.step = drafts.CLOUDLINK
    drafts.drop_secret(draft, CLOUDLINK_SECRET)
    await drafts.save(context, draft)
    again = validation.failed_check(context.texts, "cloudlink_again", CLOUDLINK_SECRET)
    await show_cloudlink(context, draft, [again])


# The application in Azure


async def show_microsoft(context: TurnContext, draft: Draft, form_errors: Sequence[FormError] = ()) -> None:
    """Show the form, filled with the account's name and the chat's tenant, most likely the one to connect."""
    own = {"tenant_id": context.tenant} if validation.is_guid(context.tenant) else {}
    offered = {"name": await _free_name(context, draft.values.get("account_name", ""))}
    values = {**own, **offered, **draft.values}
    kept = bool(drafts.held_secret(context, draft, CLIENT_SECRET))
    links = context.services.links
    await context.show(
        forms.microsoft_form(context.texts, draft.id, values, links, kept=kept, form_errors=form_errors)
    )


async def _free_name(context: TurnContext, account: str) -> str:
    """The account's name, numbered if the tenant has an integration of that name."""
    taken = {view.name.casefold() for view in await context.operations.integrations.list(context.tenant)}
    names = (capped(account, MAX_NAME), *(f"{capped(account, MAX_NAME - 4)} {number}" for number in range(2, 100)))
    return next((name for name in names if name.casefold() not in taken), "")


async def use_ids(context: TurnContext, draft: Draft) -> None:
    """Keep what was typed so far, and show the form with links to that very application."""
    if not drafts.held_secret(context, draft, CLOUDLINK_SECRET):
        return await request_cloudlink_secret_again(context, draft)
    typed, _, form_errors = _typed(context, draft, TEAMS_FIELDS, CLIENT_SECRET)
    draft.step = drafts.MICROSOFT
    await drafts.save(context, draft)
    form_errors += validation.check_guids(context.texts, typed, *(field for field in APP_FIELDS if field in typed))
    return await show_microsoft(context, draft, _first_of_each(form_errors))


async def save(context: TurnContext, draft: Draft) -> None:
    """Check everything that was typed, here and at Microsoft; store the integration and show who will be shown."""
    typed, secret, form_errors = _typed(context, draft, TEAMS_FIELDS, CLIENT_SECRET)
    typed = {**dict.fromkeys(TEAMS_FIELDS, ""), **typed}
    await drafts.save(context, draft)
    held = drafts.held_secret(context, draft, CLOUDLINK_SECRET)
    if not held:
        return await request_cloudlink_secret_again(context, draft)
    app, account = TeamsApp(typed["tenant_id"], typed["client_id"], secret), _account(draft, held)
    existing = await _equal(context, account, app)
    if existing:
        return await context.show(cards.already_set_up(context.texts, existing, existing.name, draft.id))
    form_errors += await _check_fields(context, typed, secret)
    try:
        check = None
        if not {CLIENT_SECRET, *APP_FIELDS} & {each.field for each in form_errors}:
            check, refused = await _check_at_microsoft(context, draft, app)
            form_errors += refused
        if form_errors:
            return await show_microsoft(context, draft, _first_of_each(form_errors))
        view = await _add(context, typed, account, app, check)
    except NameTaken:
        return await show_microsoft(context, draft, [validation.failed_check(context.texts, "name_taken", "name")])
    except TooManyIntegrations as error:
        return await context.show(cards.too_many(context.texts, error.limit))
    except AlreadySetUp as error:
        existing = await _equal(context, account, app)
        return await context.show(cards.already_set_up(context.texts, existing, error.name, draft.id))
    return await _saved(context, draft, view)


async def _check_fields(context: TurnContext, typed: dict[str, str], secret: str) -> list[FormError]:
    texts = context.texts
    filled = {**typed, CLIENT_SECRET: secret}
    found = [
        *validation.check_filled(texts, filled, *APP_FIELDS, CLIENT_SECRET, "name"),
        *validation.check_guids(texts, typed, *APP_FIELDS),
        *validation.check_expiry(texts, typed["expires_on"], context.now.date()),
    ]
    if typed["expires_in"] == OTHER and not typed["expires_on"]:
        found.append(validation.failed_check(texts, "which_day", "expires_on"))
    names = {view.name.casefold() for view in await context.operations.integrations.list(context.tenant)}
    if typed["name"].casefold() in names:
        found.append(validation.failed_check(texts, "name_taken", "name"))
    return found


async def _check_at_microsoft(
    context: TurnContext, draft: Draft, app: TeamsApp
) -> tuple[TeamsCheck | None, list[FormError]]:
    """What Microsoft says, and what it refuses.

    While it does not know a new secret yet, the card says so and counts the attempts.
    """
    await context.show(cards.checking(context.texts, 2, "teams"))
    waiting = waiting_line(context, 2)
    try:
        check = await context.operations.connection_test.check_teams(context.tenant, app, context.actor, waiting)
    except SyncError as error:
        await _forget_refused(context, draft, error)
        return None, [context.form_error(error, app.client_id)]
    return check, []


async def _add(
    context: TurnContext,
    typed: dict[str, str],
    account: CloudLinkAccount,
    app: TeamsApp,
    check: TeamsCheck | None,
) -> IntegrationView:
    return await context.operations.integrations.add(
        context.tenant,
        typed["name"],
        account,
        app,
        validation.expiry_of(typed, context.now.date()),
        context.actor,
        context.texts("update.3.words"),
        check,
    )


async def _equal(context: TurnContext, account: CloudLinkAccount, app: TeamsApp) -> IntegrationView | None:
    """The tenant's integration of the same account, tenant and application, if there is one."""
    wanted = (account.account_id.casefold(), app.tenant_id.casefold(), app.client_id.casefold())
    for view in await context.operations.integrations.list(context.tenant):
        known = (view.cloudlink_account_id, view.tenant_id, view.client_id)
        if tuple(each.strip().casefold() for each in known) == wanted:
            return view
    return None


async def _saved(context: TurnContext, draft: Draft, view: IntegrationView) -> None:
    draft.step, draft.integration_id = drafts.ENABLE, view.id
    drafts.drop_secret(draft, CLOUDLINK_SECRET)
    drafts.drop_secret(draft, CLIENT_SECRET)
    await drafts.save(context, draft)
    await enable.show_preview(context, view, wizard=True)


# Both


def _typed(
    context: TurnContext, draft: Draft, fields: Sequence[str], secret_field: str
) -> tuple[dict[str, str], str, list[FormError]]:
    """What was typed, the secret, and an error where a secret is in another field; all else is kept."""
    secret = drafts.take_secret(context, draft, secret_field)
    typed = validation.entered(context.data, *(field for field in fields if field in context.data))
    held = drafts.held_secret(context, draft, CLOUDLINK_SECRET)
    misplaced = validation.check_no_secret(context.texts, typed, secret, held)
    for field in typed.keys() & {"region", *APP_FIELDS}:
        typed[field] = "".join(typed[field].split()).strip("{}()").lower()
    if validation.is_guid(secret) and secret.casefold() in map(str.casefold, typed.values()):
        misplaced = [validation.failed_check(context.texts, "secret_is_id", secret_field)]
        drafts.drop_secret(draft, secret_field)
    refused = {each.field for each in misplaced}
    drafts.keep(draft, {field: value for field, value in typed.items() if field not in refused})
    return typed, secret, misplaced


def _first_of_each(form_errors: Sequence[FormError]) -> list[FormError]:
    """One complaint for each field, the first."""
    found: dict[str, FormError] = {}
    for each in form_errors:
        found.setdefault(each.field or each.sentence, each)
    return list(found.values())


async def _forget_refused(context: TurnContext, draft: Draft, error: SyncError) -> None:
    """Drop the secret if it is what was refused; ask for the region if it may be what is missing."""
    if error.fault in REFUSED_SECRETS:
        drafts.drop_secret(draft, FIELD_OF[error.fault])
    if error.fault in REGION_MAY_HELP:
        drafts.keep(draft, {"ask_region": "yes"})
    await drafts.save(context, draft)
