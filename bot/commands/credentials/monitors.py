"""``monitors``: the presence monitors that use the same secret, and which of them still use the old one.

They sync in the other direction (Mitel's guide): a shared secret has to be updated in each of them too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.cards.credentials import monitors as cards
from bot.cards.credentials.rotation import secrets_page
from bot.cards.field_errors import FormError, Link
from bot.cards.fields import MAX_NAME
from bot.cards.validation import check_no_secret, cleaned, failed_check
from bot.chat.context import Command, TurnContext
from bot.chat.exports.links import MONITOR_SECRETS, ExportRequest
from bot.commands.choice import choose
from storage.queries import monitors
from sync.audit import Act
from sync.domain.model import IntegrationView
from sync.domain.roles import Role
from sync.domain.rotation import BY_THE_BOT
from sync.tenancy import owned

ANSWERS = (Act.MONITORS_SAME, Act.MONITORS_OTHER)
"""Whether the monitors use the replaced secret, as an administrator answered."""


async def open_monitors(context: TurnContext) -> None:
    await choose(context, "monitors.show", show_for)


async def show_for(context: TurnContext, view: IntegrationView, form_error: FormError | None = None) -> None:
    """Show the list, with a button for the checklist while tasks are open."""
    async with context.services.database.session() as session:
        listed = await monitors.list_owned(session, context.tenant, view.id)
        still_open = await monitors.count_open_tasks(session, view.id)
        rotation = await monitors.last_completed_rotation(session, context.tenant, view.id)
        is_new = rotation is not None and not await monitors.has_answer(session, rotation, ANSWERS)
    asked = rotation.id if rotation and is_new else ""
    shown = cards.MonitorList(listed, max(0, monitors.MAX_MONITORS - len(listed)), still_open, asked)
    typed = context.data.get("names", "")[: shown.max_typed] if form_error else ""
    await context.show(cards.list_card(context.texts, view, shown, form_error, typed))


async def show(context: TurnContext) -> None:
    await show_for(context, await context.integration())


async def add(context: TurnContext) -> None:
    """Add the typed names, one per line."""
    view = await context.integration()
    names = [name for line in context.data.get("names", "").splitlines() if (name := cleaned(line))]
    if found := check_no_secret(context.texts, {"names": context.data.get("names", "")}):
        context.data = {"integration": view.id}
        return await show_for(context, view, found[0])
    if not names:
        return await show_for(context, view, failed_check(context.texts, "names_needed", "names"))
    if any(len(name) > MAX_NAME for name in names):
        return await show_for(context, view, failed_check(context.texts, "names_too_long", "names"))
    async with _changing(context, view) as session:
        added = await monitors.add(session, context.tenant, view.id, names, context.now)
        for name in added:
            await context.record(session, view, Act.MONITORS_ADD, monitor=name)
    return await show_for(context, view)


async def remove(context: TurnContext) -> None:
    view = await context.integration()
    async with _changing(context, view) as session:
        for name in await monitors.remove(session, context.tenant, view.id, _chosen(context)):
            await context.record(session, view, Act.MONITORS_REMOVE, monitor=name)
    await show_for(context, view)


# After a rotation


async def offer(context: TurnContext, view: IntegrationView) -> None:
    """Ask about the newest rotation in a new card, if there are monitors and no answer yet."""
    async with context.services.database.session() as session:
        listed = await monitors.list_owned(session, context.tenant, view.id)
        rotation = await monitors.last_completed_rotation(session, context.tenant, view.id)
        if not listed or rotation is None or await monitors.has_answer(session, rotation, ANSWERS):
            return
    await context.send(cards.asked(context.texts, view, listed, rotation.id))


async def ask(context: TurnContext) -> None:
    """Show the question; if the rotation is answered or gone, show the list."""
    view = await context.integration()
    async with context.services.database.session() as session:
        listed = await monitors.list_owned(session, context.tenant, view.id)
        rotation = await monitors.last_completed_rotation(session, context.tenant, view.id)
        is_new = rotation is not None and not await monitors.has_answer(session, rotation, ANSWERS)
    if rotation and listed and is_new:
        return await context.show(cards.asked(context.texts, view, listed, rotation.id))
    return await show_for(context, view)


async def same(context: TurnContext) -> None:
    """The monitors use the replaced secret: keep a checklist until each has the new one."""
    if await _answer(context, Act.MONITORS_SAME):
        return await checklist(context)
    return await show(context)


async def other(context: TurnContext) -> None:
    if await _answer(context, Act.MONITORS_OTHER):
        return await context.show(cards.other_secret(context.texts, await context.integration()))
    return await show(context)


async def _answer(context: TurnContext, answer: Act) -> bool:
    """Store the answer; False if there is a newer rotation, or it is answered already."""
    view = await context.integration()
    async with _changing(context, view) as session:
        rotation = await monitors.last_completed_rotation(session, context.tenant, view.id)
        if rotation is None or rotation.id != context.data.get("rotation"):
            return False
        if await monitors.has_answer(session, rotation, ANSWERS):
            return False
        if answer is Act.MONITORS_SAME:
            await monitors.add_tasks(session, context.tenant, view.id, rotation.id)
        await context.record(session, view, answer, rotation=rotation.id)
    return True


async def checklist(context: TurnContext) -> None:
    view = await context.integration()
    async with context.services.database.session() as session:
        tasks = await monitors.list_tasks(session, context.tenant, view.id)
        rotation = await monitors.last_completed_rotation(session, context.tenant, view.id)
    if not tasks:
        return await show_for(context, view)
    is_unseen = rotation is not None and rotation.kind in BY_THE_BOT
    zone = await context.zone()
    return await context.show(cards.checklist(context.texts, view, tasks, context.now, zone, own=is_unseen))


async def secret(context: TurnContext) -> None:
    """A link to a secret of the monitors' own, which is made when its page is used."""
    view = await context.integration()
    may = await context.operations.monitor_secrets.may_make(context.tenant, view.id)
    who = context.actor
    request = ExportRequest(context.tenant, who.id, context.texts.language, view.id, person_name=who.name)
    service_url = context.turn.incoming.address.service_url
    url = context.services.export_links.create(request, service_url, MONITOR_SECRETS)
    link = Link(context.texts("link.monitor_secret"), url) if url else None
    page = secrets_page(context.texts, view, context.services.links)
    await context.show(cards.secret_offered(context.texts, view, page, link, may=may))


