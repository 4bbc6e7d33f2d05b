"""One person: phones, what Teams shows, how they were matched, what was sent last, and what can be done."""

import re
from datetime import datetime

from microsoft_teams.cards.core import Action, CardElement, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import MAX_ID
from bot.cards.health.proof import state_of
from bot.cards.parts import button, capped, card, error_note, header, note, pressable, row, text
from bot.cards.people.words import device, from_us, hidden_word, sentence, state, who, whose
from bot.languages import Texts
from sync.domain.people import MatchRefused, PersonCard, PersonLine, SentChange
from sync.domain.presence import Presence

RESULTS = {"done": "✅", "throttled": "⏳"}
MAX_DEVICES = 6
REFUSAL = re.compile(r"[45]\d\d( |$)")
"""The HTTP status of a refused request, with the name of the error."""


def person_card(
    texts: Texts, person: PersonCard, now: datetime, zone: str, done: str = "", meanwhile: str | None = None
) -> Card:
    """``done`` is the key of what was just done; ``meanwhile`` names who changed the person first, if so."""
    line = person.line
    title = who(line)
    parts = (line.extension or "", capped(line.address), capped(line.integration, 40))
    about = " · ".join(part for part in parts if part)
    body: list[CardElement] = [header("👤", title, about)]
    if done:
        body.append(_done(texts, person, done))
    if meanwhile is not None:
        body.append(note("warning", "☝️", texts("person.meanwhile", who=capped(meanwhile) or "–")))
    body += [
        *_not_shown(texts, person, done, now, zone),
        *_devices(texts, person, now, zone),
        *_teams(texts, person, now, zone),
        *_changes(texts, person.sent, now, zone),
    ]
    if _shows_now(person):
        body.append(text(_with_next(texts, person, "person.clear.what", "clear"), subtle=True))
    return card(texts, title, body, _actions(texts, person), wide=True)


def _can_show(person: PersonCard) -> bool:
    """Whether calls are shown within the hours."""
    return person.is_enabled and person.line.is_matched and not hidden_word(person.line)


def _shows_now(person: PersonCard) -> bool:
    return _can_show(person) and not person.closed_until


def _done(texts: Texts, person: PersonCard, done: str) -> CardElement:
    if done == "resend" and not _can_show(person):
        return note("warning", "ℹ️", texts("person.nothing_sent"))
    later = ".closed" if done in ("include", "resend") and person.closed_until else ""
    return note("good", "✅", _with_next(texts, person, f"person.done.{done}{later}", done))


def _with_next(texts: Texts, person: PersonCard, key: str, act: str) -> str:
    """The sentence, and what happens next to someone whose calls are shown now."""
    follows = f"person.next.{act}"
    return f"{texts(key)} {texts(follows)}" if _shows_now(person) and follows in texts.keys else texts(key)


def _not_shown(texts: Texts, person: PersonCard, done: str, now: datetime, zone: str) -> list[CardElement]:
    """Why calls are not shown, and what to do."""
    line, hidden = person.line, hidden_word(person.line)
    notes: list[CardElement] = []
    if not person.is_enabled:
        notes.append(note("default", "⏸️", texts("disabled.already")))
    elif person.closed_until:
        until = texts.until(person.closed_until, now, zone)
        notes.append(note("default", "🌙", texts("why.reason.closed", until=until)))
    if done != "exclude" and (hidden or line.left_out or not line.is_matched):
        remedy = f"why.reason.{hidden or 'not_read'}.remedy"
        if line.left_out and not hidden:
            remedy = f"preview.remedy.{line.left_out}"
        symbol = "🚫" if hidden else "⚠️"
        notes.append(note("warning", symbol, sentence(state(texts, line)), texts(remedy)))
    return notes


def _devices(texts: Texts, person: PersonCard, now: datetime, zone: str) -> list[CardElement]:
    unheard = "cleared" if person.is_cleared else "unknown"
    known = [one for one in person.devices if one.own or one.heard_at]
    shown = [row("☎️", *device(texts, one, now, zone, unheard)) for one in known[:MAX_DEVICES]]
    return [_heading(texts("person.devices")), *(shown or [row("☎️", texts("person.no_phone"))])]


