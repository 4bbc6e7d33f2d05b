"""Welcome, language, and the cards for refusals and failures."""

from collections.abc import Sequence

from microsoft_teams.cards.core import ExecuteAction

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, note, open_link, plain, row, text
from bot.languages import Texts
from sync.domain.roles import Role


def welcome(texts: Texts) -> Card:
    """What the bot does, what it needs, and buttons for setup and help."""
    body = [
        header("📞", texts("welcome.title"), texts("welcome.subtitle")),
        text(texts("welcome.does")),
        text(texts("welcome.needs"), weight="Bolder"),
        row("☎️", texts("welcome.needs.cloudlink"), texts("welcome.needs.cloudlink.more")),
        row("🔑", texts("welcome.needs.azure"), texts("welcome.needs.azure.more")),
        row("⏱️", texts("welcome.needs.time")),
    ]
    return card(texts, texts("welcome.title"), body, _next_actions(texts))


def refused(texts: Texts, administrators: Sequence[str]) -> Card:
    """For users without a role: what the bot is, and whom to ask."""
    body = [header("🔒", texts("refused.title")), text(texts("welcome.does")), text(texts("refused.why"))]
    if administrators:
        body.append(text(texts("refused.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in administrators)
    else:
        body.append(text(texts("refused.nobody_named")))
    return card(texts, texts("refused.title"), body)


def not_recognised(texts: Texts, again: str) -> Card:
    """For a user whose name the channel did not provide; ``again`` is the verb of the typed command, if any.

    A pressed card stays unchanged, so its button can be pressed again.
    """
    title = texts("not_recognised.title")
    body = [
        header("🪪", title),
        note("attention", "❌", texts("not_recognised.why"), texts("not_recognised.remedy")),
    ]
    retry = [button(texts("button.try_again"), again, style="positive")] if again else []
    return card(texts, title, body, [*retry, button(texts("button.help"), "command.help")])


def limited(texts: Texts) -> Card:
    """For people who write too often, or while too many of their organisation do; the only answer for some time."""
    title = texts("limited.title")
    return card(texts, title, [header("⏳", title), text(texts("limited.why"))])


def not_for_role(texts: Texts, role: Role, needed: Role, owners: Sequence[str]) -> Card:
    """For users whose role does not allow the command: the required role, and whom to ask."""
    title = texts("not_for_role.title")
    reason = texts("not_for_role.why", role=texts(f"role.{role}"), needed=texts(f"role.{needed}"))
    body = [header("🔒", title), text(reason)]
    if owners:
        body.append(text(texts("refused.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in owners)
    return card(texts, title, body, [button(texts("button.help"), "command.help")])


def meet_in_personal(texts: Texts, link: Link | None) -> Card:
    """For groups and channels: one line, and nothing about the integration."""
    return card(
        texts, texts("personal.title"), [plain(texts("personal.please"))], [open_link(link)] if link else []
    )


def stale(texts: Texts) -> Card:
    """For a button that is out of date."""
    body = [header("🕰️", texts("stale.title")), text(texts("stale.why"))]
    actions = [
        button(texts("button.integrations"), "command.integrations"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, texts("stale.title"), body, actions)


def apology(texts: Texts, reference: str, *, on_disk: bool = False) -> Card:
    """For an unexpected error; ``reference`` identifies it in the log."""
    body = [
        header("😔", texts("apology.title")),
        note("attention", "❌", texts("apology.disk" if on_disk else "apology.what")),
        plain(texts("apology.reference", reference=reference)),
    ]
    return card(texts, texts("apology.title"), body, [button(texts("button.help"), "command.help")])


def languages(texts: Texts, changed: bool) -> Card:
    """The languages to choose from, each named in itself."""
    body = [
        header("🌐", texts("language.title")),
        text(texts("language.changed" if changed else "language.choose")),
    ]
    actions = [
        button("English", "language.set", {"language": "en"}),
        button("Português", "language.set", {"language": "pt"}),
    ]
    return card(texts, texts("language.title"), body, actions)


def _next_actions(texts: Texts) -> list[ExecuteAction]:
    return [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.help"), "command.help"),
    ]
