"""People and their phones in words."""

from datetime import datetime

from bot.cards.health.proof import state_of
from bot.cards.parts import capped
from bot.languages import Texts
from sync.domain.model import Unmatched
from sync.domain.people import Device, PersonLine
from sync.domain.presence import RESTING, Presence

MAX_WORD = 40
MAX_WHO = 50


def who(line: PersonLine) -> str:
    return capped(line.name, MAX_WHO) or capped(line.address, MAX_WHO) or line.id


def whose(line: PersonLine) -> str:
    """Who, and of which integration where there are several."""
    return " · ".join(part for part in (who(line), capped(line.integration, MAX_WORD)) if part)


def from_us(texts: Texts, value: str | None) -> str:
    """What Teams shows from us: a value of ``Presence``, None for nothing, else it is not known yet."""
    if value is None:
        return texts("people.own_status")
    known = value in set(Presence)
    return state_of(texts, Presence(value).activity) if known else texts("people.unsure")


def state(texts: Texts, line: PersonLine) -> str:
    """One line about a person: both sides, or why nothing is shown."""
    if hidden := hidden_word(line):
        return texts(f"people.{hidden}")
    read = line.read.activity if line.read else ""
    shown = state_of(texts, read) if read else from_us(texts, line.shown)
    both = texts("people.both", line=texts(f"line.{line.line}"), shown=shown)
    if line.left_out is Unmatched.SHARED_EXTENSION and line.is_matched:
        return f"{both} · {texts(f'unmatched.{line.left_out}')}"
    if line.left_out:
        return texts("people.left_out", reason=texts(f"unmatched.{line.left_out}"))
    return both if line.is_matched else texts("people.not_read")


def hidden_word(line: PersonLine) -> str:
    """Why the person is not to be shown, empty when they are."""
    if line.excluded:
        return "excluded"
    if line.outside:
        return "outside"
    return "opted_out" if line.opted_out else ""


def sentence(words: str) -> str:
    """With a capital letter: a line that is shown on its own."""
    return words[:1].upper() + words[1:]


def light(line: PersonLine) -> str:
    """A symbol for that line."""
    if hidden_word(line):
        return "🚫"
    if line.left_out or not line.is_matched:
        return "⚠️"
    if line.desired != line.shown:
        return "⏳"
    return "📞" if line.desired and line.line not in RESTING else "✅"


def device(texts: Texts, one: Device, now: datetime, zone: str, unheard: str = "unknown") -> tuple[str, str]:
    """A phone and its state, and when it was last heard of; ``unheard`` names the state of one that was not."""
    said = [texts(f"person.call.{call}") for call in one.calls if f"person.call.{call}" in texts.keys]
    if one.do_not_disturb:
        said.insert(0, texts("line.do_not_disturb"))
    if not said:
        key = "person.device.free" if one.heard_at else f"person.device.{unheard}"
        said = [texts("line.offline" if one.offline else key)]
    key = "person.device" if one.own else "person.device.other"
    heard = texts("person.heard", ago=texts.when(one.heard_at, now, zone)) if one.heard_at else ""
    return texts(key, device=capped(one.extension, MAX_WORD), state=", ".join(said)), heard
