"""``setup integration``: four steps in one card, from two sets of credentials to people shown as on the phone.

What was typed lives in a stored draft, so an old card's buttons work after a restart. Of the secrets, only
CloudLink's is held between steps: after it was proven, sealed, until *Save* or *Cancel*.
"""

from collections.abc import Awaitable, Callable, Sequence

from bot import drafts, inputs
from bot.cards import setup as cards
from bot.commands import enable
from bot.complaints import Complaint
from bot.exchange import Answer, Command, Exchange
from storage.roles import Role
from storage.tables import Draft
from sync.errors import CredentialsWrong, SyncError
from sync.model import CloudLinkAccount, IntegrationView, NameTaken, TeamsApp, UnknownIntegration

STEPS = ("cloudlink", "register", "teams", "enable")
CLOUDLINK_FIELDS = ("region", "account_id", "cloudlink_client_id")
TEAMS_FIELDS = ("name", "tenant_id", "client_id", "expires_on")

DraftAnswer = Callable[[Exchange, Draft], Awaitable[None]]


async def open_setup(exchange: Exchange) -> None:
    """The first step, or the question whether to go on with what was begun."""
    draft = await drafts.load(exchange)
    if draft is None or not draft.values:
        await show_cloudlink(exchange, draft or await drafts.begin(exchange))
    else:
        name = draft.values.get("name") or draft.values.get("account_name", "")
        step = STEPS.index(draft.step) + 1
        await exchange.show(cards.resume(exchange.texts, draft.id, step, name))


async def resume(exchange: Exchange, draft: Draft) -> None:
    if draft.step == "register":
        await show_register(exchange, draft)
    elif draft.step == "teams":
        await show_teams(exchange, draft)
    else:
        await show_cloudlink(exchange, draft)


async def restart(exchange: Exchange, _: Draft) -> None:
    await show_cloudlink(exchange, await drafts.begin(exchange))


async def back(exchange: Exchange, draft: Draft) -> None:
    draft.step = "register" if exchange.data.get("to") == "register" else "cloudlink"
    await drafts.save(exchange, draft)
    await resume(exchange, draft)


async def cancel(exchange: Exchange, _: Draft) -> None:
    await drafts.forget(exchange)
    await exchange.show(cards.cancelled(exchange.texts))


# Step 1: the CloudLink account


async def show_cloudlink(exchange: Exchange, draft: Draft, complaints: Sequence[Complaint] = ()) -> None:
    proven = bool(drafts.held_secret(exchange, draft))
    await exchange.show(cards.cloudlink_step(exchange.texts, draft.id, draft.values, proven, complaints))


async def check_cloudlink(exchange: Exchange, draft: Draft) -> None:
    """Ask CloudLink at once; what it accepts is kept, the secret sealed."""
    typed = inputs.entered(exchange.data, *CLOUDLINK_FIELDS)
    secret = inputs.cleaned(exchange.data.get("cloudlink_secret", "")) or drafts.held_secret(exchange, draft)
    if any(draft.values.get(field, "") != typed[field] for field in CLOUDLINK_FIELDS):
        draft.cloudlink_secret_sealed = None
    await drafts.keep(exchange, draft, typed)
    needed = ("account_id", "cloudlink_client_id", "cloudlink_secret")
    complaints = inputs.check_filled(exchange.texts, {**typed, "cloudlink_secret": secret}, *needed)
    if complaints:
        return await show_cloudlink(exchange, draft, complaints)
    await exchange.show(cards.checking(exchange.texts, 1, "cloudlink"))
    return await _prove_cloudlink(exchange, draft, secret)


async def _prove_cloudlink(exchange: Exchange, draft: Draft, secret: str) -> None:
    try:
        found = await exchange.desk.integrations.check_cloudlink(_account(draft, secret))
    except SyncError as error:
        if isinstance(error, CredentialsWrong):
            draft.cloudlink_secret_sealed = None
            await drafts.save(exchange, draft)
        return await show_cloudlink(exchange, draft, [exchange.complaint(error)])
    draft.step = "register"
    draft.cloudlink_secret_sealed = exchange.desk.seal.close(secret)
    await drafts.keep(exchange, draft, {"account_name": found.account_name, "people": str(found.people)})
    return await show_register(exchange, draft)


# Step 2: the application in Azure


async def show_register(exchange: Exchange, draft: Draft) -> None:
    await exchange.show(cards.register_step(exchange.texts, draft.id, draft.values, exchange.desk.links))


async def registered(exchange: Exchange, draft: Draft) -> None:
    if not drafts.held_secret(exchange, draft):
        return await _ask_cloudlink_again(exchange, draft)
    draft.step = "teams"
    await drafts.save(exchange, draft)
    return await show_teams(exchange, draft)