async def listed_names(context: TurnContext, view: IntegrationView) -> list[str]:
    """The names of the integration's monitors."""
    async with context.services.database.session() as session:
        return [monitor.name for monitor in await monitors.list_owned(session, context.tenant, view.id)]


async def tick(context: TurnContext) -> None:
    """Mark the chosen monitors as updated; the first person to do so is recorded."""
    view = await context.integration()
    by = context.actor.name or context.actor.id
    async with _changing(context, view) as session:
        ticked = await monitors.complete_tasks(session, context.tenant, view.id, _chosen(context), by, context.now)
        for name in ticked:
            await context.record(session, view, Act.MONITORS_TICK, monitor=name)
    await checklist(context)


@asynccontextmanager
async def _changing(context: TurnContext, view: IntegrationView) -> AsyncIterator[AsyncSession]:
    """A session that locks the integration, so that its monitors are not changed elsewhere."""
    async with context.services.database.writing() as session:
        await owned(session, context.tenant, view.id, lock=True)
        yield session


def _chosen(context: TurnContext) -> list[str]:
    return context.data.get(cards.CHOSEN, "").split(",")


COMMAND = Command(
    key="monitors",
    titles={"en": "monitors", "pt": "monitores de presença"},
    descriptions={
        "en": "Mitel's presence monitors, and which still need a new secret",
        "pt": "Monitores de presença da Mitel, e quais ainda precisam de um segredo novo",
    },
    aliases=("presence monitors", "monitores"),
    open=open_monitors,
    least=Role.ADMINISTRATOR,
    listed=False,
    actions={
        "monitors.show": show,
        "monitors.add": add,
        "monitors.remove": remove,
        "monitors.ask": ask,
        "monitors.same": same,
        "monitors.other": other,
        "monitors.checklist": checklist,
        "monitors.tick": tick,
        "monitors.secret": secret,
    },
)
