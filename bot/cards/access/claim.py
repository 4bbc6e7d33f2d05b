"""Claiming a tenant as its first owner: the code is asked for, refused or accepted. No card shows the code."""

from microsoft_teams.cards.core import CardElement, TextInput

from bot.activity import Card
from bot.cards.parts import button, card, header, note, text
from bot.languages import Texts

CODE = "code"
"""The input for the code."""

MAX_CODE = 40


def asked(texts: Texts, refusal: str = "") -> Card:
    """An input for the code; ``refusal`` is the end of the key of why the last code was refused."""
    title = texts("claim.title")
    body: list[CardElement] = [header("🔑", title), text(texts("claim.what"))]
    if refusal:
        body.append(note("attention", "❌", texts(f"check.{refusal}"), texts(f"check.{refusal}.remedy")))
    label = texts("claim.code")
    body.append(
        TextInput(
            id=CODE,
            label=label,
            style="Password",
            is_required=True,
            error_message=texts("check.required", field=label),
            max_length=MAX_CODE,
        )
    )
    return card(texts, title, body, [button(texts("button.claim"), "claim.now", style="positive", inputs=True)])


def refused(texts: Texts) -> Card:
    """The code is wrong, used, expired or of another organisation; the card does not say which."""
    return asked(texts, "claim_refused")


def too_often(texts: Texts) -> Card:
    title = texts("claim.title")
    return card(
        texts,
        title,
        [header("🔑", title), note("attention", "⏳", texts("claim.too_often"), texts("claim.too_often.remedy"))],
    )


def claimed(texts: Texts) -> Card:
    """The user is an owner now, and what to do next."""
    title = texts("claimed.title")
    body = [header("👑", title), text(texts("claimed.may")), text(texts("claimed.next"), subtle=True)]
    actions = [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.admins"), "command.admins"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, title, body, actions)


def owner_already(texts: Texts) -> Card:
    title = texts("claim.owner_already")
    actions = [button(texts("button.admins"), "command.admins"), button(texts("button.help"), "command.help")]
    return card(texts, title, [header("👑", title), text(texts("claim.not_used"), subtle=True)], actions)
