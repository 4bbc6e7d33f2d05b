"""``rotate secret``: a new client secret, typed or created by the bot, and proven before the old one is removed.

A typed secret is stored only in the database, encrypted, and only once it is proven. A form that is shown again
has the description and the date, never the secret.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.activity import Card
from bot.cards import validation
from bot.cards.credentials import certificate as certificate_cards
from bot.cards.credentials import rotation as cards
from bot.cards.field_errors import FormError
from bot.cards.integrations import listing as integration_cards
from bot.chat.context import Command, TurnContext
from bot.commands.choice import choose
from bot.commands.credentials import monitors
from bot.commands.integrations.edit import OF_CREDENTIALS, current, show_outdated
from sync.credentials.new_secrets import NOT_YET_KNOWN
from sync.domain.errors import Fault, SyncError
from sync.domain.model import CredentialKind, EditedMeanwhile, IntegrationView
from sync.domain.roles import Role
from sync.domain.rotation import BY_THE_BOT, NewSecret, OldSecretLeft, RotationUnderWay, RotationView


async def open_rotate(context: TurnContext) -> None:
    """Opened by a notice's button, which names the integration, or typed."""
    if context.data.get("integration"):
        await ask(context)
    else:
        await choose(context, "rotate.ask", ask_for)


async def ask_for(context: TurnContext, view: IntegrationView, form_errors: Sequence[FormError] = ()) -> None:
    going = await context.operations.credentials.rotation(context.tenant, view.id)
    if going and not going.finished and going.kind in BY_THE_BOT:
        return await context.show(_progress(context, view, going, []))
    return await show_form(context, view, {}, form_errors)


async def ask(context: TurnContext) -> None:
    await ask_for(context, await context.integration())


async def show_form(
    context: TurnContext, view: IntegrationView, values: dict[str, str], form_errors: Sequence[FormError] = ()
) -> None:
    may = await context.operations.credentials.may_rotate(context.tenant, view.id)
    links = context.services.links
    await context.show(cards.form(context.texts, view, values, links, form_errors, offer_for_me=may))


async def save(context: TurnContext) -> None:
    """Validate the fields, prove the secret for this tenant and application, and only then use it.

    What this press has begun already, before it was interrupted, is continued.
    """
    view = await context.integration()
    if begun := await context.operations.credentials.begun(context.tenant, view.id, context.actor):
        return await _follow(context, view, begun)
    return await _save(context)


async def _save(context: TurnContext) -> None:
    view = await current(context, "rotate.ask", OF_CREDENTIALS)
    if view is None:
        return None
    typed = validation.entered(context.data, "description", "expires_on")
    secret = validation.cleaned(context.data.get("client_secret", ""))
    form_errors = _check_fields(context, typed, secret)
    if form_errors:
        return await show_form(context, view, validation.without_secret(typed, secret), form_errors)
    await context.show(cards.checking(context.texts, view))
    try:
        rotation = await context.operations.credentials.replace_secret(
            context.tenant,
            view.id,
            NewSecret(secret, validation.day_of(typed["expires_on"]), typed["description"]),
            context.actor,
            view.revision,
        )
    except SyncError as error:
        return await show_form(context, view, typed, [_form_error(context, view, error)])
    except EditedMeanwhile:
        return await show_outdated(context, view, "rotate.ask")
    except RotationUnderWay:
        return await context.show(cards.under_way(context.texts, view))
    return await _follow(context, view, rotation)


def _check_fields(context: TurnContext, typed: dict[str, str], secret: str) -> list[FormError]:
    described = {"description": typed["description"]}
    return [
        *validation.check_filled(context.texts, {"client_secret": secret}, "client_secret"),
        *validation.check_lengths(context.texts, described),
        *validation.check_no_secret(context.texts, described, secret),
        *validation.check_expiry(context.texts, typed["expires_on"], context.now.date()),
    ]


