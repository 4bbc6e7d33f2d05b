"""The cards about roles in every distinct state."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.activity import Card
from bot.cards import welcome
from bot.cards.access import admins, claim
from bot.cards.field_errors import FormError
from bot.languages import Texts
from storage.tables.conversations import Conversation
from storage.tables.roles import Member
from sync.domain.roles import Role

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "Ş" * 400


def samples(texts: Texts) -> Iterator[tuple[str, Card]]:
    yield "not_for_role", welcome.not_for_role(texts, Role.VIEWER, Role.ADMINISTRATOR, ["Ana Martins"])
    yield "not_for_role_worst", welcome.not_for_role(texts, Role.ADMINISTRATOR, Role.OWNER, [LONG] * 5)
    yield "not_for_role_nobody", welcome.not_for_role(texts, Role.VIEWER, Role.OWNER, [])
    yield "claim", claim.asked(texts)
    yield "claim_refused", claim.refused(texts)
    yield "claim_too_often", claim.too_often(texts)
    yield "claimed", claim.claimed(texts)
    yield "owner_already", claim.owner_already(texts)
    yield from _people(texts)
    yield from _inviting(texts)


def _people(texts: Texts) -> Iterator[tuple[str, Card]]:
    owner = member(Role.OWNER, invited_by="", invited_by_name="")
    invited = member(Role.VIEWER, user_object_id=None, address="rui.costa@valeverde.example", name="")
    void = member(Role.ADMINISTRATOR, user_object_id=None, name="Tomás Reis", invited_at=NOW - timedelta(days=31))
    worst = [member(Role.VIEWER, name=LONG, invited_by_name=LONG, id=f"{n:032}") for n in range(admins.PAGE * 3)]
    yield "admins", admins.listed(texts, ["Ana Martins"], [owner, invited, void], 0, NOW)
    yield "admins_setting_only", admins.listed(texts, ["Ana Martins"], [], 0, NOW)
    yield "admins_worst", admins.listed(texts, [LONG] * 40, worst, 1, NOW, "admins.removed")
    yield "admins_one", admins.one(texts, member(Role.OWNER), NOW, done="admins.changed")
    yield "admins_last_owner", admins.one(texts, owner, NOW, refusal="last_owner")
    yield "admins_meanwhile", admins.one(texts, invited, NOW, refusal="meanwhile")
    yield "admins_one_worst", admins.one(texts, member(Role.VIEWER, name=LONG, address=LONG), NOW)
    yield "admins_demote", admins.demotion_asked(texts, owner, Role.VIEWER)
    yield "admins_remove", admins.removal_asked(texts, owner)
    yield "admins_remove_invitation", admins.removal_asked(texts, invited)


def _inviting(texts: Texts) -> Iterator[tuple[str, Card]]:
    few, most = [stranger("Rui Costa")], [stranger(LONG) for _ in range(admins.SUGGESTED)]
    wrong = FormError(texts("check.address"), texts("check.address.remedy"), field="address")
    typed = {"address": "rui", "person": admins.NO_PERSON, "role": Role.OWNER}
    yield "invite", admins.invite(texts, few, NOW)
    yield "invite_nobody_known", admins.invite(texts, [], NOW)
    yield "invite_wrong", admins.invite(texts, most, NOW, typed, wrong)


def member(role: Role, **changed: Any) -> Member:
    given = {
        "id": "0123456789abcdef0123456789abcdef",
        "owner_tenant": "t",
        "user_object_id": "1b2c3d4e-0000-4000-8000-1234567890ab",
        "name": "Inês Rocha",
        "role": role,
        "invited_by": "ana",
        "invited_by_name": "Ana Martins",
        "invited_at": NOW - timedelta(days=3),
    }
    return Member(**{**given, **changed})


def stranger(name: str) -> Conversation:
    return Conversation(
        tenant_id="t",
        user_object_id="1b2c3d4e-0000-4000-8000-1234567890ab",
        service_url="https://smba.example/",
        conversation_id="a:1",
        user_id="29:1",
        bot_id="28:bot",
        channel_id="msteams",
        name=name,
        seen_at=NOW - timedelta(hours=3),
    )
