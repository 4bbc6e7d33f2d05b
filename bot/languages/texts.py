"""Reads the catalogues next to this file; formats dates, numbers and durations for each language."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from gettext import c2py
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta, get_day_names
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)
RECENT = timedelta(hours=12)
"""How long a moment is said as seen from now."""


class Language(StrEnum):
    """The languages that have a catalogue."""

    ENGLISH = "en"
    PORTUGUESE = "pt"


_LOCALES = {Language.ENGLISH: Locale("en", "GB"), Language.PORTUGUESE: Locale("pt", "PT")}


class Texts:
    """One language's sentences by key. A key that is not in the catalogue raises ``KeyError``."""

    def __init__(self, language: Language, catalogue: Catalog) -> None:
        self.language = language
        self._locale = _LOCALES[language]
        self._forms = {_key(message.id): _forms(message.string) for message in catalogue if message.id}
        self._form_of = c2py(catalogue.plural_expr)

    def __call__(self, key: str, **values: object) -> str:
        """The sentence under ``key`` with its placeholders filled."""
        return self._forms[key][0].format_map(values)

    def plural(self, key: str, count: int, **values: object) -> str:
        """The form of ``key`` that goes with ``count``, which fills ``{count}``."""
        return self._forms[key][self._form_of(abs(count))].format_map({**values, "count": self.number(count)})

    def lenient(self, key: str, values: Mapping[str, object]) -> str:
        """Like calling, but a missing value becomes a dash: for facts from outside."""
        return self._forms[key][0].format_map(_Dashes(values))

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._forms)

    def forms(self, key: str) -> tuple[str, ...]:
        """The forms of ``key``, with their placeholders: one, or one for each plural."""
        return self._forms[key]

    def placeholders(self, key: str) -> list[frozenset[str]]:
        """The placeholders of each form of ``key``."""
        return [frozenset(name for _, name, _, _ in Formatter().parse(form) if name) for form in self._forms[key]]

    def number(self, number: float) -> str:
        return format_decimal(number, locale=self._locale)

    def date(self, day: date) -> str:
        """A day in words: "22 November 2026"."""
        return format_date(day, format="long", locale=self._locale)

    def moment(self, when: datetime, zone: str) -> str:
        """A date and time in an IANA ``zone``: "22 Nov 2026, 12:00"; where that is UTC, with "UTC"."""
        local = format_datetime(when, format="d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=self._locale)
        return f"{local} UTC" if zone == "UTC" else local

    def when(self, moment: datetime, now: datetime, zone: str) -> str:
        """A recent moment as seen from ``now`` ("2 minutes ago"), never coming; an older one with its date."""
        return self.relative(min(moment, now - SECOND), now) if now - moment < RECENT else self.moment(moment, zone)

    def since(self, moment: datetime, now: datetime, zone: str) -> str:
        """The time of a moment of today in ``zone``: "10:42"; of another day with its date."""
        here = moment.astimezone(ZoneInfo(zone))
        if here.date() != now.astimezone(ZoneInfo(zone)).date():
            return self.moment(moment, zone)
        return self("time.today", time=f"{here:%H:%M}")

    def until(self, moment: datetime, now: datetime, zone: str) -> str:
        """A coming moment in ``zone``: of today "10:42", of the next days "Monday 09:00", later with its date."""
        here, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
        if here.date() == today:
            return self("time.until", time=f"{here:%H:%M}")
        if not timedelta(0) < here.date() - today < WEEK:
            return self.moment(moment, zone)
        return self("time.weekday", day=self.weekday(here.weekday()), time=f"{here:%H:%M}")

    def weekday(self, number: int) -> str:
        """The name of a weekday; Monday is 0."""
        return str(get_day_names("wide", locale=self._locale)[number])

    def relative(self, when: datetime, now: datetime) -> str:
        """``when`` as seen from ``now``: "2 minutes ago"."""
        return format_timedelta(when - now, add_direction=True, threshold=1.5, locale=self._locale)

    def duration(self, seconds: float) -> str:
        """A short time with a decimal where it matters: "0.4 s", "12 s"; never less than "0.1 s"."""
        return f"{self.number(round(max(seconds, 0.1), 1 if seconds < 10 else 0))} s"

    def milliseconds(self, seconds: float) -> str:
        """A duration as an operator compares it: "1,234 ms"."""
        return f"{self.number(round(seconds * 1000))} ms"

    def span(self, seconds: int) -> str:
        """A duration in words: "5 minutes"."""
        return format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=self._locale)


def language_of(locale: str) -> Language:
    """The language of a client's locale: Portuguese for ``pt`` and its variants, English for any other."""
    return Language.PORTUGUESE if locale.lower().replace("_", "-").split("-")[0] == "pt" else Language.ENGLISH


def load_texts() -> dict[Language, Texts]:
    """All languages, read from their catalogues once. Raises ``ValueError`` when a sentence is left empty."""
    return {language: _read(language) for language in Language}


@cache
def _read(language: Language) -> Texts:
    with (Path(__file__).parent / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=str(_LOCALES[language]), abort_invalid=True)
    return Texts(language, catalogue)


def _key(identity: str | list[str] | tuple[str, ...]) -> str:
    return identity if isinstance(identity, str) else identity[0]


def _forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    forms = (text,) if isinstance(text, str) else tuple(text or ())
    if not forms or not all(forms):
        raise ValueError("a catalogue has a sentence without words")
    return forms


class _Dashes(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "–"
