"""The cards of meeting somebody: the welcome, the help, and what is said when nothing else fits."""

from collections.abc import Sequence

from microsoft_teams.cards.core import ExecuteAction

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, note, open_link, plain, row, text
from bot.languages import Texts
from sync.domain.roles import Role


def welcome(texts: Texts) -> Card:
    """What the bot does, what it needs, and the two ways on."""
    body = [
        header("📞", texts("welcome.title"), texts("welcome.subtitle")),
        text(texts("welcome.does")),
        text(texts("welcome.needs"), weight="Bolder"),
        row("☎️", texts("welcome.needs.cloudlink"), texts("welcome.needs.cloudlink.more")),
        row("🔑", texts("welcome.needs.azure"), texts("welcome.needs.azure.more")),
        row("⏱️", texts("welcome.needs.time")),
    ]
    return card(texts, texts("welcome.title"), body, _ways_on(texts))


def help_card(texts: Texts, commands: Sequence[tuple[str, str]]) -> Card:
    """Every command (title, description), as it is typed in this language."""
    body = [
        header("💡", texts("help.title"), texts("help.subtitle")),
        *(row("▸", title, description) for title, description in commands),
    ]
    return card(texts, texts("help.title"), body, _ways_on(texts)[:1])


def unknown(texts: Texts, nearest: Sequence[tuple[str, str]]) -> Card:
    """For words nobody understood: the nearest commands (key, title) as buttons, and the help."""
    body = [
        header("🤔", texts("unknown.title")),
        text(texts("unknown.nearest" if nearest else "unknown.nothing_near")),
    ]
    actions = [button(title, f"command.{key}") for key, title in nearest]
    return card(texts, texts("unknown.title"), body, [*actions, button(texts("button.help"), "command.help")])


def refused(texts: Texts, administrators: Sequence[str]) -> Card:
    """For those who may not: what this is, and whom to ask."""
    body = [header("🔒", texts("refused.title")), text(texts("welcome.does")), text(texts("refused.why"))]
    if administrators:
        body.append(text(texts("refused.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in administrators)
    else:
        body.append(text(texts("refused.nobody_named")))
    return card(texts, texts("refused.title"), body)


def not_recognised(texts: Texts, again: str) -> Card:
    """For whoever the channel did not tell the name of; ``again`` is the verb of what they typed, if any.

    A card they pressed stays as it is, to be pressed again.
    """
    title = texts("not_recognised.title")
    body = [
        header("🪪", title),
        note("attention", "❌", texts("not_recognised.why"), texts("not_recognised.remedy")),
    ]
    retry = [button(texts("button.try_again"), again, style="positive")] if again else []
    return card(texts, title, body, [*retry, button(texts("button.help"), "command.help")])


def not_for_role(texts: Texts, role: Role, needed: Role, owners: Sequence[str]) -> Card:
    """For those who may do something, but not this: what it takes, and whom to ask."""
    title = texts("not_for_role.title")
    told = texts("not_for_role.why", role=texts(f"role.{role}"), needed=texts(f"role.{needed}"))
    body = [header("🔒", title), text(told)]
    if owners:
        body.append(text(texts("refused.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in owners)
    return card(texts, title, body, [button(texts("button.help"), "command.help")])


def meet_in_personal(texts: Texts, link: Link | None) -> Card:
    """For groups and channels: one short line, and nothing of the integration."""
    return card(
        texts, texts("personal.title"), [plain(texts("personal.please"))], [open_link(link)] if link else []
    )


def stale(texts: Texts) -> Card:
    """For a button that leads nowhere any more."""
    body = [header("🕰️", texts("stale.title")), text(texts("stale.why"))]
    actions = [
        button(texts("button.integrations"), "command.integrations"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, texts("stale.title"), body, actions)


def apology(texts: Texts, reference: str) -> Card:
    """For what should not have happened; ``reference`` finds it in the log."""
    body = [
        header("😔", texts("apology.title")),
        note("attention", "❌", texts("apology.what")),
        plain(texts("apology.reference", reference=reference)),
    ]
    return card(texts, texts("apology.title"), body, [button(texts("button.help"), "command.help")])


def languages(texts: Texts, changed: bool) -> Card:
    """The languages to choose from, each in its own words."""
    body = [
        header("🌐", texts("language.title")),
        text(texts("language.changed" if changed else "language.choose")),
    ]
    actions = [
        button("English", "language.set", {"language": "en"}),
        button("Português", "language.set", {"language": "pt"}),
    ]
    return card(texts, texts("language.title"), body, actions)


def _ways_on(texts: Texts) -> list[ExecuteAction]:
    return [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.help"), "command.help"),
    ]
