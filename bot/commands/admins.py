"""``admins``: who may do what in this organisation; an owner invites, changes and removes people here."""

import re

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.cards import admins as cards
from bot.cards.fields import MAX_ID
from bot.cards.welcome import stale
from bot.complaints import Complaint
from bot.exchange import Command, Exchange
from bot.inputs import cleaned
from bot.turns import Card
from storage import conversations, drafts, roles
from storage.roles import GRANTED, AlreadyListed, ChangedMeanwhile, LastOwner, NotAnOwner, Role
from storage.tables import Conversation, Member

PRINCIPAL_NAME = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/]+")


async def open_admins(exchange: Exchange) -> None:
    await exchange.show(await _list(exchange))


async def _list(exchange: Exchange, said: str = "") -> Card:
    async with exchange.desk.database.session() as session:
        members = await roles.listed(session, exchange.tenant)
        by_setting = await _owners_by_setting(exchange, session)
    last = max(0, (len(members) - 1) // cards.PAGE)
    wanted = exchange.data.get("page", "")
    page = min(int(wanted), last) if wanted.isdecimal() and len(wanted) < 7 else 0
    return cards.listed(exchange.texts, _names(exchange, by_setting), members, page, exchange.now, said)


def _names(exchange: Exchange, known: list[Conversation]) -> list[str]:
    """Owners by the setting: those who have spoken by their names, others as the setting has them."""
    rules, seen = exchange.desk.access, {one.admin_as.rpartition("/")[2] for one in known}
    unseen = [name for name in rules.named(exchange.tenant) if name.casefold() not in seen]
    return [*(one.name or one.user_object_id for one in known), *unseen]


async def _owners_by_setting(exchange: Exchange, session: AsyncSession) -> list[Conversation]:
    """Those who have spoken, and whose entry still counts."""
    rows = await conversations.owners_by_setting(session, exchange.tenant)
    return [row for row in rows if exchange.desk.access.names(row.admin_as, exchange.tenant)]


# Inviting


async def invite(exchange: Exchange) -> None:
    await exchange.show(await _form(exchange))


async def _form(exchange: Exchange, complaint: str = "") -> Card:
    async with exchange.desk.database.session() as session:
        strangers = await conversations.strangers(session, exchange.tenant, cards.STRANGERS)
    known = {one.user_object_id for one in strangers}
    person = exchange.data.get("person", "")
    typed = {
        "address": cleaned(exchange.data.get("address", ""))[:MAX_ID],
        "person": person if person in known else cards.NOBODY,
        "role": _role(exchange) or Role.VIEWER,
    }
    texts = exchange.texts
    wrong = _complain(exchange, complaint) if complaint else None
    return cards.invite(texts, strangers, exchange.now, typed if complaint else {}, wrong)


def _complain(exchange: Exchange, key: str) -> Complaint:
    return Complaint(exchange.texts(f"check.{key}"), exchange.texts(f"check.{key}.remedy"), field="address")


async def add(exchange: Exchange) -> None:
    """Invite by name, or give a role to somebody who has spoken: one of the two."""
    address = cleaned(exchange.data.get("address", "")).casefold()
    person = exchange.data.get("person", "").replace(cards.NOBODY, "")
    role = _role(exchange)
    if role is None or bool(address) == bool(person):
        return await exchange.show(await _form(exchange, "invite_whom"))
    if address and (len(address) > MAX_ID or not PRINCIPAL_NAME.fullmatch(address)):
        return await exchange.show(await _form(exchange, "address"))
    try:
        member = await _add(exchange, address, person, role)
    except AlreadyListed:
        return await exchange.show(await _form(exchange, "listed_already"))
    if member is None:
        return await exchange.show(stale(exchange.texts))
    return await exchange.show(await _list(exchange, "admins.invited" if address else "admins.given"))


async def _add(exchange: Exchange, address: str, person: str, role: Role) -> Member | None:
    async with exchange.desk.database.writing() as session:
        known = await conversations.find(session, exchange.tenant, person) if person else None
        if person and known is None:
            return None
        member = Member(
            owner_tenant=exchange.tenant,
            user_object_id=person or None,
            address=address or None,
            name=known.name if known else "",
            role=role,
            invited_by=exchange.person,
            invited_by_name=exchange.actor.name,
            invited_at=exchange.now,
            joined_at=exchange.now if known else None,
        )
        await roles.add(session, member)
        await exchange.record(session, None, "admins_invite", person=cards.name_of(member), role=role.value)
    return member


# Changing and removing


async def open_one(exchange: Exchange) -> None:
    await _show_one(exchange)


async def _show_one(exchange: Exchange, said: str = "", refusal: str = "") -> None:
    member = await _member(exchange)
    made = cards.one(exchange.texts, member, exchange.now, said, refusal) if member else stale(exchange.texts)
    await exchange.show(made)


async def change(exchange: Exchange) -> None:
    """More is given at once; less is asked about first."""
    member, role = await _member(exchange), _role(exchange)
    if member is None or role is None:
        return await exchange.show(stale(exchange.texts))
    if Role(member.role).covers(role) and role != member.role:
        return await exchange.show(cards.demotion_asked(exchange.texts, member, role))
    return await _change(exchange, role)


async def demote(exchange: Exchange) -> None:
    role = _role(exchange)
    await (exchange.show(stale(exchange.texts)) if role is None else _change(exchange, role))


async def ask_remove(exchange: Exchange) -> None:
    member = await _member(exchange)
    await exchange.show(cards.removal_asked(exchange.texts, member) if member else stale(exchange.texts))


async def remove(exchange: Exchange) -> None:
    await _change(exchange, None)


async def _change(exchange: Exchange, role: Role | None) -> None:
    """As the card had it: whoever has another role by now is shown as they are."""
    try:
        member = await _store(exchange, role)
    except NotAnOwner:
        return await exchange.show(stale(exchange.texts))
    except ChangedMeanwhile:
        return await _show_one(exchange, refusal="meanwhile")
    except LastOwner:
        return await _show_one(exchange, refusal="last_owner")
    if member.user_object_id == exchange.person and not exchange.admin_as:
        exchange.role = role or Role.EVERYONE
    if role is None:
        return await exchange.show(await _list(exchange, "admins.removed"))
    return await _show_one(exchange, said="admins.changed")


async def _store(exchange: Exchange, role: Role | None) -> Member:
    """The change and its history; a setup that somebody may not finish any more is forgotten with its secret."""
    was = exchange.data.get("was", "")
    async with exchange.desk.database.writing() as session:
        by_setting = [one.user_object_id for one in await _owners_by_setting(exchange, session)]
        member = await roles.change(
            session, exchange.tenant, exchange.data.get("member", ""), was, role, exchange.person, by_setting
        )
        named = cards.name_of(member)
        if role is None:
            await exchange.record(session, None, "admins_remove", person=named, role=was)
        else:
            await exchange.record(
                session, None, "admins_change", **{"person": named, "from": was, "to": role.value}
            )
        if member.user_object_id and (role is None or not role.covers(Role.ADMINISTRATOR)):
            await drafts.forget(session, exchange.tenant, member.user_object_id)
    return member


async def _member(exchange: Exchange) -> Member | None:
    """The one that the button names; None for a foreign or gone one."""
    async with exchange.desk.database.session() as session:
        return await roles.one(session, exchange.tenant, exchange.data.get("member", ""))


def _role(exchange: Exchange) -> Role | None:
    said = exchange.data.get("role", "")
    return Role(said) if said in GRANTED else None


COMMAND = Command(
    key="admins",
    titles={"en": "admins", "pt": "administradores"},
    descriptions={"en": "Who may do what here", "pt": "Quem pode fazer o quê aqui"},
    aliases=("administrators", "people", "roles", "pessoas", "funções"),
    open=open_admins,
    least=Role.OWNER,
    listed=False,
    actions={
        "admins.list": open_admins,
        "admins.invite": invite,
        "admins.add": add,
        "admins.open": open_one,
        "admins.change": change,
        "admins.demote": demote,
        "admins.ask_remove": ask_remove,
        "admins.remove": remove,
    },
)
