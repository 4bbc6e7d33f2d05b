"""Who may do what: the list, somebody's own card, and the cards on which something is given or taken away."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_ID, MAX_NAME
from bot.cards.history import where
from bot.cards.parts import button, capped, card, error_note, fact, header, note, plain, row, text
from bot.languages import Texts
from storage.queries.roles import GRANTABLE, INVITATION_LIFETIME, Role
from storage.tables.conversations import Conversation
from storage.tables.roles import Member

PAGE = 10
STRANGERS = 20
NOBODY = "nobody"
"""The choice of none of those who have spoken."""

SYMBOLS = {Role.OWNER: "👑", Role.ADMINISTRATOR: "🛠️", Role.VIEWER: "👁️"}


def listed(
    texts: Texts, by_setting: Sequence[str], members: Sequence[Member], page: int, now: datetime, said: str = ""
) -> Card:
    """Owners by the setting, by name, then a page of ``members``; ``said`` is the key of what was done."""
    title = texts("admins.title")
    total = len(by_setting) + len(members)
    body: list[CardElement] = [header("👥", title, texts.plural("admins.count", total))]
    if said:
        body.append(note("good", "✅", texts(said)))
    if not page:
        told = f"{texts('role.owner')} · {texts('admins.by_setting')}"
        body.extend(row(SYMBOLS[Role.OWNER], capped(name), told) for name in by_setting[:PAGE])
    shown = members[page * PAGE : (page + 1) * PAGE]
    body.extend(row(SYMBOLS[Role(one.role)], name_of(one), _told(texts, one, now)) for one in shown)
    pages = max(1, -(-len(members) // PAGE))
    if pages > 1:
        body.append(plain(where(texts, page, pages), subtle=True))
    if shown:
        body.append(
            _chooser("member", texts("admins.pick"), [(one.id, name_of(one)) for one in shown], shown[0].id)
        )
    return card(texts, title, body, _list_actions(texts, bool(shown), page, pages), wide=True)


def _list_actions(texts: Texts, has_members: bool, page: int, pages: int) -> list[Action]:
    actions: list[Action] = [button(texts("button.invite"), "admins.invite", style="positive")]
    if has_members:
        actions.append(button(texts("button.open"), "admins.open", inputs=True))
    if page:
        actions.append(button(texts("button.previous"), "admins.list", {"page": str(page - 1)}))
    if page + 1 < pages:
        actions.append(button(texts("button.more"), "admins.list", {"page": str(page + 1)}))
    return actions


def invite(
    texts: Texts,
    strangers: Sequence[Conversation],
    now: datetime,
    typed: Mapping[str, str] | None = None,
    form_error: FormError | None = None,
) -> Card:
    """Somebody by name, or one of those who have spoken with the bot; and the role they get."""
    title = texts("admins.invite")
    typed = typed or {}
    address = TextInput(
        id="address",
        label=texts("field.address"),
        value=typed.get("address") or None,
        placeholder=texts("field.address.hint"),
        max_length=MAX_ID,
    )
    body: list[CardElement] = [header("✉️", title), text(texts("admins.invite.what"), subtle=True), address]
    if strangers:
        known = [(one.user_object_id, _seen(texts, one, now)) for one in strangers]
        choices = [(NOBODY, texts("admins.nobody")), *known]
        body.append(_chooser("person", texts("admins.or_pick"), choices, typed.get("person") or NOBODY))
    if form_error:
        body.append(error_note(form_error))
    body += [_roles(texts, Role(typed.get("role") or Role.VIEWER)), *_what_roles_may(texts)]
    actions: list[Action] = [
        button(texts("button.invite"), "admins.add", style="positive", inputs=True),
        button(texts("button.cancel"), "admins.list"),
    ]
    return card(texts, title, body, actions)


def one(texts: Texts, member: Member, now: datetime, said: str = "", refusal: str = "") -> Card:
    """Somebody's role, where it comes from, and what can be done; ``said`` is a key, ``refusal`` the end of one."""
    role = Role(member.role)
    body: list[CardElement] = [header(SYMBOLS[role], texts("admins.one"), name_of(member))]
    if said:
        body.append(note("good", "✅", texts(said)))
    if refusal:
        body.append(note("attention", "❌", texts(f"check.{refusal}"), texts(f"check.{refusal}.remedy")))
    if member.address and member.name:
        body.append(fact(texts("field.address"), capped(member.address)))
    body.append(fact(texts("admins.since"), _told(texts, member, now)))
    body += [_roles(texts, role), *_what_roles_may(texts)]
    data = {"member": member.id, "was": member.role}
    actions: list[Action] = [
        button(texts("button.change_role"), "admins.change", data, style="positive", inputs=True),
        button(texts("button.take_away"), "admins.ask_remove", data, style="destructive"),
        button(texts("button.back"), "admins.list"),
    ]
    return card(texts, name_of(member), body, actions)


