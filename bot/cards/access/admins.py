"""Members and roles: the list, a member's card, and the cards to give, change and remove a role."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from microsoft_teams.cards.core import Action, CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.access.history import where
from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_ID, MAX_NAME
from bot.cards.parts import button, capped, card, error_note, fact, header, note, plain, row, text
from bot.languages import Texts
from sync.domain.roles import GRANTABLE, Role, is_expired_invitation

PAGE = 10
SUGGESTED = 20
NO_PERSON = "nobody"
"""The choice of no person from the list."""


class Member(Protocol):
    """A member or an invitation, as it is shown; an invitation has no ``user_object_id`` yet."""

    @property
    def id(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def user_object_id(self) -> str | None: ...

    @property
    def address(self) -> str | None: ...

    @property
    def name(self) -> str: ...

    @property
    def invited_by(self) -> str: ...

    @property
    def invited_by_name(self) -> str: ...

    @property
    def invited_at(self) -> datetime: ...


class KnownPerson(Protocol):
    """A person without a role who has written to the bot."""

    @property
    def user_object_id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def seen_at(self) -> datetime: ...


SYMBOLS = {Role.OWNER: "👑", Role.ADMINISTRATOR: "🛠️", Role.VIEWER: "👁️"}


def listed(
    texts: Texts, by_setting: Sequence[str], members: Sequence[Member], page: int, now: datetime, done: str = ""
) -> Card:
    """Owners by the setting, by name, then a page of ``members``; ``done`` is the key of what was just done."""
    title = texts("admins.title")
    void = [one for one in members if not one.user_object_id and is_expired_invitation(one.invited_at, now)]
    total = len(by_setting) + len(members) - len(void)
    count = texts.plural("admins.count", total)
    count = f"{count} · {texts.plural('admins.count.void', len(void))}" if void else count
    body: list[CardElement] = [header("👥", title, count)]
    if done:
        body.append(note("good", "✅", texts(done)))
    if not page:
        role = f"{texts('role.owner')} · {texts('admins.by_setting')}"
        body.extend(row(SYMBOLS[Role.OWNER], capped(name), role) for name in by_setting[:PAGE])
        if by_setting[PAGE:]:
            body.append(plain(texts.plural("alerts.more", len(by_setting) - PAGE), subtle=True))
    shown = members[page * PAGE : (page + 1) * PAGE]
    body.extend(row(SYMBOLS[Role(one.role)], name_of(one), _origin(texts, one, now)) for one in shown)
    pages = max(1, -(-len(members) // PAGE))
    if pages > 1:
        body.append(plain(where(texts, page, pages), subtle=True))
    if shown:
        body.append(
            _chooser("member", texts("admins.pick"), [(one.id, name_of(one)) for one in shown], shown[0].id)
        )
    return card(texts, title, body, _list_actions(texts, bool(shown), page, pages), wide=True)


def _list_actions(texts: Texts, has_members: bool, page: int, pages: int) -> list[Action]:
    actions: list[Action] = [button(texts("admins.invite"), "admins.invite", style="positive")]
    if has_members:
        actions.append(button(texts("button.open"), "admins.open", inputs=True))
    if page:
        actions.append(button(texts("button.previous"), "admins.list", {"page": str(page - 1)}))
    if page + 1 < pages:
        actions.append(button(texts("button.more"), "admins.list", {"page": str(page + 1)}))
    return actions


def invite(
    texts: Texts,
    people: Sequence[KnownPerson],
    now: datetime,
    typed: Mapping[str, str] | None = None,
    form_error: FormError | None = None,
) -> Card:
    """Invite a person by name, or give a role to one of ``people``."""
    title = texts("admins.invite")
    typed = typed or {}
    address = TextInput(
        id="address",
        label=texts("field.address"),
        value=typed.get("address") or None,
        placeholder=texts("field.address.hint"),
        max_length=MAX_ID,
    )
    what = texts("admins.invite.what" if people else "admins.invite.what.nobody")
    body: list[CardElement] = [header("✉️", title), text(what, subtle=True), address]
    if form_error:
        body.append(error_note(form_error))
    if people:
        known = [(one.user_object_id, _seen(texts, one, now)) for one in people]
        choices = [(NO_PERSON, texts("admins.nobody")), *known]
        body.append(_chooser("person", texts("admins.or_pick"), choices, typed.get("person") or NO_PERSON))
    body += [_roles(texts, Role(typed.get("role") or Role.VIEWER)), *_what_roles_may(texts)]
    actions: list[Action] = [
        button(texts("button.invite"), "admins.add", style="positive", inputs=True),
        button(texts("button.cancel"), "admins.list"),
    ]
    return card(texts, title, body, actions)


def one(texts: Texts, member: Member, now: datetime, done: str = "", refusal: str = "") -> Card:
    """A member's role, its origin, and the actions; ``done`` is a key, ``refusal`` the end of one."""
    role = Role(member.role)
    body: list[CardElement] = [header(SYMBOLS[role], texts("admins.one"), name_of(member))]
    if done:
        body.append(note("good", "✅", texts(done)))
    if refusal:
        body.append(note("attention", "❌", texts(f"check.{refusal}"), texts(f"check.{refusal}.remedy")))
    if member.address and member.name:
        body.append(fact(texts("field.address"), capped(member.address)))
    body.append(fact(texts("admins.since"), _origin(texts, member, now)))
    body += [_roles(texts, role), *_what_roles_may(texts)]
    data = {"member": member.id, "was": member.role}
    actions: list[Action] = [
        button(texts("button.change_role"), "admins.change", data, style="positive", inputs=True),
        button(texts("button.take_away"), "admins.ask_remove", data, style="destructive"),
        button(texts("button.back"), "admins.list"),
    ]
    return card(texts, name_of(member), body, actions)


def demotion_asked(texts: Texts, member: Member, role: Role) -> Card:
    """Asks before a role is reduced."""
    title = texts("admins.demote")
    question = texts("admins.demote.what", was=texts(f"role.{member.role}"), role=texts(f"role.{role}"))
    body = [header(SYMBOLS[Role(member.role)], title, name_of(member)), note("warning", "⚠️", question)]
    data = {"member": member.id, "was": member.role, "role": role.value}
    actions: list[Action] = [
        button(texts("button.change_role"), "admins.demote", data, style="destructive"),
        button(texts("button.cancel"), "admins.open", data),
    ]
    return card(texts, title, body, actions)


def removal_asked(texts: Texts, member: Member) -> Card:
    """Asks before a role or an invitation is removed."""
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


def _origin(texts: Texts, member: Member, now: datetime) -> str:
    """The role, and who gave it when."""
    parts = [texts(f"role.{member.role}")]
    if member.user_object_id is None:
        is_expired = is_expired_invitation(member.invited_at, now)
        parts.append(texts("admins.invitation_void" if is_expired else "admins.invited_only"))
    day = texts.date(member.invited_at.date())
    by = capped(member.invited_by_name or member.invited_by, MAX_NAME)
    parts.append(texts("admins.invited_by", who=by, day=day) if by else texts("admins.claimed", day=day))
    return " · ".join(parts)


def _seen(texts: Texts, person: KnownPerson, now: datetime) -> str:
    name = capped(person.name or person.user_object_id, MAX_NAME)
    return texts("admins.seen", name=name, ago=texts.relative(person.seen_at, now))


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
