"""What colleagues see of a person: sessions, the person's own Teams client and chosen state, combined.

Pure functions of the time. Microsoft Graph reference: presence resource, setPresence, setUserPreferredPresence.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

TeamsClient = Literal["Available", "Away", "Busy", "DoNotDisturb", "InAMeeting", "Presenting"]

SESSION_PAIRS = frozenset(
    {
        ("Available", "Available"),
        ("Busy", "InACall"),
        ("Busy", "InAConferenceCall"),
        ("Away", "Away"),
        ("DoNotDisturb", "Presenting"),
    }
)
CHOSEN_PAIRS = frozenset(
    {
        ("Available", "Available"),
        ("Busy", "Busy"),
        ("DoNotDisturb", "DoNotDisturb"),
        ("BeRightBack", "BeRightBack"),
        ("Away", "Away"),
        ("Offline", "OffWork"),
    }
)
SHORTEST_SESSION, LONGEST_SESSION = timedelta(minutes=5), timedelta(hours=4)
INACTIVE_AFTER, AWAY_AFTER = timedelta(minutes=5), timedelta(minutes=10)

_PRECEDENCE = ("DoNotDisturb", "Busy", "Available", "AvailableInactive", "Away", "Offline")
_DURATION = re.compile(
    r"P(?=[\dT])(?:(?P<days>\d{1,3})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,5})M)?(?:(?P<seconds>\d{1,7}(?:\.\d{1,6})?)S)?)?"
)


class Shown(NamedTuple):
    availability: str
    activity: str


OFFLINE = Shown("Offline", "Offline")
_IN_MEETINGS = {"InAMeeting": Shown("Busy", "InAMeeting"), "Presenting": Shown("DoNotDisturb", "Presenting")}


@dataclass
class Session:
    """A presence that an application set for a person."""

    availability: str
    activity: str
    set_at: datetime
    expires_at: datetime


@dataclass
class Chosen:
    """A state that a person chose by hand; it wins over every session."""

    availability: str
    activity: str
    expires_at: datetime | None = None


@dataclass
class StatusMessage:
    """A text that a person (or an application for them) shows next to their presence."""

    content: str
    expires_at: datetime | None = None


def parse_duration(text: str) -> timedelta | None:
    """An ISO 8601 duration of days and less; None for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    return timedelta(**{unit: float(amount) for unit, amount in found.groupdict().items() if amount})


def live_session(session: Session | None, now: datetime) -> Session | None:
    return session if session and now < session.expires_at else None


def live_chosen(chosen: Chosen | None, now: datetime) -> Chosen | None:
    return chosen if chosen and (chosen.expires_at is None or now < chosen.expires_at) else None


def live_message(message: StatusMessage | None, now: datetime) -> str | None:
    return message.content if message and (message.expires_at is None or now < message.expires_at) else None


def faded(session: Session, now: datetime) -> Shown:
    """A session's presence now: Available fades unless it is sent again, the others last until they expire."""
    if now >= session.expires_at:
        return OFFLINE
    age = now - session.set_at
    if session.availability == "Available" and age >= AWAY_AFTER:
        return Shown("Away", "Away")
    if session.availability == "Available" and age >= INACTIVE_AFTER:
        return Shown("AvailableInactive", "AvailableInactive")
    return Shown(session.availability, session.activity)


def shown(client: TeamsClient | None, session: Session | None, chosen: Chosen | None, now: datetime) -> Shown:
    """What colleagues see. A chosen state needs some session, else the person is offline."""
    live = live_session(session, now)
    sessions = [faded(live, now)] if live else []
    if client:
        sessions.append(_IN_MEETINGS.get(client, Shown(client, client)))
    if not sessions:
        return OFFLINE
    if preferred := live_chosen(chosen, now):
        return Shown(preferred.availability, preferred.activity)
    return min(sessions, key=lambda each: _PRECEDENCE.index(each.availability))