def _teams(texts: Texts, person: PersonCard, now: datetime, zone: str) -> list[CardElement]:
    line = person.line
    rows: list[CardElement] = [_heading(texts("person.teams"))]
    rows.append(
        row(
            "📥",
            texts(
                "person.wanted", presence=from_us(texts, line.desired) if line.desired else texts("person.nothing")
            ),
        )
    )
    at = ""
    if person.applied_at and person.applied_until:
        until = texts.until(person.applied_until, now, zone)
        at = texts("person.applied.at", ago=texts.when(person.applied_at, now, zone), until=until)
    rows.append(
        row(
            "📤",
            texts("person.applied", presence=from_us(texts, line.shown) if line.shown else texts("person.nothing")),
            at,
        )
    )
    if person.read:
        shown = person.read.activity or person.read.availability
        rows.append(row("👁️", texts("person.read", presence=state_of(texts, shown))))
    elif line.is_matched:
        rows.append(row("👁️", texts("person.unread")))
    if line.by_hand:
        rows.append(row("🔗", texts("person.matched.hand")))
    elif line.is_matched:
        rows.append(row("🔗", texts("person.matched.address", address=capped(line.address))))
    if person.further:
        applying = next((each.name for each in person.further if each.id == line.mapping), texts("further.own"))
        shows = pressable("mapping.person", {"integration": line.integration_id, "person": line.id})
        rows.append(row("🔀", texts("person.mapping", mapping=capped(applying, 60)), select=shows))
    if line.changed_at:
        ago = texts.when(line.changed_at, now, zone)
        rows.append(row("✏️", texts("person.changed", who=capped(line.changed_by, 40) or "–", ago=ago)))
    return rows


def _changes(texts: Texts, sent: tuple[SentChange, ...], now: datetime, zone: str) -> list[CardElement]:
    rows = [_change(texts, each, now, zone) for each in sent]
    return [_heading(texts("person.changes")), *(rows or [text(texts("person.changes.none"), subtle=True)])]


def _change(texts: Texts, sent: SentChange, now: datetime, zone: str) -> CardElement:
    return row(RESULTS.get(sent.result, "❌"), sent_words(texts, sent), texts.when(sent.at, now, zone))


def sent_words(texts: Texts, sent: SentChange) -> str:
    """What was sent and its answer, in a sentence."""
    what = "set" if sent.presence else "clear"
    activity = Presence(sent.presence).activity if sent.presence else ""
    return texts(
        f"why.sent.{what}.{sent.result}",
        presence=state_of(texts, activity),
        detail=detail_words(texts, sent.detail),
    )


def detail_words(texts: Texts, detail: str) -> str:
    """A fault, as ``detail_of`` writes it, or a refusal such as "403 Forbidden", in words; else as it is."""
    fault, status, error = [*detail.split(" ", 2), "", ""][:3]
    if f"fault.{fault}" in texts.keys:
        return texts.lenient(f"fault.{fault}", {"status": status, "error": error})
    code = detail[:3]
    if not REFUSAL.match(detail):
        return capped(detail, 60)
    known = f"refusal.{code}"
    return texts(known) if known in texts.keys else texts("refusal.other", code=code)


def _actions(texts: Texts, person: PersonCard) -> list[Action]:
    line = person.line
    data = {"integration": line.integration_id, "person": line.id}
    setting = {**data, "choices": str(line.choices)}
    turn = "include" if line.excluded else "exclude"
    return [
        button(texts("button.why"), "why.show", data, style="positive"),
        button(texts(f"button.{turn}"), f"person.{turn}", setting),
        *(button(texts(f"button.{label}"), verb, data) for label, verb in _helping(person)),
        *([button(texts("button.clear"), "person.clear", data)] if _shows_now(person) else []),
        button(texts("button.match"), "person.match", setting),
        button(texts("button.people"), "people.show", {"integration": line.integration_id}),
    ]


def _helping(person: PersonCard) -> list[tuple[str, str]]:
    """What has Teams show their calls, where *Include* and *Match by hand* do not."""
    line = person.line
    if not person.is_enabled:
        return [("enable", "enable.preview")]
    if line.excluded or (line.left_out and not line.is_matched):
        return []
    if hidden_word(line):
        return [("scope", "scope.show")]
    if person.closed_until:
        return [("schedule", "schedule.show")]
    return [("resend", "person.resend") if line.is_matched else ("test", "test.run")]


def match_form(texts: Texts, line: PersonLine, typed: str = "", refused: MatchRefused | None = None) -> Card:
    """The sign-in name of the account that is to be this person's, and what was wrong with the last one."""
    title = texts("person.match.title")
    name = TextInput(
        id="principal_name",
        label=texts("person.match.name"),
        value=typed or None,
        placeholder=capped(line.address) or None,
        is_required=True,
        error_message=texts("check.required", field=texts("person.match.name")),
        max_length=MAX_ID,
    )
    body: list[CardElement] = [header("🔗", title, whose(line)), text(texts("person.match.how")), name]
    if refused:
        other = capped(refused.other, 60)
        key = f"match.{refused.reason}"
        body.append(error_note(FormError(texts(key, other=other), texts(f"{key}.remedy", other=other))))
    data = {"integration": line.integration_id, "person": line.id, "choices": str(line.choices)}
    actions: list[Action] = [
        button(texts("button.check_match"), "person.save_match", data, style="positive", inputs=True)
    ]
    if line.by_hand:
        actions.append(button(texts("button.unmatch"), "person.unmatch", data))
    return card(texts, title, body, [*actions, button(texts("button.cancel"), "people.open", data)])


def _heading(words: str) -> CardElement:
    return text(words, weight="Bolder", spacing="Medium")
