"""When calls are shown: the hours and holidays, what they say now, and what saving them would clear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from microsoft_teams.cards.core import CardElement, Choice, ChoiceSetInput, TextInput

from bot.activity import Card
from bot.cards.field_errors import FormError
from bot.cards.fields import Field, with_errors
from bot.cards.parts import button, capped, card, header, note, text
from bot.cards.presence.typed_hours import (
    DAYS,
    HOLIDAYS,
    MAX_TYPED_DAY,
    MAX_TYPED_HOLIDAYS,
    PRESET,
    ZONE,
    ZONE_EXAMPLE,
)
from bot.languages import Texts
from bot.languages.zone_names import MAX_ZONE
from sync.domain.model import IntegrationView
from sync.domain.schedule import Preset, Schedule, is_open, next_change

DATE_EXAMPLE = "24/12/2026-01/01/2027"


@dataclass(frozen=True, slots=True)
class Form:
    """``schedule`` is what the inputs say, None for always, unless they have ``errors``.

    ``cleared`` is for how many people saving it clears Teams now, None when nothing is previewed.
    """

    typed: Mapping[str, str]
    schedule: Schedule | None
    errors: Sequence[FormError] = ()
    cleared: int | None = None
    is_saved: bool = False


def form(texts: Texts, view: IntegrationView, shown: Form, now: datetime) -> Card:
    title = texts("schedule.title")
    body: list[CardElement] = [header("🗓️", title, capped(view.name))]
    if not shown.errors:
        body.append(_now(texts, view, shown, now))
    body.append(text(texts("schedule.how")))
    fields = [_preset(texts, shown), _zone(texts, shown), *_days(texts, shown), _holidays(texts, shown)]
    body += with_errors(fields, shown.errors)
    data = {"integration": view.id, "revision": str(view.revision)}
    actions = [
        button(texts("button.save"), "schedule.save", data, style="positive", inputs=True),
        button(texts("button.preview"), "schedule.preview", data, inputs=True),
        button(texts("button.status"), "status.show", {"integration": view.id}),
    ]
    return card(texts, title, body, actions)


def outside_hours(texts: Texts, view: IntegrationView, now: datetime, zone: str) -> str:
    """That a closed integration shows nothing, and until when, in the reader's time zone."""
    return texts("status.closed", until=texts.until(view.turns_at or now, now, zone))


def _now(texts: Texts, view: IntegrationView, shown: Form, now: datetime) -> CardElement:
    """What the schedule says now, and when that changes; before it is saved, whom that clears."""
    said = [_state(texts, shown.schedule, now)]
    if shown.cleared:
        said.append(texts.plural("schedule.clears", shown.cleared))
    if not view.enabled:
        said.append(texts("schedule.off"))
    if shown.is_saved:
        return note("good", "✅", texts("schedule.saved"), *said)
    if shown.cleared is not None:
        return note("default", "👀", texts("mapping.preview.title"), *said)
    return note("default", "🕘", *said)


def _state(texts: Texts, schedule: Schedule | None, now: datetime) -> str:
    """In the schedule's own time zone, as its hours are."""
    if schedule is None:
        return texts("schedule.always")
    key = "open" if is_open(schedule, now) else "closed"
    change = next_change(schedule, now)
    if change is None:
        return texts("schedule.always")
    return texts(f"schedule.{key}", until=texts.until(change, now, schedule.zone))


def _preset(texts: Texts, shown: Form) -> Field:
    return ChoiceSetInput(
        id=PRESET,
        label=texts("schedule.preset"),
        choices=[Choice(title=texts(f"schedule.preset.{one}"), value=one.value) for one in Preset],
        value=shown.typed.get(PRESET),
        style="expanded",
        wrap=True,
    )


def _zone(texts: Texts, shown: Form) -> Field:
    return TextInput(
        id=ZONE,
        label=texts("schedule.zone"),
        value=shown.typed.get(ZONE) or None,
        placeholder=ZONE_EXAMPLE,
        max_length=MAX_ZONE,
    )


def _days(texts: Texts, shown: Form) -> list[Field]:
    """The hours of each weekday, for *own hours*."""
    return [
        TextInput(
            id=field,
            label=texts.weekday(number).capitalize(),
            value=shown.typed.get(field) or None,
            placeholder=texts("schedule.day.closed"),
            max_length=MAX_TYPED_DAY,
        )
        for number, field in enumerate(DAYS)
    ]


def _holidays(texts: Texts, shown: Form) -> Field:
    return TextInput(
        id=HOLIDAYS,
        label=texts("schedule.holidays"),
        value=shown.typed.get(HOLIDAYS) or None,
        placeholder=DATE_EXAMPLE,
        is_multiline=True,
        max_length=MAX_TYPED_HOLIDAYS,
    )
