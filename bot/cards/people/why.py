"""Why Teams shows what it shows: the reason first, then the rungs from the phone to Teams, each with its light."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from microsoft_teams.cards.core import Action, CardElement, RichTextBlock, TextRun

from bot.activity import Card
from bot.cards.health.proof import state_of
from bot.cards.parts import Style, button, capped, card, header, note, plain, row, text
from bot.cards.people.opt_out import opposite
from bot.cards.people.person import detail_words
from bot.cards.people.scope import rule_words
from bot.cards.people.words import whose
from bot.languages import Texts
from sync.domain.people import Explanation, Light, PersonCard, PersonLine, Reason, Rung

LIGHTS = {Light.GOOD: "🟢", Light.WAITING: "🟡", Light.WRONG: "🔴", Light.OFF: "➖"}
GOOD = frozenset({Reason.SHOWN, Reason.NOTHING})
WAITING = frozenset(
    {
        *(Reason.CLOSED, Reason.PENDING, Reason.SETTLING, Reason.QUOTA, Reason.SERVICE_DOWN, Reason.BUSY),
        *(Reason.STRONGER, Reason.UNREAD, Reason.OLD_NEWS, Reason.MAPPED),
    }
)
MATCHABLE = frozenset({"no_address", "not_found", "ambiguous", "disabled", "taken", "chosen_gone"})
"""Why someone is left out, where choosing another account by hand helps: the values of ``Unmatched``."""

LACKS_LICENCE = ("403", "404")
"""With what Graph refuses a person who may lack a licence."""

MAX_FACT = 60
JUST_NOW = timedelta(seconds=10)

RESEND = ("button.resend", "person.resend")
TEST = ("button.test", "test.run")
REFRESH = ("button.refresh", "why.show")
FIXES: Mapping[Reason, tuple[str, str]] = {
    Reason.NOTHING: REFRESH,
    Reason.NOT_OURS: REFRESH,
    Reason.PAUSED: ("button.enable", "enable.preview"),
    Reason.NOT_READ: TEST,
    Reason.LEFT_OUT: ("button.match", "person.match"),
    Reason.EXCLUDED: ("button.include", "person.include"),
    Reason.OUTSIDE: ("button.scope", "scope.show"),
    Reason.OPTED_OUT: ("button.scope", "scope.show"),
    Reason.CLOSED: ("button.schedule", "schedule.show"),
    Reason.CREDENTIALS: ("button.status", "status.show"),
    Reason.REFUSED: RESEND,
    Reason.NOT_HEARD: RESEND,
    Reason.STALE: RESEND,
    Reason.PHONES_DOWN: TEST,
    Reason.SERVICE_DOWN: TEST,
    Reason.BUSY: REFRESH,
    Reason.QUOTA: REFRESH,
    Reason.PENDING: REFRESH,
    Reason.CHOSEN: REFRESH,
    Reason.STRONGER: REFRESH,
    Reason.OVERRULED: RESEND,
    Reason.LOST: RESEND,
    Reason.UNREAD: REFRESH,
    Reason.CLEARED: RESEND,
    Reason.SHARED_EXTENSION: REFRESH,
    Reason.SETTLING: REFRESH,
    Reason.OLD_NEWS: TEST,
    Reason.MAPPED: ("button.profiles", "mapping.show"),
}
"""The button that deals with a reason: its label and verb."""


def why_card(texts: Texts, found: Explanation, now: datetime, zone: str) -> Card:
    title = texts("why.title")
    body: list[CardElement] = [header("🔎", title, whose(found.person)), _verdict(texts, found, now, zone)]
    body += [_rung(texts, rung, now, zone) for rung in found.rungs]
    return card(texts, title, body, _actions(texts, found), wide=True)


def own_card(texts: Texts, found: list[Explanation], now: datetime, zone: str) -> Card:
    """For a person about themselves: they may look again, and decide whether they are shown."""
    title = texts("why.title.me")
    body: list[CardElement] = [header("🔎", title)]
    for each in found:
        if len(found) > 1:
            body.append(plain(capped(each.person.integration, 60), weight="Bolder", spacing="Medium"))
        body.append(_verdict(texts, each, now, zone, own=True))
        body += [_rung(texts, rung, now, zone, own=True) for rung in each.rungs]
    if not found:
        body.append(note("default", "☎️", texts("why.me.none"), texts("why.me.none.remedy")))
    refresh = button(texts("button.refresh"), "me.show")
    choice = [opposite(texts, [each.person for each in found], is_asked=False)] if found else []
    is_hidden = any(each.person.opted_out for each in found)
    actions: list[Action] = [*choice, refresh] if is_hidden else [refresh, *choice]
    return card(texts, title, body, actions, wide=True)


def copied(texts: Texts, lines: list[str], line: PersonLine) -> Card:
    """Ids and times in a form to copy."""
    title = texts("why.copy.title")
    body: list[CardElement] = [header("📋", title), text(texts("why.copy.how"))]
    body += [_monospace(each) for each in lines]
    data = {"integration": line.integration_id, "person": line.id}
    return card(texts, title, body, [button(texts("button.back"), "why.show", data)], wide=True)


def support_lines(person: PersonCard, found: Explanation) -> list[str]:
    """What support asks for, in English: ids and times, no names."""
    lines = [
        f"time: {found.at.isoformat(timespec='seconds') if found.at else ''}",
        f"integration: {person.line.integration_id}",
        f"person: {person.line.id}",
        f"CloudLink user: {person.cloudlink_user_id}",
        f"Entra user: {person.teams_user_id or '-'}",
        f"reason: {found.reason}",
        f"phone: {person.line.line} wanted: {person.line.desired or '-'} applied: {person.line.shown or '-'}",
        f"correlation: {person.because or '-'}",
    ]
    for sent in person.sent:
        about = f"{sent.presence or 'clear'} {sent.result} {sent.detail}".rstrip()
        ids = f"client-request-id: {sent.cause or '-'} request-id: {sent.request_id or '-'}"
        lines.append(f"{sent.at.isoformat(timespec='seconds')} {about} {ids}")
    return [capped(line, 300) for line in lines]


def _verdict(texts: Texts, found: Explanation, now: datetime, zone: str, *, own: bool = False) -> CardElement:
    """The reason; for a person's ``own`` eyes in words to them, with what they can do themselves."""
    style: Style = "good" if found.reason in GOOD else "accent" if found.reason in WAITING else "warning"
    symbol = "✅" if found.reason in GOOD else "⏳" if found.reason in WAITING else "⚠️"
    key = _key(texts, f"reason.{found.reason}", own=own)
    sentence = texts(key, **_in_words(texts, found.facts, now, zone))
    remedy = f"why.me.reason.{found.reason}.{_remedy(found)}"
    remedies = [texts(remedy) if remedy in texts.keys else ""] if own else _remedies(texts, found)
    return note(style, symbol, sentence, *remedies)