def _form_error(context: TurnContext, view: IntegrationView, error: SyncError) -> FormError:
    """The error next to its field, if the form has it; a wrong secret is explained for this application."""
    said = context.form_error(error, view.client_id)
    if error.fault is Fault.ENTRA_SECRET_WRONG:
        texts = context.texts
        said = replace(said, sentence=texts("rotate.other_app"), remedy=texts("rotate.other_app.remedy"))
    return said if said.field in cards.FIELDS else replace(said, field="")


# By the bot


async def for_me(context: TurnContext) -> None:
    view = await context.integration()
    await context.show(cards.for_me_asked(context.texts, view, await monitors.listed_names(context, view)))


async def start(context: TurnContext) -> None:
    """Start a rotation by the bot; pressed twice, it is the same rotation."""
    view = await context.integration()
    try:
        rotation = await context.operations.credentials.start_rotation(context.tenant, view.id, context.actor)
    except RotationUnderWay:
        return await context.show(cards.under_way(context.texts, view))
    return await _follow(context, view, rotation)


async def progress(context: TurnContext) -> None:
    """The rotation in progress or, without one, the last; of a button that was pressed before only its own."""
    view, texts = await context.integration(), context.texts
    rotation = await context.operations.credentials.rotation(context.tenant, view.id)
    if context.actor.press:
        begun = await context.operations.credentials.begun(context.tenant, view.id, context.actor)
        if begun is None:
            nothing = FormError(texts("rotate.nothing_yet"), texts("rotate.nothing_yet.remedy"))
            return await ask_for(context, view, [nothing])
        rotation = rotation if rotation and rotation.id == begun.id else None
    if rotation is None:
        return await ask_for(context, view)
    return await _follow(context, view, rotation)


async def _follow(context: TurnContext, view: IntegrationView, rotation: RotationView) -> None:
    """Show each step as it happens, for some seconds; after the last, ask about the monitors."""
    async for seen in context.operations.credentials.follow(context.tenant, rotation.id):
        if seen.was_edited:
            return await show_outdated(context, view, "rotate.ask")
        rotation = seen
        await context.show(_progress(context, view, seen, await _sharing(context, view, seen)))
    is_secret = rotation.credential is CredentialKind.SECRET
    if is_secret and rotation.finished and rotation.error is None:
        await monitors.offer(context, view)
    return None


async def _sharing(context: TurnContext, view: IntegrationView, rotation: RotationView) -> list[str]:
    """The names of the tenant's other integrations that may use the old secret, where one of them does."""
    if rotation.old_left is not OldSecretLeft.SHARED:
        return []
    every = await context.operations.integrations.list(context.tenant)
    return [each.name for each in every if each.id != view.id and _is_same_secret(each, view)]


def _is_same_secret(one: IntegrationView, other: IntegrationView) -> bool:
    has_secret = one.credential is CredentialKind.SECRET
    return has_secret and (one.tenant_id, one.client_id) == (other.tenant_id, other.client_id)


def _progress(context: TurnContext, view: IntegrationView, rotation: RotationView, sharing: Sequence[str]) -> Card:
    form_error = _form_error(context, view, rotation.error) if rotation.error else None
    is_new = rotation.error and rotation.error.fault in NOT_YET_KNOWN and rotation.kind in BY_THE_BOT
    if form_error and is_new:
        form_error = replace(form_error, sentence=context.texts("rotate.not_known_yet"))
    if rotation.credential is not CredentialKind.SECRET:
        return certificate_cards.progress(context.texts, view, rotation, context.services.links, form_error)
    if rotation.kind not in BY_THE_BOT:
        return cards.replaced(context.texts, view, rotation, context.services.links, form_error)
    return cards.progress(context.texts, view, rotation, context.services.links, form_error, sharing)


async def cancel(context: TurnContext) -> None:
    await context.show(integration_cards.kept(context.texts, await context.integration()))


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
