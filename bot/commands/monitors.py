"""``monitors``: which presence monitors of the other direction hold the same secret, and which still the old one.

Mitel's guide has them: when the secret of the integration serves them too, it has to be renewed in each.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.cards import monitors as cards
from bot.cards.fields import MAX_NAME
from bot.commands.choice import choose
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.inputs import cleaned
from storage import integrations, monitors
from storage.roles import Role
from sync.model import IntegrationView, UnknownIntegration

SAME, OTHER = "monitors_same", "monitors_other"
"""The acts that answer whether the monitors hold the replaced secret."""


async def open_monitors(exchange: Exchange) -> None:
    await choose(exchange, "monitors.show", show_for)


async def show_for(exchange: Exchange, view: IntegrationView, complaint: Complaint | None = None) -> None:
    """The checklist while something is open, else the list."""
    async with exchange.desk.database.session() as session:
        listed = await monitors.listed(session, exchange.tenant, view.id)
        still_open = await monitors.count_open(session, view.id)
        rotation = await monitors.last_rotation(session, exchange.tenant, view.id)
        is_new = rotation is not None and not await monitors.is_answered(session, rotation, (SAME, OTHER))
    asked = rotation.id if rotation and is_new else ""
    typed = exchange.data.get("names", "")[: cards.MAX_TYPED] if complaint else ""
    await exchange.show(cards.list_card(exchange.texts, view, listed, still_open, asked, complaint, typed))


async def show(exchange: Exchange) -> None:
    await show_for(exchange, await exchange.integration())


async def add(exchange: Exchange) -> None:
    """List the names typed, one a line."""
    view = await exchange.integration()
    names = [name for line in exchange.data.get("names", "").splitlines() if (name := cleaned(line))]
    if not names:
        return await show_for(exchange, view, _complain(exchange, "names_needed"))
    if any(len(name) > MAX_NAME for name in names):
        return await show_for(exchange, view, _complain(exchange, "names_too_long"))
    async with _changing(exchange, view) as session:
        added = await monitors.add(session, exchange.tenant, view.id, names, exchange.now)
        for name in added:
            await exchange.record(session, view, "monitors_add", monitor=name)
    return await show_for(exchange, view)


async def remove(exchange: Exchange) -> None:
    view = await exchange.integration()
    async with _changing(exchange, view) as session:
        for name in await monitors.remove(session, exchange.tenant, view.id, _chosen(exchange)):
            await exchange.record(session, view, "monitors_remove", monitor=name)
    await show_for(exchange, view)


# After a rotation


async def offer(exchange: Exchange, view: IntegrationView) -> None:
    """Ask about the newest rotation in a card of its own, when there are monitors and nobody has answered."""
    async with exchange.desk.database.session() as session:
        listed = await monitors.listed(session, exchange.tenant, view.id)
        rotation = await monitors.last_rotation(session, exchange.tenant, view.id)
        if not listed or rotation is None or await monitors.is_answered(session, rotation, (SAME, OTHER)):
            return
    await exchange.send(cards.asked(exchange.texts, view, listed, rotation.id))


async def ask(exchange: Exchange) -> None:
    """The question, from a button; of a rotation that is answered or gone, the list."""
    view = await exchange.integration()
    async with exchange.desk.database.session() as session:
        listed = await monitors.listed(session, exchange.tenant, view.id)
        rotation = await monitors.last_rotation(session, exchange.tenant, view.id)
        is_new = rotation is not None and not await monitors.is_answered(session, rotation, (SAME, OTHER))
    if rotation and listed and is_new:
        return await exchange.show(cards.asked(exchange.texts, view, listed, rotation.id))
    return await show_for(exchange, view)


async def same(exchange: Exchange) -> None:
    """The monitors hold the replaced secret: keep a checklist until each has the new one."""
    if await _answer(exchange, SAME):
        return await checklist(exchange)
    return await show(exchange)


async def other(exchange: Exchange) -> None:
    if await _answer(exchange, OTHER):
        return await exchange.show(cards.other_secret(exchange.texts, await exchange.integration()))
    return await show(exchange)


async def _answer(exchange: Exchange, answer: str) -> bool:
    """Store the answer; False when the newest rotation is another one, or somebody answered before."""
    view = await exchange.integration()
    async with _changing(exchange, view) as session:
        rotation = await monitors.last_rotation(session, exchange.tenant, view.id)
        if rotation is None or rotation.id != exchange.data.get("rotation"):
            return False
        if await monitors.is_answered(session, rotation, (SAME, OTHER)):
            return False
        if answer == SAME:
            await monitors.ask_for(session, exchange.tenant, view.id, rotation.id)
        await exchange.record(session, view, answer, rotation=rotation.id)
    return True


async def checklist(exchange: Exchange) -> None:
    view = await exchange.integration()
    async with exchange.desk.database.session() as session:
        tasks = await monitors.tasks(session, exchange.tenant, view.id)
    if not tasks:
        return await show_for(exchange, view)
    return await exchange.show(cards.checklist(exchange.texts, view, tasks, exchange.now))


async def tick(exchange: Exchange) -> None:
    """Mark the chosen monitors as renewed; whoever was first is the one named."""
    view = await exchange.integration()
    by = exchange.actor.name or exchange.actor.id
    async with _changing(exchange, view) as session:
        ticked = await monitors.tick(session, exchange.tenant, view.id, _chosen(exchange), by, exchange.now)
        for name in ticked:
            await exchange.record(session, view, "monitors_tick", monitor=name)
    await checklist(exchange)


@asynccontextmanager
async def _changing(exchange: Exchange, view: IntegrationView) -> AsyncIterator[AsyncSession]:
    """A session in which nobody else changes the integration or its monitors."""
    async with exchange.desk.database.writing() as session:
        if await integrations.owned_one(session, exchange.tenant, view.id, lock=True) is None:
            raise UnknownIntegration
        yield session


def _chosen(exchange: Exchange) -> list[str]:
    return exchange.data.get(cards.CHOSEN, "").split(",")


def _complain(exchange: Exchange, key: str) -> Complaint:
    return Complaint(exchange.texts(f"check.{key}"), exchange.texts(f"check.{key}.remedy"), field="names")


COMMAND = Command(
    key="monitors",
    titles={"en": "monitors", "pt": "monitores"},
    descriptions={
        "en": "Presence monitors that hold the same secret",
        "pt": "Monitores de presença com o mesmo segredo",
    },
    aliases=("presence monitors", "monitores de presença"),
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
    },
)
