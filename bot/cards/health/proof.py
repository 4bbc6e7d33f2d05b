"""What Teams was read to show of the people on the phone, and how long changes take."""

from microsoft_teams.cards.core import CardElement

from bot.cards.field_errors import Link
from bot.cards.parts import capped, note, text
from bot.languages import Texts
from sync.domain.model import Status
from sync.domain.presence import Effect

STATES_SHOWN = 4


def proof(texts: Texts, status: Status, when: str, permissions: Link) -> list[CardElement]:
    """How many are shown as on the phone, and ``when`` that was read; of the others, what Teams shows and why.

    ``permissions`` is the page of the application's own, for one that may not read presence.
    """
    read = status.proof
    if read.refused:
        return [
            note("warning", "🔎", texts("proof.refused"), texts("proof.refused.remedy"), link=permissions),
            *_delay(texts, status),
        ]
    if not read.checked:
        return _delay(texts, status)
    title = texts.plural("proof.title", read.checked, shown=texts.number(read.shown))
    others = [
        texts.plural(f"proof.{effect}", count, state=state_of(texts, activity))
        for effect, activity, count in read.others[:STATES_SHOWN]
    ]
    as_of = [texts("proof.as_of", when=when), *([texts("proof.failed")] if read.failed else [])]
    is_fault = read.failed or any(effect is Effect.NOT_SHOWN for effect, *_ in read.others)
    return [note("warning" if is_fault else "default", "🔎", title, *others, *as_of), *_delay(texts, status)]


def state_of(texts: Texts, activity: str) -> str:
    """Graph's word for what Teams shows, as Teams writes it; an unknown one as it is."""
    key = f"shown.{activity.casefold()}"
    return texts(key) if key in texts.keys else capped(activity, 40)


def _delay(texts: Texts, status: Status) -> list[CardElement]:
    delay = status.delay
    if delay is None:
        return []
    half, most = texts.duration(delay.p50), texts.duration(delay.p95)
    return [text(texts("proof.delay", half=half, most=most), subtle=True)]
