"""Welcome, language, and the cards for refusals and failures."""

from collections.abc import Sequence
from dataclasses import dataclass

from microsoft_teams.cards.core import CardElement, ExecuteAction

from bot.activity import Card
from bot.cards.field_errors import Link
from bot.cards.parts import button, capped, card, header, note, open_link, plain, row, text
from bot.languages import Language, Texts
from sync.domain.roles import Role

LANGUAGES = {Language.ENGLISH: "English", Language.PORTUGUESE: "Português"}
"""Each language's name in itself."""


@dataclass(frozen=True, slots=True)
class Existing:
    """An integration as the welcome shows it: ``shown`` of ``people`` can be shown; nobody while ``closed``.

    With ``is_scoped`` the scope leaves out others.
    """

    name: str
    enabled: bool
    has_problem: bool
    shown: int
    people: int
    is_scoped: bool = False
    closed: bool = False


def welcome(texts: Texts, existing: Sequence[Existing] = (), more: int = 0) -> Card:
    """What the bot does; then the integrations there are, and ``more``, or what the first one needs.

    The last line and button offer the other language, each in its own words.
    """
    body: list[CardElement] = [
        header("📞", texts("welcome.title"), texts("welcome.subtitle")),
        text(texts("welcome.does")),
        *(_integrations(texts, existing, more) if existing else _needs(texts)),
        text(texts("welcome.other_language"), subtle=True, spacing="Medium"),
    ]
    other = Language.ENGLISH if texts.language is Language.PORTUGUESE else Language.PORTUGUESE
    change = button(LANGUAGES[other], "language.set", {"language": other, "show": "welcome"})
    actions = _existing_actions(texts) if existing else _next_actions(texts)
    return card(texts, texts("welcome.title"), body, [*actions, change])


def _needs(texts: Texts) -> list[CardElement]:
    return [
        text(texts("welcome.needs"), weight="Bolder"),
        row("☎️", texts("welcome.needs.cloudlink"), texts("welcome.needs.cloudlink.more")),
        row("🔑", texts("welcome.needs.azure"), texts("welcome.needs.azure.more")),
        row("⏱️", texts("welcome.needs.time")),
    ]


def _integrations(texts: Texts, existing: Sequence[Existing], more: int) -> list[CardElement]:
    rows = [row(*_state(texts, one)) for one in existing]
    rest = [plain(texts.plural("preview.more", more), subtle=True)] if more else []
    return [text(texts("welcome.exists"), weight="Bolder"), *rows, *rest]


def _state(texts: Texts, one: Existing) -> tuple[str, str, str]:
    """The symbol, the name, and what is known of an integration."""
    if not one.enabled:
        return "⏸️", capped(one.name), texts("welcome.not_enabled")
    if one.has_problem:
        return "⚠️", capped(one.name), texts("welcome.has_problem")
    if one.closed:
        return "🌙", capped(one.name), texts("hours.closed")
    shown, people = texts.number(one.shown), texts.number(one.people)
    key = "welcome.running.scope" if one.is_scoped else "welcome.running"
    return "✅", capped(one.name), texts(key, shown=shown, people=people)


def refused(texts: Texts, administrators: Sequence[str]) -> Card:
    """For users without a role: what the bot is, and whom to ask."""
    body = [header("🔒", texts("refused.title")), text(texts("welcome.does")), text(texts("refused.why"))]
    if administrators:
        body.append(text(texts("refused.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in administrators)
    else:
        body.append(text(texts("refused.nobody_named")))
    return card(texts, texts("refused.title"), body, [button(texts("button.my_presence"), "command.me")])


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
        body.append(text(texts("not_for_role.ask"), weight="Bolder"))
        body.extend(row("👤", capped(name)) for name in owners)
    else:
        body.append(text(texts("refused.nobody_named")))
    return card(texts, title, body, [button(texts("button.help"), "command.help")])


def meet_in_personal(texts: Texts, link: Link | None) -> Card:
    """For groups and channels: one line, and nothing about the integration."""
    return card(
        texts, texts("personal.title"), [plain(texts("personal.please"))], [open_link(link)] if link else []
    )


def not_for_channel(texts: Texts) -> Card:
    """For people in groups and channels who may not decide whether alerts come there."""
    title = texts("channel.forbidden")
    return card(texts, title, [header("🔒", title), text(texts("channel.forbidden.remedy"))])


def stale(texts: Texts) -> Card:
    """For a button that is out of date."""
    body = [header("🕰️", texts("stale.title")), text(texts("stale.why"))]
    actions = [
        button(texts("button.integrations"), "command.integrations"),
        button(texts("button.help"), "command.help"),
    ]
    return card(texts, texts("stale.title"), body, actions)


def apology(texts: Texts, reference: str, fault: str = "what") -> Card:
    """For an unexpected error, of the ``disk`` or the ``database``; ``reference`` identifies it in the log."""
    body = [
        header("😔", texts("apology.title")),
        note("attention", "❌", texts(f"apology.{fault}")),
        plain(texts("apology.reference", reference=reference)),
    ]
    return card(texts, texts("apology.title"), body, [button(texts("button.help"), "command.help")])


def languages(texts: Texts, changed: bool) -> Card:
    """The languages to choose from, each named in itself."""
    body = [
        header("🌐", texts("language.title")),
        text(texts("language.changed" if changed else "language.choose")),
    ]
    actions = [button(name, "language.set", {"language": code}) for code, name in LANGUAGES.items()]
    return card(texts, texts("language.title"), body, actions)


def _existing_actions(texts: Texts) -> list[ExecuteAction]:
    """What cannot be done here is left out when the card is shown."""
    return [
        button(texts("button.status"), "command.status", style="positive"),
        button(texts("button.people"), "command.people"),
        button(texts("button.setup_another"), "command.setup"),
        button(texts("button.help"), "command.help"),
    ]


def _next_actions(texts: Texts) -> list[ExecuteAction]:
    return [
        button(texts("button.setup"), "command.setup", style="positive"),
        button(texts("button.help"), "command.help"),
    ]