def demotion_asked(texts: Texts, member: Member, role: Role) -> Card:
    """Before a role is made less."""
    title = texts("admins.demote")
    told = texts("admins.demote.what", was=texts(f"role.{member.role}"), role=texts(f"role.{role}"))
    body = [header(SYMBOLS[Role(member.role)], title, name_of(member)), note("warning", "⚠️", told)]
    data = {"member": member.id, "was": member.role, "role": role.value}
    actions: list[Action] = [
        button(texts("button.change_role"), "admins.demote", data, style="destructive"),
        button(texts("button.cancel"), "admins.open", data),
    ]
    return card(texts, title, body, actions)


def removal_asked(texts: Texts, member: Member) -> Card:
    """Before a role, or an invitation, is taken away."""
    title = texts("admins.remove")
    what = "admins.remove.what" if member.user_object_id else "admins.remove.invitation"
    body = [header("🚪", title, name_of(member)), note("warning", "⚠️", texts(what))]
    data = {"member": member.id, "was": member.role}
    actions: list[Action] = [
        button(texts("button.take_away"), "admins.remove", data, style="destructive"),
        button(texts("button.cancel"), "admins.open", data),
    ]
    return card(texts, title, body, actions)


def name_of(member: Member) -> str:
    return capped(member.name or member.address or member.user_object_id or "", MAX_NAME)


def _told(texts: Texts, member: Member, now: datetime) -> str:
    """The role, and how they came by it."""
    parts = [texts(f"role.{member.role}")]
    if member.user_object_id is None:
        is_void = member.invited_at <= now - INVITATION_LIFETIME
        parts.append(texts("admins.invitation_void" if is_void else "admins.invited_only"))
    day = texts.date(member.invited_at.date())
    by = capped(member.invited_by_name or member.invited_by, MAX_NAME)
    parts.append(texts("admins.invited_by", who=by, day=day) if by else texts("admins.claimed", day=day))
    return " · ".join(parts)


def _seen(texts: Texts, stranger: Conversation, now: datetime) -> str:
    name = capped(stranger.name or stranger.user_object_id, MAX_NAME)
    return texts("admins.seen", name=name, ago=texts.relative(stranger.seen_at, now))


def _roles(texts: Texts, chosen: Role) -> ChoiceSetInput:
    return _chooser(
        "role", texts("field.role"), [(role.value, texts(f"role.{role}")) for role in GRANTABLE], chosen
    )


def _what_roles_may(texts: Texts) -> list[CardElement]:
    return [row(SYMBOLS[role], texts(f"role.{role}"), texts(f"role.{role}.may")) for role in GRANTABLE]


def _chooser(name: str, label: str, choices: Sequence[tuple[str, str]], value: str) -> ChoiceSetInput:
    return ChoiceSetInput(
        id=name,
        label=label,
        choices=[Choice(title=title, value=key) for key, title in choices],
        value=value,
        style="compact",
    )