def _key(texts: Texts, name: str, *, own: bool) -> str:
    """For a person's ``own`` eyes the words to them, where there are such."""
    mine = f"why.me.{name}"
    return mine if own and mine in texts.keys else f"why.{name}"


def _remedies(texts: Texts, found: Explanation) -> list[str]:
    """What to do; for someone left out what the preview says, and to match them by hand where that helps."""
    said = [texts(f"why.reason.{found.reason}.{_remedy(found)}")]
    if found.reason is not Reason.LEFT_OUT:
        return said
    return [texts(f"preview.remedy.{found.facts['reason']}"), *(said if _is_matchable(found) else [])]


def _remedy(found: Explanation) -> str:
    """A licence helps only with some refusals; with others there is another remedy."""
    is_other = found.reason is Reason.REFUSED and not found.facts["code"].startswith(LACKS_LICENCE)
    return "remedy.other" if is_other else "remedy"


def _is_matchable(found: Explanation) -> bool:
    return found.facts.get("reason") in MATCHABLE


def _rung(texts: Texts, rung: Rung, now: datetime, zone: str, *, own: bool = False) -> CardElement:
    sentence = texts(_key(texts, f"{rung.step}.{rung.key}", own=own), **_in_words(texts, rung.facts, now, zone))
    when = texts.when(rung.at, now, zone) if rung.at else ""
    if rung.at and now - rung.at < JUST_NOW:
        when = texts("why.just_now")
    step = texts(f"why.step.{rung.step}")
    return row(LIGHTS[rung.light], f"{step}: {sentence}", when, spacing="Default")


def _in_words(texts: Texts, facts: Mapping[str, str], now: datetime, zone: str) -> dict[str, str]:
    said = {name: _in_word(texts, name, value) for name, value in facts.items()}
    if other := said.pop("counts_as", ""):
        said["line"] = texts("line.counts_as", line=said["line"], other=other)
    if facts.get("until"):
        said["until"] = texts.until(datetime.fromisoformat(facts["until"]), now, zone)
    return said


def _in_word(texts: Texts, name: str, value: str) -> str:
    match name:
        case "line" | "counts_as":
            return texts(f"line.{value}")
        case "presence" | "shown":
            return state_of(texts, value)
        case "reason":
            return texts(f"unmatched.{value}")
        case "rule":
            kind, _, said = value.partition(":")
            if kind != "except":
                return rule_words(texts, kind, said)
            return texts("why.exception", rule=rule_words(texts, *said.split(":", 1)))
        case "detail" | "code":
            return detail_words(texts, value)
    return capped(value, MAX_FACT) or "–"


def _actions(texts: Texts, found: Explanation) -> list[Action]:
    line = found.person
    data = {"integration": line.integration_id, "person": line.id}
    is_unmatchable = found.reason is Reason.LEFT_OUT and not _is_matchable(found)
    fix = REFRESH if is_unmatchable else FIXES.get(found.reason)
    actions: list[Action] = []
    if fix:
        label, verb = fix
        actions.append(button(texts(label), verb, {**data, "choices": str(line.choices)}, style="positive"))
    is_first = not fix and found.reason not in GOOD
    actions.append(button(texts("button.person"), "people.open", data, style="positive" if is_first else None))
    return [*actions, button(texts("button.copy"), "why.copy", data)]


def _monospace(words: str) -> RichTextBlock:
    return RichTextBlock(inlines=[TextRun(text=words, size="Small", font_type="Monospace")], spacing="Small")