# Step 3: the four fields


async def show_teams(exchange: Exchange, draft: Draft, complaints: Sequence[Complaint] = ()) -> None:
    """The tenant that is spoken from is most likely the one to connect."""
    own = {"tenant_id": exchange.tenant} if inputs.is_guid(exchange.tenant) else {}
    await exchange.show(cards.teams_step(exchange.texts, draft.id, {**own, **draft.values}, complaints))


async def save(exchange: Exchange, draft: Draft) -> None:
    """Look the fields over, ask Microsoft, and only then store; then go on to whom it concerns."""
    typed = inputs.entered(exchange.data, *TEAMS_FIELDS)
    secret = inputs.cleaned(exchange.data.get("client_secret", ""))
    held = drafts.held_secret(exchange, draft)
    await drafts.keep(exchange, draft, typed)
    if not held:
        return await _ask_cloudlink_again(exchange, draft)
    complaints = await _look_over(exchange, typed, secret)
    if complaints:
        return await show_teams(exchange, draft, complaints)
    await exchange.show(cards.checking(exchange.texts, 3, "teams"))
    app = TeamsApp(typed["tenant_id"], typed["client_id"], secret)
    try:
        await exchange.desk.integrations.check_teams(app)
        view = await exchange.desk.integrations.add(
            exchange.tenant,
            typed["name"],
            _account(draft, held),
            app,
            inputs.day_of(typed["expires_on"]),
            exchange.texts("update.3.words"),
        )
    except NameTaken:
        return await show_teams(exchange, draft, [inputs.name_taken(exchange.texts)])
    except SyncError as error:
        complaint = exchange.complaint(error, typed["tenant_id"], typed["client_id"])
        return await show_teams(exchange, draft, [complaint])
    return await _saved(exchange, draft, view)


async def _look_over(exchange: Exchange, typed: dict[str, str], secret: str) -> list[Complaint]:
    texts = exchange.texts
    filled = {**typed, "client_secret": secret}
    found = [
        *inputs.check_filled(texts, filled, "name", "tenant_id", "client_id", "client_secret"),
        *inputs.check_guids(texts, typed, "tenant_id", "client_id"),
        *inputs.check_expiry(texts, typed["expires_on"], exchange.now.date()),
    ]
    names = {view.name.casefold() for view in await exchange.desk.integrations.list(exchange.tenant)}
    if typed["name"].casefold() in names:
        found.append(inputs.name_taken(texts))
    return found


async def _saved(exchange: Exchange, draft: Draft, view: IntegrationView) -> None:
    draft.step, draft.integration_id, draft.cloudlink_secret_sealed = "enable", view.id, None
    await drafts.save(exchange, draft)
    await enable.show_preview(exchange, view, wizard=True)


async def _ask_cloudlink_again(exchange: Exchange, draft: Draft) -> None:
    draft.step, draft.cloudlink_secret_sealed = "cloudlink", None
    await drafts.save(exchange, draft)
    texts = exchange.texts
    again = Complaint(
        texts("check.cloudlink_again"), texts("check.cloudlink_again.remedy"), field="cloudlink_secret"
    )
    await show_cloudlink(exchange, draft, [again])


# Step 4: check and enable


async def preview(exchange: Exchange) -> None:
    await enable.show_preview(exchange, await exchange.integration(), wizard=True)


async def page(exchange: Exchange) -> None:
    await enable.show_page(exchange, await exchange.integration(), wizard=True)


async def now(exchange: Exchange) -> None:
    view = await exchange.integration()
    await enable.enable(exchange, view)
    await _finish(exchange, view)


async def later(exchange: Exchange) -> None:
    view = await exchange.integration()
    await _finish(exchange, view)
    await enable.put_off(exchange, view)


async def _finish(exchange: Exchange, view: IntegrationView) -> None:
    draft = await drafts.load(exchange)
    if draft is not None and draft.integration_id == view.id:
        await drafts.forget(exchange)


# The draft


def of_draft(answer: DraftAnswer) -> Answer:
    """Only for the draft the pressed card belongs to; one that is saved already goes on at its last step."""

    async def checked(exchange: Exchange) -> None:
        draft = await drafts.load(exchange)
        if draft is None or draft.id != exchange.data.get("draft"):
            await exchange.show(cards.ended(exchange.texts))
        elif draft.integration_id is not None and answer is not restart:
            await _continue_saved(exchange, draft.integration_id)
        else:
            await answer(exchange, draft)

    return checked


async def _continue_saved(exchange: Exchange, integration_id: str) -> None:
    exchange.data = {"integration": integration_id}
    try:
        view = await exchange.integration()
    except UnknownIntegration:
        await drafts.forget(exchange)
        raise
    await enable.show_preview(exchange, view, wizard=True)


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
