"""``admins``: the members of this organisation and their roles; owners invite, change and remove them."""

import re

from sqlmodel.ext.asyncio.session import AsyncSession

from bot.activity import Card
from bot.cards.access import admins as cards
from bot.cards.fields import MAX_ID
from bot.cards.validation import cleaned, failed_check
from bot.cards.welcome import stale
from bot.chat.context import Command, TurnContext
from storage.queries.chat import conversations, drafts, roles
from storage.queries.chat.roles import AlreadyListed, LastOwner, NotAnOwner, RoleChanged, TooManyMembers
from storage.tables.conversations import Conversation
from storage.tables.roles import Member
from sync.audit import Act
from sync.credentials.new_secrets import secrets_in
from sync.domain.roles import GRANTABLE, Role

PRINCIPAL_NAME = re.compile(r"\A[^\s@/]+@[^\s@/]+\.[^\s@/]+")


async def open_admins(context: TurnContext) -> None:
    await context.show(await _list(context))


async def _list(context: TurnContext, done: str = "") -> Card:
    async with context.services.database.session() as session:
        members = await roles.list_members(session, context.tenant)
        by_setting = await _owners_by_setting(context, session)
    last = max(0, (len(members) - 1) // cards.PAGE)
    page = min(context.number("page"), last)
    return cards.listed(context.texts, _names(context, by_setting), members, page, context.now, done)


def _names(context: TurnContext, known: list[Conversation]) -> list[str]:
    """Owners by the setting: by their display name if known, else as written in the setting."""
    rules, seen = context.services.access, {one.admin_as.rpartition("/")[2] for one in known}
    unseen = [name for name in rules.named(context.tenant) if name.casefold() not in seen]
    return [*(one.name or one.user_object_id for one in known), *unseen]


async def _owners_by_setting(context: TurnContext, session: AsyncSession) -> list[Conversation]:
    """The known owners by the setting whose entry still applies."""
    rows = await conversations.list_owners_by_setting(session, context.tenant)
    return [row for row in rows if context.services.access.names(row.admin_as, context.tenant)]


# Inviting


async def invite(context: TurnContext) -> None:
    await context.show(await _form(context))


async def _form(context: TurnContext, form_error: str = "") -> Card:
    async with context.services.database.session() as session:
        strangers = await conversations.list_without_role(session, context.tenant, cards.SUGGESTED)
    known = {one.user_object_id for one in strangers}
    person = context.data.get("person", "")
    typed = {
        "address": cleaned(context.data.get("address", ""))[:MAX_ID],
        "person": person if person in known else cards.NO_PERSON,
        "role": _role(context) or Role.VIEWER,
    }
    texts = context.texts
    wrong = failed_check(texts, form_error, "address") if form_error else None
    return cards.invite(texts, strangers, context.now, typed if form_error else {}, wrong)


async def add(context: TurnContext) -> None:
    """Invite a person by name, or give a role to a known person: exactly one of the two."""
    address = cleaned(context.data.get("address", ""))
    person = context.data.get("person", "").replace(cards.NO_PERSON, "")
    role = _role(context)
    if role is None or bool(address) == bool(person):
        return await context.show(await _form(context, "invite_whom"))
    if address and (len(address) > MAX_ID or secrets_in(address) or not PRINCIPAL_NAME.fullmatch(address)):
        return await context.show(await _form(context, "address"))
    try:
        member = await _add(context, address.casefold(), person, role)
    except AlreadyListed:
        return await context.show(await _form(context, "listed_already"))
    except TooManyMembers:
        return await context.show(await _form(context, "members"))
    if member is None:
        return await context.show(stale(context.texts))
    return await context.show(await _list(context, "admins.invited" if address else "admins.given"))


async def _add(context: TurnContext, address: str, person: str, role: Role) -> Member | None:
    async with context.services.database.writing() as session:
        known = await conversations.find(session, context.tenant, person) if person else None
        if person and known is None:
            return None
        member = Member(
            owner_tenant=context.tenant,
            user_object_id=person or None,
            address=address or None,
            name=known.name if known else "",
            role=role,
            invited_by=context.person,
            invited_by_name=context.actor.name,
            invited_at=context.now,
            joined_at=context.now if known else None,
        )
        await roles.add(session, member)
        await context.record(session, None, Act.ADMINS_INVITE, person=cards.name_of(member), role=role.value)
    return member


# Changing and removing


async def open_one(context: TurnContext) -> None:
    await _show_one(context)


async def _show_one(context: TurnContext, done: str = "", refusal: str = "") -> None:
    member = await _member(context)
    made = cards.one(context.texts, member, context.now, done, refusal) if member else stale(context.texts)
    await context.show(made)


async def change(context: TurnContext) -> None:
    """A higher role is given immediately; a lower one needs a confirmation."""
    member, role = await _member(context), _role(context)
    if member is None or role is None:
        return await context.show(stale(context.texts))
    if Role(member.role).covers(role) and role != member.role:
        return await context.show(cards.demotion_asked(context.texts, member, role))
    return await _change(context, role)


async def demote(context: TurnContext) -> None:
    role = _role(context)
    await (context.show(stale(context.texts)) if role is None else _change(context, role))


async def ask_remove(context: TurnContext) -> None:
    member = await _member(context)
    await context.show(cards.removal_asked(context.texts, member) if member else stale(context.texts))


async def remove(context: TurnContext) -> None:
    await _change(context, None)


async def _change(context: TurnContext, role: Role | None) -> None:
    """Apply the change; if the member's role changed since the card was shown, show the current one."""
    try:
        member = await _store(context, role)
    except NotAnOwner:
        return await context.show(stale(context.texts))
    except RoleChanged:
        return await _show_one(context, refusal="meanwhile")
    except LastOwner:
        return await _show_one(context, refusal="last_owner")
    if member.user_object_id == context.person and not context.admin_as:
        context.role = role or Role.EVERYONE
    if role is None:
        return await context.show(await _list(context, "admins.removed"))
    return await _show_one(context, done="admins.changed")


async def _store(context: TurnContext, role: Role | None) -> Member:
    """Store the change and its history; delete a setup draft, with its secret, that the person may not finish."""
    was = context.data.get("was", "")
    async with context.services.database.writing() as session:
        by_setting = [one.user_object_id for one in await _owners_by_setting(context, session)]
        member = await roles.change_role(
            session, context.tenant, context.data.get("member", ""), was, role, context.person, by_setting
        )
        named = cards.name_of(member)
        if role is None:
            await context.record(session, None, Act.ADMINS_REMOVE, person=named, role=was)
        else:
            facts = {"person": named, "from": was, "to": role.value}
            await context.record(session, None, Act.ADMINS_CHANGE, **facts)
        if member.user_object_id and (role is None or not role.covers(Role.ADMINISTRATOR)):
            await drafts.delete_one(session, context.tenant, member.user_object_id)
    return member


async def _member(context: TurnContext) -> Member | None:
    """The member the button names; None for a foreign or removed one."""
    async with context.services.database.session() as session:
        return await roles.get_owned(session, context.tenant, context.data.get("member", ""))


def _role(context: TurnContext) -> Role | None:
    role = context.data.get("role", "")
    return Role(role) if role in GRANTABLE else None


COMMAND = Command(
    key="admins",
    titles={"en": "admins", "pt": "administradores"},
    descriptions={"en": "Who may do what here", "pt": "Quem pode fazer o quê aqui"},
    aliases=("administrators", "roles", "funções"),
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
